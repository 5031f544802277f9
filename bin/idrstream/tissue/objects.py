"""What is known of the nuclei, or the cells, of a slide without their pixels: label, place, size."""

from typing import NamedTuple

import numpy as np

FILE = "objects.npz"


class Objects(NamedTuple):
    """The objects of a layer, in ascending order of their labels.

    labels  (n,) uint32, above 0
    boxes   (n, 4) int64 y0, y1, x0, x1, ends excluded: each holds all pixels of its object, and may be larger
    first   (n,) int64 the first pixel of each, y * width of the slide + x
    pixels  (n,) int64 of each
    """

    labels: np.ndarray
    boxes: np.ndarray
    first: np.ndarray
    pixels: np.ndarray


def of(labels, boxes, first, pixels):
    """Objects of raw numbers 0 ... n.

    labels         (n + 1,) uint32 label of each, 0 for those that are no objects
    boxes          (n + 1, 4)
    first, pixels  (n + 1,)
    """
    numbers = np.flatnonzero(labels)
    numbers = numbers[np.argsort(labels[numbers])]
    columns = (np.asarray(column, np.int64)[numbers] for column in (boxes, first, pixels))
    return Objects(labels[numbers].astype(np.uint32), *columns)
