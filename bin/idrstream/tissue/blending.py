"""What a network for deep watershed sees in a slide, window by window: the same bits whatever the window.

The network looks at tiles of its own, which lie over the resized slide as Mesmer lays them: three quarters of a tile
apart, zeros around the slide so that the last ones fit. Where tiles overlap, each counts by a quadratic spline of the
distance to its border; these weights add up to 1. Along an axis that is shorter than a tile the slide is reflected.
"""

import math
from typing import NamedTuple

import numpy as np

from idrstream.base import task
from idrstream.images.padding import reflected
from idrstream.tissue.tiles import Box, joined

VERSION = 1  # raised when maps change

STRIDE = 0.75  # of a tile's side, rounded up to an even number of pixels
KEPT = 400_000_000  # bytes of tiles' answers that are kept for the next window


class Axis(NamedTuple):
    """Where tiles lie along an axis of a slide.

    size    pixels of the slide
    side    of a tile
    stride  from one tile to the next
    count   tiles
    before  pixels of the first tile that lie before the slide
    """

    size: int
    side: int
    stride: int
    count: int
    before: int

    def meeting(self, first, end):
        """Numbers of the tiles that share a pixel with pixels FIRST to before END: a range."""
        low = (first + self.before - self.side) // self.stride + 1
        high = -(-(end + self.before) // self.stride)
        return range(max(low, 0), min(high, self.count))

    def start(self, number):
        """The first pixel of a tile, which may lie before the slide."""
        return number * self.stride - self.before

    def weights(self, number):
        """(side,) float64 of a tile's pixels."""
        found, overlap = np.ones(self.side), self.side - self.stride
        way = (np.arange(overlap) + 0.5) / overlap
        rise = np.where(way < 0.5, 2 * way**2, 1 - 2 * (1 - way) ** 2)
        if number > 0:
            found[:overlap] = rise
        if number < self.count - 1:
            found[-overlap:] = 1 - rise
        return found

    def pixels(self, first, end):
        """What pixels FIRST to before END show: the pixels of the slide, (n,) int, and whether they do, (n,) bool."""
        places = np.arange(first, end)
        if self.size < self.side:
            return reflected(places, self.size), np.ones(len(places), bool)
        return places.clip(0, self.size - 1), (places >= 0) & (places < self.size)


def axis(size, side):
    """The Axis of a slide of SIZE pixels in tiles of SIDE."""
    stride = min(2 * math.ceil(STRIDE * side / 2), side)
    count = max(math.ceil((size - side) / stride), 0) + 1
    missing = side + stride * (count - 1) - size
    return Axis(size, side, stride, count, missing // 2 if size < side else -(-missing // 2))


class Maps:
    """Call it with a Box of the resized slide to get what the network sees there: {layer: (2, Y, X) float32}.

    The two are the distance to an object's border, and its interior. Where the slide has nothing to be seen both are 0.

    network     watershed_network.Network
    normalized  normalized.Normalized of the slide
    layers      those of the network's that are wanted

    `shape` is that of the resized slide; `tiles` counts those that the network has looked at. What it saw in those of
    the last window is kept, as far as KEPT goes: to look again at a wider window costs what is new.
    """

    def __init__(self, network, normalized, layers):
        self._network, self._normalized, self._layers = network, normalized, tuple(layers)
        self._maps = [2 * network.layers.index(layer) + kind for layer in layers for kind in (0, 1)]
        self._axes = [axis(size, network.tile) for size in normalized.shape]
        self._room = max(1, KEPT // (4 * len(self._maps) * network.tile**2))
        self.shape, self.tiles, self._kept = normalized.shape, 0, {}

    def __call__(self, box):
        total = np.zeros((len(self._maps), *box.shape), np.float32)
        if not self._normalized.empty:
            for number, answer in self._answers(box):
                tile = self._tile(number)
                part = tile.common(box)
                here, there = part.within(box), part.within(tile)
                weights = [along.weights(at) for along, at in zip(self._axes, number, strict=True)]
                total[:, *here] += answer[:, *there] * np.outer(*weights)[there].astype(np.float32)
        return {layer: total[2 * place : 2 * place + 2] for place, layer in enumerate(self._layers)}

    def _tile(self, number):
        """The Box of a tile, which may leave the slide."""
        (y, x), side = (along.start(at) for along, at in zip(self._axes, number, strict=True)), self._network.tile
        return Box(y, y + side, x, x + side)

    def _answers(self, box):
        """Iterate over the tiles that meet BOX, in the order of their grid: ((row, column), (maps, Y, X) float32)."""
        rows, columns = (along.meeting(*edges) for along, edges in zip(self._axes, (box[:2], box[2:]), strict=True))
        numbers = [(row, column) for row in rows for column in columns]
        kept, self._kept = {number: self._kept[number] for number in numbers if number in self._kept}, {}
        missing = iter(self._computed([number for number in numbers if number not in kept]))
        for number in numbers:
            answer = kept[number] if number in kept else next(missing)
            if len(self._kept) < self._room:
                self._kept[number] = answer
            yield number, answer

    def _computed(self, numbers):
        """Iterate over what the network sees in tiles, of which it is shown one at a time.

        Beside others it may see something else in the last bit, and windows would not agree.
        """
        places = [self._tile(number) for number in numbers]
        image, around = self._image_of(places)
        look = lambda place: self._network.compute(image[None, :, *place.within(around)])  # noqa: E731
        for (answer,) in task.in_threads(look, places, self._network.threads):
            self.tiles += 1
            yield answer[self._maps]

    def _image_of(self, places):
        """What the network is shown around tiles, (channels, Y, X) float32, and the Box of it; None without tiles."""
        if not places:
            return None, None
        around = joined(places)
        (rows, down), (columns, across) = (
            along.pixels(*edges) for along, edges in zip(self._axes, (around[:2], around[2:]), strict=True)
        )
        box = Box(*(int(edge) for place in (rows, columns) for edge in (place.min(), place.max() + 1)))
        image = self._normalized(box)
        if box.shape != around.shape:
            image = image[:, (rows - box.y0)[:, None], columns - box.x0]
            image[:, ~(down[:, None] & across)] = 0
        return image, around
