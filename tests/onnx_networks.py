"""Small ONNX files, written without the package `onnx`: networks whose answers are known."""

import struct

FLOAT, INT64 = 1, 7


def _varint(number):
    parts = []
    while True:
        number, part = number >> 7, number & 0x7F
        parts.append(part | (0x80 if number else 0))
        if not number:
            return bytes(parts)


def field(number, value):
    """A field of a message: an int, text, or bytes, which may be a message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def array(name, sides, element=FLOAT):
    """An input or output; a side of None is of any length, SIDES of None is a shape that is not stated."""
    lengths = [field(2, f"side{n}") if side is None else field(1, side) for n, side in enumerate(sides or ())]
    shape = b"" if sides is None else field(2, b"".join(field(1, length) for length in lengths))
    return field(1, name) + field(2, field(1, field(1, element) + shape))


def node(kind, inputs, outputs, **attributes):
    """A node; attributes are ints, or lists of them."""
    content = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    for name, value in attributes.items():
        numbers = field(8, b"".join(map(_varint, value))) + field(20, 7) if isinstance(value, list) else None
        content += field(5, field(1, name) + (numbers or field(3, value) + field(20, 2)))
    return content + field(4, kind)


def tensor(name, numbers, sides, element=FLOAT):
    """Weights."""
    packed = struct.pack(f"<{len(numbers)}{'f' if element == FLOAT else 'q'}", *numbers)
    content = b"".join(field(1, side) for side in sides) + field(2, element)
    return content + field(8, name) + field(9, packed)


def write(path, nodes, inputs, outputs, weights=(), **properties):
    """Write a model to PATH."""
    graph = b"".join(field(1, content) for content in nodes) + field(2, "network")
    graph += b"".join(
        field(number, content) for number, some in ((5, weights), (11, inputs), (12, outputs)) for content in some
    )
    pairs = b"".join(field(14, field(1, key) + field(2, value)) for key, value in properties.items())
    path.write_bytes(field(1, 9) + field(7, graph) + field(8, field(2, 17)) + pairs)
    return path


def echo(path, last=False, side=None, classes=3, batch=None, **properties):
    """Write a network of Mesmer's kind to PATH that gives back what it is given, of a nuclear and a membrane channel.

    Distances are the channel itself, interiors a second time, or the second of three classes.
    last  whether arrays are (n, Y, X, channels)
    """
    axis = 3 if last else 1
    shape = lambda channels: [batch, side, side, channels] if last else [batch, channels, side, side]  # noqa: E731
    names = [f"{layer}_{kind}" for layer in ("cells", "nuclei") for kind in ("distance", "interior")]
    nodes, weights, outputs = [], [], []
    for name, channel, count in zip(names, (1, 1, 0, 0), (1, classes, 1, classes), strict=True):
        chosen = [channel] if count == 1 else [1 - channel, channel, 1 - channel]
        weights.append(tensor(f"of_{name}", chosen, [count], INT64))
        nodes.append(node("Gather", ["pixels", f"of_{name}"], [name], axis=axis))
        outputs.append(array(name, shape(count)))
    return write(path, nodes, [array("pixels", shape(2))], outputs, weights, **properties)
