"""Cells as what lies around nuclei: each pixel belongs to the nearest one within a distance.

A pixel's cell depends on nuclei within the distance alone, so any window that shows these gives the same.
"""

import math

import numpy as np

from idrstream.base.kernels import kernel

VERSION = 1  # raised when expanded cells change

ROWS = 512  # that are expanded at once


def reach(distance):
    """Whole pixels in any direction in which nuclei decide whose a pixel is."""
    return math.ceil(distance)


def expand(nuclei, distance):
    """Label image of the cells around nuclei.

    nuclei    (Y, X) int32 label image, 0 is background
    distance  pixels, between centres
    returns   (Y, X) int32: of each pixel the nearest nucleus within the distance, of several the one with the lowest
              label; a nucleus keeps all of its pixels
    """
    farthest, around = int(distance**2 + 1e-9), reach(distance)  # squared distances are whole numbers
    cells = np.empty_like(nuclei)
    for first in range(0, len(nuclei), ROWS):
        last = min(first + ROWS, len(nuclei))
        above = min(first, around)
        part = np.ascontiguousarray(nuclei[first - above : last + around])
        cells[first:last] = _expanded(part, farthest, around)[above : above + last - first]
    return cells


@kernel("int32[:, ::1](int32[:, ::1], int64, int64)")
def _expanded(nuclei, farthest, around):
    """The nearest nucleus of every pixel, by squared distance, within AROUND either way.

    A candidate is one number, its distance in the upper half, its label in the lower: the smallest wins. The first two
    passes find the nearest one of each column, the third compares those of the columns around.
    """
    height, width = nuclei.shape
    step, none = np.int64(1) << 32, np.int64(1) << 62
    upper, row, best = np.full((height, width), none), np.full(width, none), np.empty(width, np.int64)
    cells = np.empty((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            row[x] = nuclei[y, x] if nuclei[y, x] else row[x] + step * (row[x] < none)
            upper[y, x] = row[x]
    row[:] = none
    column = np.empty(width + 2 * around, np.int64)
    column[:] = none
    for y in range(height - 1, -1, -1):
        for x in range(width):
            row[x] = nuclei[y, x] if nuclei[y, x] else row[x] + step * (row[x] < none)
            nearest = min(row[x], upper[y, x])
            far = nearest >> 32
            column[around + x] = none if far > around else (far * far << 32) | (nearest & (step - 1))
        best[:] = none
        for across in range(-around, around + 1):
            more = np.int64(across * across) << 32
            for x in range(width):
                best[x] = min(best[x], column[around + across + x] + more)
        for x in range(width):
            cells[y, x] = best[x] & (step - 1) if best[x] >> 32 <= farthest else 0
    return cells
