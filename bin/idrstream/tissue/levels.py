"""Grey levels of a channel of a slide, streamed: what its contrast is chosen by, as if it were in memory.

Histograms of windows add up to that of the slide. Floats hardly repeat: of those only sixteen bits at a time are
counted, and the slide is read again for the next ones, within what the first ones left.
"""

import numpy as np

from idrstream.base.failures import NotFinite
from idrstream.cells import contrast
from idrstream.tissue.tiles import Box, grid

VERSION = 1  # raised when the contrast of a channel changes

AT_ONCE = 1024  # pixels a side that are read together
DIGIT = 16  # bits that are counted at once


def levels(read, shape, dtype):
    """contrast.Histogram, or the like of it, of a channel.

    read   function of a Box that returns (Y, X) pixels
    shape  (Y, X) of the slide
    dtype  of its pixels, any integer or float type
    """
    pieces = lambda: map(read, grid(Box(0, shape[0], 0, shape[1]), AT_ONCE))  # noqa: E731
    if np.dtype(dtype).kind == "f":
        return StreamedValues(pieces, np.dtype(dtype))
    if np.dtype(dtype).itemsize > 2 or np.dtype(dtype).kind == "i":
        return _of_distinct(pieces())
    counts = np.zeros(2 ** (8 * np.dtype(dtype).itemsize), np.int64)
    for piece in pieces():
        counts += np.bincount(piece.ravel(), minlength=len(counts))
    return contrast.Histogram(np.flatnonzero(counts), counts[counts > 0])


def _of_distinct(pieces):
    """contrast.Histogram of integers of a type too wide to have a place for each."""
    found, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for piece in pieces:
        more, times = np.unique(piece, return_counts=True)
        found, index = np.unique(np.concatenate([found, more.astype(np.int64)]), return_inverse=True)
        counts = np.bincount(index.ravel(), np.concatenate([counts, times]), len(found)).astype(np.int64)
    return contrast.Histogram(found, counts)


class StreamedValues:
    """What contrast.Values tells of floats, of a slide that is read as often as that takes.

    pieces  function that yields arrays, which make up the channel
    dtype   of them, a float type

    Raises NotFinite if a pixel is none.
    """

    def __init__(self, pieces, dtype):
        self._pieces, self._dtype, self._counted = pieces, dtype, {}
        self.total = int(self._counts(()).sum())

    def quantile(self, share):
        below, above, part = contrast.place(share, self.total)
        return contrast.between(self._value(below), self._value(above), part)

    spread = quantile

    def above(self, level):
        return float(sum(np.count_nonzero(piece > level) for piece in self._pieces()))

    def _value(self, rank):
        """The value that is RANK-th, from 0, of all in ascending order."""
        key = ()
        for _ in range(8 * self._dtype.itemsize // DIGIT):
            until = np.cumsum(self._counts(key))
            digit = int(np.searchsorted(until, rank, side="right"))
            rank -= int(until[digit - 1]) if digit else 0
            key = (*key, digit)
        return float(_unkeyed(key, self._dtype))

    def _counts(self, key):
        """(65536,) how many values whose key begins with KEY go on with each digit."""
        if key not in self._counted:
            counts = np.zeros(2**DIGIT, np.int64)
            for piece in self._pieces():
                if not np.isfinite(piece).all():
                    raise NotFinite("some pixels are no numbers (NaN), or infinite")
                counts += np.bincount(_next_digits(piece.ravel(), key), minlength=len(counts))
            self._counted[key] = counts
        return self._counted[key]


def _next_digits(values, key):
    """(k,) the digit after KEY in the keys of those values whose key begins with it.

    A key is an unsigned integer that is ordered as the floats are: all bits of a negative one turned, of others the
    first.
    """
    bits = 8 * values.dtype.itemsize
    found = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    first = found.dtype.type(1 << (bits - 1))
    found = np.where(found & first, ~found, found | first)
    for depth, digit in enumerate(key):
        found = found[(found >> (bits - DIGIT * (depth + 1))) & 0xFFFF == digit]
    return ((found >> (bits - DIGIT * (len(key) + 1))) & 0xFFFF).astype(np.int64)


def _unkeyed(key, dtype):
    """The float of a whole key."""
    bits = 8 * dtype.itemsize
    found = 0
    for digit in key:
        found = found << DIGIT | digit
    found = found ^ (1 << (bits - 1)) if found >> (bits - 1) else found ^ ((1 << bits) - 1)
    return np.array(found, f"u{dtype.itemsize}").view(dtype.newbyteorder("="))
