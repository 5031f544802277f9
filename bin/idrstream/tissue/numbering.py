"""Nuclei of a slide numbered 1 … n in the order of their first pixels, row by row, as if it were in one piece."""

import numpy as np


def table(first, sizes, smallest):
    """The label of every nucleus: (n + 1,) uint32, 0 for those that are none.

    first, sizes  as `facts` has them
    smallest      pixels: nuclei that have fewer, since another took what it enclosed, go
    """
    kept = np.flatnonzero(sizes >= max(smallest, 1))
    labels = np.zeros(len(first), np.uint32)
    labels[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return labels


def facts(count, parts):
    """(COUNT + 1,) int64 each: the first pixel of every nucleus, y * width of the slide + x, and its pixels.

    count  nuclei that the slide's sinks make
    parts  labelling.Part of every tile, in any order
    """
    first, sizes = np.full(count + 1, np.iinfo(np.int64).max), np.zeros(count + 1, np.int64)
    for part in parts:
        first[part.numbers] = np.minimum(first[part.numbers], part.first)
        sizes[part.numbers] += part.pixels
    return first, sizes
