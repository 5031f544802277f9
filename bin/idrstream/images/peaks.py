"""The highest pixels of an image, spaced, as skimage.feature.peak_local_max finds them; whole or in a window of it."""

import numpy as np
from scipy import ndimage

from idrstream.base.kernels import kernel
from idrstream.images import sides

CERTAIN, POSSIBLE = 1, 2  # of a pixel's state; 0: it is none


def window_peaks(image, threshold, radius, open_sides):
    """The peaks of an image that goes on beyond a window of it.

    image       (Y, X) float32, the window
    threshold   grey level that a peak is above
    radius      pixels: a peak is the highest in a square that reaches as far; of equal ones less than that apart the
                first one, row by row, stays
    open_sides  top, bottom, left, right: whether the image goes on there
    returns     (Y, X) bool each: pixels that are peaks of the image, whatever lies outside of the window; and those
                that may be, the former among them. All others are none.
    """
    highest = image == ndimage.maximum_filter(image, size=2 * radius + 1, mode="nearest")
    constant = highest.all()  # an image of one level has no peaks; a window of one level does not tell
    if constant and not any(open_sides):
        highest[:] = False
    states = (highest & (image > threshold)).astype(np.uint8)
    states[constant | sides.rim(image.shape, open_sides, radius)] *= POSSIBLE
    _space(states, radius)
    return states == CERTAIN, states > 0


@kernel("void(uint8[:, ::1], int64)")
def _space(states, radius):
    """Of pixels less than RADIUS apart, either way, keep the first, row by row; what follows a possible one may be."""
    height, width = states.shape
    for y in range(height):
        for x in range(width):
            if states[y, x] == 0:
                continue
            for b in range(max(y - radius + 1, 0), y + 1):
                for a in range(max(x - radius + 1, 0), min(x + radius, width)):
                    if b == y and a >= x:
                        break
                    if states[b, a] == CERTAIN:
                        states[y, x] = 0
                    elif states[b, a] == POSSIBLE and states[y, x] == CERTAIN:
                        states[y, x] = POSSIBLE
