"""A slide and the same slide resized to the network's pixels: which pixels of the one are which of the other.

All in whole numbers, so that any window of either says the same.
"""

import numpy as np

from idrstream.tissue.tiles import Box


def scaled(box, size, shape):
    """The Box of the resized slide that stands for a tile of the slide; those of a slide's tiles are a partition of it.

    size, shape  (Y, X) of the slide, and once it is resized
    """
    y0, y1 = (_rounded(edge, size[0], shape[0]) for edge in box[:2])
    x0, x1 = (_rounded(edge, size[1], shape[1]) for edge in box[2:])
    return Box(y0, y1, x0, x1)


def _rounded(edge, size, to):
    return (2 * edge * to + size) // (2 * size)


def nearest(first, end, size, to):
    """(n,) int64: of pixels FIRST to before END along an axis of SIZE the ones that hold their middles, among TO."""
    return (2 * np.arange(first, end) + 1) * to // (2 * size)


def needed(box, size, shape):
    """The Box of the resized slide that holds the nearest pixels of those of a Box of the slide."""
    rows, columns = (nearest(*edges, *sides) for edges, *sides in zip((box[:2], box[2:]), size, shape, strict=True))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def back(boxes, size, shape):
    """(n, 4) boxes y0, y1, x0, x1 of the resized slide, in pixels of the slide: those whose nearest ones they hold."""
    found = np.empty(boxes.shape, np.int64)
    for axis, columns in enumerate((slice(0, 2), slice(2, 4))):
        edges = np.asarray(boxes[:, columns], np.int64)
        found[:, columns] = -((shape[axis] - 2 * size[axis] * edges) // (2 * shape[axis]))
    return found
