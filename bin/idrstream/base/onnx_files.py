"""What an ONNX file states of itself: inputs, outputs and properties, read without the package `onnx`, or the weights.

A file is one message of protocol buffers: numbered fields, each a number or so many bytes, which may be a message
again. Standard library only, so that a plan can tell what is wrong with a network before anything runs.
"""

from pathlib import Path
from typing import NamedTuple

# Numbers of fields (onnx.proto): of a model, its graph, a tensor, an input or output, its type, a property.
GRAPH, PROPERTY = 7, 14
WEIGHTS, INPUT, OUTPUT = 5, 11, 12
TENSOR_NAME, TENSOR_PLACE, ELSEWHERE = 8, 14, 1
NAME, TYPE = 1, 2
TENSOR, ELEMENT, SHAPE, SIDE, LENGTH = 1, 1, 2, 1, 1
KEY, VALUE = 1, 2
FLOAT32 = 1  # an element's type
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # how a field is written


class NoOnnx(ValueError):
    """A file is not ONNX; the message says what is wrong."""


class Array(NamedTuple):
    """An input or output.

    element  number of the type of its elements, of which FLOAT32 is one
    sides    tuple of lengths, None for one of any length; None if the file does not state the shape
    """

    name: str
    element: int
    sides: tuple | None


class Graph(NamedTuple):
    """What a file states.

    inputs      list of Array, weights not among them
    outputs     list of Array
    properties  {key: value}, its metadata
    elsewhere   whether some weights lie in another file
    """

    inputs: list
    outputs: list
    properties: dict
    elsewhere: bool


def read(path):
    """The Graph of a file. Raises NoOnnx, and FileNotFoundError where there is none."""
    content = memoryview(Path(path).read_bytes())
    try:
        model = list(_fields(content))
        (graph,) = (list(_fields(value)) for number, value in model if number == GRAPH)
        weights = [dict(_fields(value)) for number, value in graph if number == WEIGHTS]
        names = {_text(tensor.get(TENSOR_NAME, b"")) for tensor in weights}
        inputs, outputs = ([_array(value) for number, value in graph if number == kind] for kind in (INPUT, OUTPUT))
        pairs = [dict(_fields(value)) for number, value in model if number == PROPERTY]
        properties = {_text(pair[KEY]): _text(pair.get(VALUE, b"")) for pair in pairs}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise NoOnnx("it is not an ONNX file, or not a whole one") from error
    elsewhere = any(tensor.get(TENSOR_PLACE) == ELSEWHERE for tensor in weights)
    return Graph([array for array in inputs if array.name not in names], outputs, properties, elsewhere)


def _array(message):
    """Array of an input or output."""
    fields = dict(_fields(message))
    tensor = dict(_fields(dict(_fields(fields[TYPE]))[TENSOR]))
    sides = None
    if SHAPE in tensor:
        sides = tuple(dict(_fields(side)).get(LENGTH) for number, side in _fields(tensor[SHAPE]) if number == SIDE)
    return Array(_text(fields[NAME]), tensor.get(ELEMENT, 0), sides)


def _text(content):
    return bytes(content).decode(errors="replace")


def _fields(message):
    """Iterate over the fields of a message, bytes: (number, value), an int or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
        elif kind in (EIGHT, BYTES, FOUR):
            length, at = _varint(message, at) if kind == BYTES else ({EIGHT: 8, FOUR: 4}[kind], at)
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"field {number} is written in an unknown way")
        if at > len(message):
            raise IndexError("a field ends after its message")
        yield number, value


def _varint(message, at):
    """(a number of seven bits a byte, the lowest first; where it ends)."""
    number, shift = 0, 0
    while shift < 70:  # numbers of 64 bits
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at
    raise ValueError("a number does not end")
