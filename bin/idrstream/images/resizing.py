"""A window of a resized image, without the rest of it: the samples of skimage.transform.resize of the whole image.

Those of order 1, mode "constant", with anti-aliasing, to the last bit: an axis that shrinks is smoothed before, and the
image is continued by zeros, so that what lies within a pixel of its border darkens where it grows.
"""

import itertools

import numpy as np
from scipy import ndimage

TRUNCATE = 4.0  # standard deviations of a Gaussian that are added up


def resized(image, origin, size, to, box):
    """Rows y0 to before y1, columns x0 to before x1 of an image of SIZE (Y, X) that is resized to TO (Y, X).

    image    (Y, X) float32, a window of the image, that holds what `needed` says
    origin   (y, x) of the window's first pixel
    box      y0, y1, x0, x1
    returns  (y1 - y0, x1 - x0) float32, not yet within the image's extremes, to which scikit-image cuts them
    """
    sigma = [_sigma(*axis) for axis in zip(size, to, strict=True)]
    image = ndimage.gaussian_filter(image, sigma, mode="grid-constant", truncate=TRUNCATE)
    axes = zip((box[:2], box[2:]), size, to, origin, image.shape, strict=True)
    rows, columns = (_between(*edges, *sizes, first, held) for edges, *sizes, first, held in axes)
    total = np.zeros((box[1] - box[0], box[3] - box[2]))
    for row, down in rows:
        for column, across in columns:
            total += image[np.ix_(row, column)] * down[:, None] * across
    return total.astype(np.float32)


def needed(size, to, box):
    """y0, y1, x0, x1 of the pixels of an image of SIZE that a window BOX of it needs, once it is resized to TO."""
    edges = []
    for axis, (first, end) in enumerate((box[:2], box[2:])):
        reach = _reach(size[axis], to[axis])
        low, high = np.floor(_places(np.array([first, end - 1]), size[axis], to[axis])).astype(int).tolist()
        edges += [max(low - reach, 0), min(high + 2 + reach, size[axis])]
    return tuple(edges)


def parts(size, to, box, most):
    """What makes up a window BOX: windows y0, y1, x0, x1 that need at most MOST pixels along an axis, or are one pixel.

    size, to  as `resized` takes them
    """
    rows, columns = (_cuts(*edges, *sizes, most) for edges, *sizes in zip((box[:2], box[2:]), size, to, strict=True))
    return [(*down, *across) for down in rows for across in columns]


def _cuts(first, end, size, to, most):
    """(first, end) of parts of an axis, of about the same length."""
    room = most - 2 * _reach(size, to) - 3  # each sample lies between two pixels, at any place
    longest = 1 + max(0, int(room * to / size))
    count = -(-(end - first) // longest)
    edges = [first + (end - first) * number // count for number in range(count + 1)]
    return list(itertools.pairwise(edges))


def _reach(size, to):
    """Pixels on either side of one that smoothing adds up."""
    return int(TRUNCATE * _sigma(size, to) + 0.5)


def _sigma(size, to):
    """Standard deviation, in pixels, of the Gaussian that an axis is smoothed by before it shrinks."""
    return max(0.0, (size / to - 1) / 2)


def _places(samples, size, to):
    """Where samples lie in the image, in pixels."""
    return (samples + 0.5) * (size / to) - 0.5


def _between(first, end, size, to, origin, held):
    """The two pixels that each sample lies between: their indices from ORIGIN, of HELD ones, and their weights.

    A pixel that the image does not have weighs nothing.
    """
    place = _places(np.arange(first, end), size, to)
    low = np.floor(place).astype(np.int64)
    before = 1 - (place - low)
    pairs = (low, before), (low + 1, 1 - before)
    return [
        ((index - origin).clip(0, held - 1), np.where((index >= 0) & (index < size), weight, 0))
        for index, weight in pairs
    ]
