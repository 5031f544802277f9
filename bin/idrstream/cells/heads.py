"""What a network for deep watershed states of itself in its ONNX file: Mesmer's heads, of whole cells and of nuclei.

Each head has two outputs, maps of one channel: the distance to an object's border, and its interior, which may also be
the second of three classes. Standard library only, so that a plan can tell what is wrong before anything runs.
"""

from typing import NamedTuple

from idrstream.base import onnx_files

LAYERS = ("nuclei", "cells")
MESMER = ("cells", "nuclei")  # heads of a file with four outputs that names none, in the order of its outputs
PIXEL_SIZE = 0.5  # µm, of Mesmer
SIDE = 256  # pixels of a tile where a network takes any size
SMALLEST = 32  # pixels of a tile: of fewer, hardly any could overlap, and no nucleus would be seen whole
CLASSES = (1, 3)  # channels that an interior may have
SAME = 1e-4  # of a scale: files round their pixel sizes


def is_onnx(path):
    """Whether a file, by its name, is a network for deep watershed, not one of Cellpose's."""
    return path.suffix.lower() == ".onnx"


class NoNetwork(ValueError):
    """A file is no network for deep watershed; the message, which follows its name, says why."""


class NoScale(ValueError):
    """A slide cannot be brought to a network's scale; the message, which follows the slide's name, says why."""


class Heads(NamedTuple):
    """What a network takes and gives.

    channels    of its input: 1 (nuclear) or 2 (nuclear, membrane)
    last        whether its arrays are (n, Y, X, channels), not (n, channels, Y, X)
    tile        pixels a side that it sees at once
    layers      tuple of LAYERS that it finds, in the order of its outputs
    pixel_size  µm of the images that it was trained on
    diameter    pixels of the nuclei in these; None if it does not say
    """

    channels: int
    last: bool
    tile: int
    layers: tuple
    pixel_size: float
    diameter: float | None

    def scale(self, pixel_size, diameter="auto"):
        """(y, x): the network's pixels per pixel of a slide. Raises NoScale.

        pixel_size  (y, x) of the slide in µm; None if nobody knows
        diameter    of its nuclei in pixels, by which the scale goes then; or "auto"
        """
        if diameter != "auto" and self.diameter is None:
            raise NoScale("the network does not state the diameter of the nuclei that it was trained on: leave it auto")
        if diameter != "auto":
            return 2 * (self.diameter / diameter,)
        if pixel_size is None:
            raise NoScale("nobody states the size of its pixels, which the network's scale goes by")
        return tuple(1.0 if abs(size / self.pixel_size - 1) < SAME else size / self.pixel_size for size in pixel_size)

    def require(self, layers):
        """Raise NoNetwork where the network does not find all of these LAYERS."""
        if absent := [layer for layer in layers if layer not in self.layers]:
            raise NoNetwork(f"it finds {' and '.join(self.layers)}, not {' and '.join(absent)}")


def describe(path):
    """The Heads of an ONNX file. Raises NoNetwork."""
    try:
        return of(onnx_files.read(path))
    except FileNotFoundError:
        raise NoNetwork("there is no such file; give the ONNX file of a network for deep watershed") from None
    except (onnx_files.NoOnnx, OSError) as error:
        raise NoNetwork(f"no network for deep watershed: {error}") from error


def of(graph):
    """The Heads of an onnx_files.Graph; outputs whose shape it does not state are taken for what they should be."""
    if graph.elsewhere:
        raise NoNetwork("its weights lie in another file: save it as one file (torch.onnx.export: external_data=False)")
    channels, last, tile = _input(graph)
    layers = _layers(graph)
    check(graph.outputs, last, tile)
    numbers = (_number(graph.properties, *default) for default in (("pixel_size", PIXEL_SIZE), ("diameter", None)))
    return Heads(channels, last, tile, layers, *numbers)


def _input(graph):
    """(channels, whether they come last, side of a tile)."""
    if len(graph.inputs) != 1:
        raise NoNetwork(f"it has {len(graph.inputs)} inputs; it has to take one, of one channel or two")
    name, element, sides = graph.inputs[0]
    words = f'its input "{name}"'
    if element != onnx_files.FLOAT32:
        raise NoNetwork(f"{words} is not of 32-bit floats")
    if sides is None or len(sides) != 4:
        raise NoNetwork(f"{words} is {_words(sides)}; it has to have four axes, (n, c, y, x) or (n, y, x, c)")
    ends = [sides[axis] in (1, 2) for axis in (1, 3)]
    if ends[0] == ends[1]:
        raise NoNetwork(
            f"{words} is {_words(sides)}: one channel (nuclear) or two (nuclear, membrane) have to be fixed"
        )
    last = ends[1]
    tile = set(sides[1:3] if last else sides[2:]) - {None}
    if len(tile) > 1:
        raise NoNetwork(f"{words} is {_words(sides)}: its tiles have to be square")
    if tile and min(tile) < SMALLEST:
        raise NoNetwork(f"{words} is {_words(sides)}: its tiles have to be of {SMALLEST} pixels or more a side")
    if sides[0] not in (None, 1):
        raise NoNetwork(f"{words} is {_words(sides)}: export it with a batch of any size, or of 1")
    return sides[3 if last else 1], last, tile.pop() if tile else SIDE


def _layers(graph):
    """The layers that a network finds, in the order of its outputs."""
    stated, count = graph.properties.get("heads"), len(graph.outputs)
    if stated is None and count == 2 * len(MESMER):
        return MESMER
    if stated is None:
        raise NoNetwork(
            f'it has {count} outputs and no property "heads": name them there ("nuclei", "cells" or "cells,nuclei"), '
            "or give all four of Mesmer"
        )
    layers = tuple(word.strip() for word in stated.split(","))
    if len(set(layers)) < len(layers) or not set(layers) <= set(LAYERS):
        raise NoNetwork(f'its property "heads" is "{stated}"; it may be "nuclei", "cells" or "cells,nuclei"')
    if count != 2 * len(layers):
        raise NoNetwork(f'it has {count} outputs; "{stated}" are {2 * len(layers)}: a distance and an interior each')
    return layers


def check(outputs, last, tile):
    """Raise NoNetwork where a list of onnx_files.Array are no distances and interiors by turns, as far as they say.

    last, tile  of Heads
    """
    for place, (name, _, sides) in enumerate(outputs):
        counts = CLASSES if place % 2 else CLASSES[:1]
        allowed = [(tile,), (tile,)]
        allowed.insert(2 if last else 0, counts)
        if sides is None or (len(sides) == 4 and all(map(_allows, allowed, sides[1:]))):
            continue
        channels, side = " or ".join(map(str, counts)), f"{tile}, {tile}"
        wanted = f"(n, {side}, {channels})" if last else f"(n, {channels}, {side})"
        raise NoNetwork(f'its output "{name}" is {_words(sides)}; it has to be {wanted}')


def _allows(lengths, side):
    return side is None or side in lengths


def _number(properties, name, default):
    """The positive number that a property states."""
    if name not in properties:
        return default
    try:
        number = float(properties[name])
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise NoNetwork(f'its property "{name}" is "{properties[name]}"; it has to be a number above 0')
    return number


def _words(sides):
    """A shape in words."""
    if sides is None:
        return "of a shape that it does not state"
    return f"({', '.join('any' if side is None else str(side) for side in sides)})"
