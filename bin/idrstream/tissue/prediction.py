"""What a Cellpose network sees in a slide, window by window: the same bits whatever the window.

The network looks at tiles of its own, which lie as Cellpose lays them over the whole slide, resized. A window is the
weighted mean of those that meet it, added in the order of their grid.
"""

import math

import numpy as np

from idrstream.base import task
from idrstream.cells import resampling, tiles
from idrstream.tissue.tiles import Box, joined

VERSION = 1  # raised when flows change


class Field:
    """Call it with a Box of a slide to get what the network sees there.

    network   function of (n, channels, Y, X) float32 to (n, 3, Y, X): flows y and x, logit of "nucleus"
    channels  that the network takes; the planes are the first of them, the others are 0
    planes    list of functions of a Box that return (Y, X) float32, the slide at the contrast that the network takes
    shape     (Y, X) of the slide
    scale     network pixels per pixel of the slide
    at_once   tiles that the network is given together; more than one may change bits
    squares   squares.Squares of the slide in which nuclei are looked for; everywhere if None
    threads   that call the network at a time

    `tiles` counts those that the network has seen.
    """

    def __init__(self, network, channels, planes, shape, scale, at_once=1, squares=None, threads=1):
        self._network, self._channels, self._planes, self._shape = network, channels, planes[:channels], tuple(shape)
        self._at_once, self._squares, self._threads, self.tiles = at_once, squares, threads, 0
        self._to = tuple(max(1, int(side * scale)) for side in shape)
        padding = [tiles.padding(side) for side in self._to]
        self._pad = tuple(before for before, _ in padding)
        padded = [side + before + after for side, (before, after) in zip(self._to, padding, strict=True)]
        self._tile = tuple(min(tiles.SIDE, side) for side in padded)
        self._rows, self._columns = (tiles.starts(side) for side in padded)
        self._weight = tiles.weights(self._tile)

    def __call__(self, box):
        """(3, Y, X) float32: flows y and x, logit of "nucleus"; flows of 0 and -inf where nuclei are not looked for."""
        inner = Box(*resampling.needed(self._to, self._shape, box))
        seen, found = self._resized(inner), np.empty((3, *box.shape), np.float32)
        for layer, samples in zip(seen, found, strict=True):
            samples[:] = resampling.resized(layer, (inner.y0, inner.x0), self._to, self._shape, box)
        if self._squares is not None:
            outside = ~self._squares.mask(box)
            found[:2, outside], found[2, outside] = 0, -np.inf
        return found

    def _resized(self, box):
        """(3, Y, X) float32 of a Box of the resized slide."""
        top, left = self._pad
        box = Box(box.y0 + top, box.y1 + top, box.x0 + left, box.x1 + left)
        height, width = self._tile
        places = [
            Box(y, y + height, x, x + width)
            for y in self._rows[(self._rows < box.y1) & (self._rows + height > box.y0)].tolist()
            for x in self._columns[(self._columns < box.x1) & (self._columns + width > box.x0)].tolist()
        ]
        places = [place for place in places if self._squares is None or self._squares.meet(self._of_slide(place))]
        total, weight = np.zeros((3, *box.shape), np.float32), np.zeros(box.shape)
        image, around = self._image_of(places)
        groups = [places[start : start + self._at_once] for start in range(0, len(places), self._at_once)]
        answers = task.in_threads(lambda group: self._seen(group, image, around), groups, self._threads)
        for group, answer in zip(groups, answers, strict=True):
            for place, found in zip(group, answer, strict=True):
                part = place.common(box)
                here, there = part.within(box), part.within(place)
                total[:, *here] += found[:, *there] * self._weight[there]
                weight[here] += self._weight[there]
        self.tiles += len(places)
        return np.divide(total, weight, out=total, where=weight > 0)

    def _seen(self, group, image, around):
        """(n, 3, Y, X) of a GROUP of tiles of IMAGE, which is of the Box AROUND them."""
        given = np.zeros((len(group), self._channels, *self._tile), np.float32)
        given[:, : len(image)] = [image[:, *place.within(around)] for place in group]
        return self._network(given)

    def _image_of(self, places):
        """The padded slide, (planes, Y, X) float32, around tiles of it, and the Box of it; None without tiles."""
        if not places:
            return None, None
        around, (top, left) = joined(places), self._pad
        inner = around.common(Box(top, top + self._to[0], left, left + self._to[1]))
        box = Box(inner.y0 - top, inner.y1 - top, inner.x0 - left, inner.x1 - left)
        source = Box(*resampling.needed(self._shape, self._to, box))
        padded = np.zeros((len(self._planes), *around.shape), np.float32)
        for plane, pixels in zip(self._planes, padded, strict=True):
            seen = plane(source), (source.y0, source.x0)
            pixels[inner.within(around)] = resampling.resized(*seen, self._shape, self._to, box)
        return padded, around

    def _of_slide(self, place):
        """The Box of the slide that a tile of the padded slide shows, and what is sampled between it and the next."""
        edges = []
        for axis, (first, end) in enumerate((place[:2], place[2:])):
            size = self._shape[axis]
            ratio = size / self._to[axis]
            low, high = (first - self._pad[axis] - 2) * ratio, (end - self._pad[axis] + 2) * ratio
            edges += [min(max(math.floor(low), 0), size - 1), max(min(math.ceil(high), size), 1)]
        return Box(*edges)
