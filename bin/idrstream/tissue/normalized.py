"""A slide as a network for deep watershed is shown it: Mesmer's preprocessing, window by window, as of the whole slide.

Of each channel: resized to the network's pixels, cut at the 99.9th percentile of what is not 0, stretched to 0 to 1,
equalised by CLAHE with regions of 128 pixels, stretched again. What these rest on is measured once (NORMALIZE), by
passes over the slide; a window is then what scikit-image makes of the whole in single precision.
"""

from typing import NamedTuple

import numpy as np

from idrstream.base import task
from idrstream.images import clahe, resizing
from idrstream.tissue.levels import StreamedValues
from idrstream.tissue.tiles import Box, grid

VERSION = 1  # raised when what a network is shown changes

SHARE = 99.9 / 100  # of the pixels that are not 0, whose levels are kept
KERNEL = (128, 128)  # pixels of a region of CLAHE
AT_ONCE = 8  # regions a side that are looked at together
SIDE = AT_ONCE * KERNEL[0]  # pixels of a window
SOURCE = 2200  # pixels a side of the slide that are resized at once, 50 MB: a window at half of the slide's size


class Channel(NamedTuple):
    """What the look of a channel rests on.

    low, high            grey levels of the slide, between which resized ones are kept
    darkest, brightest   extremes once it is resized, and cut at the percentile
    faintest, strongest  extremes of what CLAHE gives
    tables               (regions down, regions across, clahe.BINS) uint16 of CLAHE
    """

    low: float
    high: float
    darkest: float
    brightest: float
    faintest: int
    strongest: int
    tables: np.ndarray


class Resized:
    """Call it with a Box of the resized slide to get (Y, X) float32 grey levels.

    plane        function of a Box of the slide that returns (Y, X) float32
    size, shape  (Y, X) of the slide, and once it is resized
    low, high    of the plane's grey levels, which resized ones do not leave
    """

    def __init__(self, plane, size, shape, low, high):
        self._plane, self._size, self._shape, self._limits = plane, tuple(size), tuple(shape), (low, high)

    def __call__(self, box):
        if self._size == self._shape:
            return self._plane(box)
        levels = np.empty(box.shape, np.float32)
        for part in resizing.parts(self._size, self._shape, box, SOURCE):
            source = Box(*resizing.needed(self._size, self._shape, part))
            seen = resizing.resized(self._plane(source), (source.y0, source.x0), self._size, self._shape, part)
            levels[Box(*part).within(box)] = seen
        return levels.clip(*map(np.float32, self._limits))


def resized_shape(size, scale):
    """(Y, X) of a slide of SIZE (Y, X), resized by SCALE (Y, X): what is less than a pixel is cut off, as by Mesmer."""
    return tuple(max(1, int(side * factor)) for side, factor in zip(size, scale, strict=True))


def measure(plane, size, shape, threads=1):
    """The Channel of a plane; None where it has one grey level.

    plane, size, shape  as Resized takes them
    threads             windows that are looked at at a time
    """
    over = lambda look, area: task.in_threads(look, grid(Box(0, area[0], 0, area[1]), SIDE), threads)  # noqa: E731
    low, high = _extremes(over(plane, size))
    image = Resized(plane, size, shape, low, high)
    darkest, brightest = (low, high) if tuple(size) == tuple(shape) else _extremes(over(image, shape))
    if darkest == brightest:
        return None
    values = StreamedValues(lambda: over(lambda box: _nonzero(image(box)), shape), np.dtype(np.float32))
    brightest = min(brightest, float(np.float32(values.quantile(SHARE))))
    if darkest == brightest:
        return None
    counts = clahe.regions(shape, KERNEL)
    found = Channel(low, high, darkest, brightest, 0, 0, np.empty((*counts, clahe.BINS), np.uint16))
    blocks = grid(Box(0, counts[0], 0, counts[1]), AT_ONCE)
    for block, tables in task.in_threads(lambda block: (block, _tables(found, image, shape, block)), blocks, threads):
        found.tables[block.y0 : block.y1, block.x0 : block.x1] = tables
    faintest, strongest = _extremes(over(lambda box: _equalized(found, image, box), shape))
    return found._replace(faintest=int(faintest), strongest=int(strongest))


def _extremes(windows):
    """(lowest, highest) of all pixels, as Python's floats."""
    lows, highs = zip(*((window.min(), window.max()) for window in windows), strict=True)
    return float(min(lows)), float(max(highs))


def _nonzero(levels):
    return levels[levels != 0]


def _stretched(channel, levels):
    """Grey levels of the resized slide from 0 to 1."""
    darkest, width = np.float32(channel.darkest), np.float32(channel.brightest - channel.darkest)
    return (np.minimum(levels, np.float32(channel.brightest)) - darkest) / width


def _tables(channel, image, shape, block):
    """The tables of a block of regions, a Box of their numbers."""
    edges = zip((block[:2], block[2:]), shape, KERNEL, strict=True)
    rows, columns = (clahe.pixels(*ends, size, side) for ends, size, side in edges)
    box = Box(*(int(edge) for places in (rows, columns) for edge in (places.min(), places.max() + 1)))
    binned = clahe.bins(_stretched(channel, image(box)), 0, 1)
    return clahe.tables(binned[np.ix_(rows - box.y0, columns - box.x0)], KERNEL)


def _equalized(channel, image, box):
    """uint16 grey levels that CLAHE gives."""
    binned = clahe.bins(_stretched(channel, image(box)), 0, 1)
    return clahe.equalized(binned, (box.y0, box.x0), channel.tables, KERNEL)


class Normalized:
    """Call it with a Box of the resized slide to get (channels, Y, X) float32 from 0 to 1.

    planes    list of functions of a Box of the slide that return (Y, X) float32 grey levels, one a channel; None, or
              anything, for a channel of zeros
    size      (Y, X) of the slide
    shape     (Y, X) once it is resized
    channels  list of Channel; None for a channel of zeros
    """

    def __init__(self, planes, size, shape, channels):
        self.shape, self._channels = tuple(shape), channels
        self._images = [
            channel and Resized(plane, size, shape, channel.low, channel.high)
            for plane, channel in zip(planes, channels, strict=True)
        ]

    @property
    def empty(self):
        """Whether all channels are of zeros."""
        return not any(self._images)

    def __call__(self, box):
        seen = np.zeros((len(self._channels), *box.shape), np.float32)
        for image, channel, pixels in zip(self._images, self._channels, seen, strict=True):
            if channel:
                greys = _equalized(channel, image, box)
                pixels[:] = clahe.stretched(greys, channel.faintest, channel.strongest)
        return seen
