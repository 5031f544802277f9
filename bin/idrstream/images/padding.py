"""What lies beyond the border of an image that is continued by reflection."""

import numpy as np


def reflected(index, size):
    """Where in an axis of SIZE pixels the pixels INDEX, (n,) int of any sign, are found.

    The outermost pixels are not repeated, as with numpy.pad's "reflect"; an axis of one pixel has no other.
    """
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)
