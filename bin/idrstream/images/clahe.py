"""Contrast-limited adaptive histogram equalisation (CLAHE) in two passes, of images of any number of axes.

The first makes a table of grey levels for each region of a grid, the second gives a pixel what the tables around it
say. Regions lie from the image's corner on; where the last ones leave the image, it is reflected. So what a pixel
becomes depends on the image alone, and windows of any size join into what skimage.exposure.equalize_adapthist makes of
the whole, to the last of 2^14 grey levels. It stretches the image before and after to its extremes: these are
arguments here, a pass each.

Zuiderveld 1994, Graphics Gems IV, as scikit-image 0.26 has it.
"""

import itertools
import math

import numpy as np

from idrstream.images.padding import reflected

GREYS = 2**14  # levels of the result before it is stretched
BINS = 256  # of a region's histogram
WIDTH = 1 + GREYS // BINS  # levels of a bin
LIMIT = 0.01  # share of a region's pixels that a bin keeps
FINE = 2**16 - 1  # what 1.0 is, before the image is stretched to GREYS


def bins(image, low, high):
    """The bin of each pixel, uint8.

    image      float32 or float64 within 0 to 1, or uint8: a window
    low, high  extremes of the whole image
    """
    low, high = (int(_fine(np.array(level, image.dtype))) for level in (low, high))
    levels = np.arange(FINE + 1, dtype=np.float64).clip(low, high)
    if high > low:
        levels = (levels - low) / (high - low) * (GREYS - 1)
    return (np.round(levels.clip(0, GREYS - 1)) // WIDTH).astype(np.uint8)[_fine(image)]


def _fine(image):
    """uint16 levels of 0 to FINE."""
    if image.dtype == np.uint8:
        return image * np.uint16(FINE // 255)
    return np.rint(image * image.dtype.type(FINE)).clip(0, FINE).astype(np.uint16)


def regions(shape, kernel):
    """Regions along each axis of an image of SHAPE, of KERNEL pixels, a tuple likewise."""
    return tuple(-(-size // side) for size, side in zip(shape, kernel, strict=True))


def pixels(first, end, size, side):
    """Where in an axis of SIZE pixels those of regions FIRST to before END are found, of SIDE pixels each: (n,) int."""
    return reflected(np.arange(first * side, end * side), size)


def tables(binned, kernel):
    """The table of each region: what grey level each bin becomes, (…, BINS) uint16.

    binned  bins of whole regions, of KERNEL pixels, side by side: `pixels` tells which they are
    """
    found = np.empty((*regions(binned.shape, kernel), BINS), np.uint16)
    for place in np.ndindex(found.shape[:-1]):
        region = binned[tuple(slice(at * side, (at + 1) * side) for at, side in zip(place, kernel, strict=True))]
        counts = _clipped(np.bincount(region.ravel(), minlength=BINS), max(int(LIMIT * region.size), 1))
        found[place] = (np.cumsum(counts) * ((GREYS - 1) / region.size)).clip(None, GREYS - 1)
    return found


def _clipped(counts, limit):
    """(BINS,) COUNTS of which none is above LIMIT; what is above is spread over the others."""
    excess = int((counts - limit).clip(0).sum())
    before = counts.clip(None, limit)
    share = excess // BINS
    counts = before + np.where(before < limit - share, share, 0)
    counts[counts >= limit - share] = limit
    excess -= int((counts - before).sum())
    while excess > 0 and (counts < limit).any():
        for first in range(BINS):  # one more to some that are evenly spaced, from each bin in turn
            step = max(1, np.count_nonzero(counts < limit) // excess)
            chosen = counts[first::step]
            below = chosen < limit
            chosen += below
            excess -= np.count_nonzero(below)
            if excess <= 0:
                break
    return counts


def equalized(binned, corner, tables, kernel):
    """Grey levels below GREYS, uint16, of a window.

    binned  its bins
    corner  its first pixel in the image, one number an axis
    tables  of all regions of the image, of KERNEL pixels
    """
    found, half = np.empty(binned.shape, np.uint16), [side // 2 for side in kernel]
    axes = list(zip(corner, binned.shape, kernel, half, strict=True))
    blocks = [range((at + mid) // side, (at + size - 1 + mid) // side + 1) for at, size, side, mid in axes]
    for block in itertools.product(*blocks):  # the pixels between the middles of neighbouring regions
        places = [
            np.arange(max(index * side - mid, at), min((index + 1) * side - mid, at + size))
            for index, (at, size, side, mid) in zip(block, axes, strict=True)
        ]
        window = tuple(slice(place[0] - at, place[-1] + 1 - at) for place, at in zip(places, corner, strict=True))
        ways = [(place + mid) % side / side for place, mid, side in zip(places, half, kernel, strict=True)]
        found[window] = _between(binned[window], block, ways, tables)
    return found


def _between(binned, block, ways, tables):
    """What the tables of the regions before and after a BLOCK say of its pixels, float32.

    ways  the part of the way from the one to the other, one array an axis
    """
    total, axes = np.zeros(binned.shape, np.float32), len(ways)
    for edge in np.ndindex(*axes * [2]):
        near = zip(block, edge, tables.shape[:-1], strict=True)
        table = tables[tuple(min(max(at - 1 + after, 0), count - 1) for at, after, count in near)]
        weights = [way if after else 1 - way for way, after in zip(ways, edge, strict=True)]
        weights = [weight.reshape(-1, *(axes - 1 - axis) * [1]) for axis, weight in enumerate(weights)]
        total += (table[binned] * math.prod(weights)).astype(np.float32)
    return total


def stretched(greys, low, high):
    """Grey levels that `equalized` gave as float32 from 0 to 1; LOW and HIGH are the extremes of the whole image."""
    if low == high:
        return greys.clip(0, 1).astype(np.float32)
    return (greys.astype(np.float32) - np.float32(low)) / np.float32(high - low)
