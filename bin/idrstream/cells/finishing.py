"""Objects of a deep watershed finished one by one: eroded, dropped if small, their holes filled.

Each needs to be seen whole, and no more, but for its holes: what other objects have of them stays theirs.
"""

import numpy as np
from scipy import ndimage


class Canvas:
    """The label image of a box of an image, on which finished objects are laid, in any order.

    y0, y1, x0, x1  the box, ends excluded

    A pixel that several objects enclose is filled by the one whose hole is the smallest.
    """

    def __init__(self, y0, y1, x0, x1):
        self._corner = y0, x0
        self._labels = np.zeros((y1 - y0, x1 - x0), np.int32)
        self._holes = []

    def lay(self, number, mask, top, left):
        """Lay object NUMBER: MASK, (Y, X) bool, whose first pixel is at TOP, LEFT of the image."""
        self._labels[self._inside(*np.nonzero(mask), top, left)] = number

    def fill(self, number, hole, top, left):
        """Fill a HOLE, (2, n) int pixels from TOP, LEFT of the image, once all objects are laid, where it is free."""
        self._holes.append((hole.shape[1], number, self._inside(*hole, top, left)))

    def labels(self):
        """(Y, X) int32 label image."""
        for _, number, pixels in sorted(self._holes, key=lambda hole: hole[:2]):
            free = self._labels[pixels] == 0
            self._labels[pixels[0][free], pixels[1][free]] = number
        return self._labels

    def _inside(self, y, x, top, left):
        y, x = y + top - self._corner[0], x + left - self._corner[1]
        shown = (y >= 0) & (y < self._labels.shape[0]) & (x >= 0) & (x < self._labels.shape[1])
        return y[shown], x[shown]


def finish(canvas, number, mask, settings, top, left, shape):
    """Lay an object onto a Canvas, if it is large enough.

    mask       (Y, X) bool, all of its pixels
    settings   postprocessing.Settings
    top, left  of the mask's first pixel in the image
    shape      (Y, X) of the image
    """
    mask = eroded(mask, settings.label_erosion, top, left, shape)
    if np.count_nonzero(mask) < max(settings.small_objects, 1):
        return
    canvas.lay(number, mask, top, left)
    for hole in holes(mask, settings.fill_holes):
        canvas.fill(number, hole, top, left)


def eroded(mask, pixels, top, left, shape):
    """MASK, (Y, X) bool at TOP, LEFT of an image of SHAPE, without its outermost PIXELS, straight or around corners.

    At the image's border nothing is lost.
    """
    if not pixels:
        return mask
    bottom, right = top + mask.shape[0], left + mask.shape[1]
    margin = (int(top > 0), int(bottom < shape[0])), (int(left > 0), int(right < shape[1]))
    inner = ndimage.binary_erosion(np.pad(mask, margin), iterations=pixels, border_value=1)
    return inner[margin[0][0] :, margin[1][0] :][: mask.shape[0], : mask.shape[1]]


def holes(mask, limit):
    """The holes of a mask, (Y, X) bool, that have fewer than LIMIT pixels: list of (2, n) int pixels y, x.

    A hole is what cannot be left by steps to a side; another object in it counts.
    """
    if not limit:
        return []
    regions, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    if count == 1:  # what lies around the mask
        return []
    sizes = np.bincount(regions.ravel())
    small = np.flatnonzero(sizes < limit)
    return [np.stack(np.nonzero(regions == region)) - 1 for region in small if region not in (0, regions[0, 0])]
