"""Sides of a window at which its image goes on."""

import numpy as np


def rim(shape, open_sides, depth):
    """(Y, X) bool: the pixels of a window of SHAPE that lie within DEPTH pixels of one of its open sides.

    open_sides  top, bottom, left, right: whether the image goes on there
    """
    found = np.zeros(shape, bool)
    top, bottom, left, right = open_sides
    last_row, last_column = (max(side - depth, 0) for side in shape)
    found[:depth] |= top
    found[last_row:] |= bottom
    found[:, :depth] |= left
    found[:, last_column:] |= right
    return found
