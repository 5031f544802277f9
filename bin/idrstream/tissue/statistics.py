"""Statistics of the grey levels of objects: mean, median, smallest, largest, standard deviation, variance.

An object's pixels lie side by side, those of a compartment within them, so that each is a slice. Sums of integers are
exact; the median is selected, not estimated. The deviation is that of a sample (n - 1), 0 for one pixel, as QuPath's.
"""

import numpy as np

from idrstream.base.kernels import kernel

NAMES = ("mean", "median", "min", "max", "sd", "variance")

# Grey levels are converted to one of these, without loss for integers of at most 53 bits -> what they add up in.
KINDS = {"uint16": "int64", "float32": "float64", "float64": "float64"}
BINS = 128  # that pixels are counted in to find those about the median
FEW = 24  # pixels: of no more the median is selected at once


def kind(dtype):
    """The type of KINDS, a NumPy dtype, that holds all grey levels of DTYPE."""
    return next(np.dtype(name) for name in KINDS if np.can_cast(dtype, name) or name == "float64")


def measure(values, begins, spans):
    """(n, s, len(NAMES)) float64 statistics of s slices of each of n objects; NaN of a slice without pixels.

    values  (k,) grey levels, of a type of KINDS; a slice with one that is NaN is not measured
    begins  (n, p + 1) int64: where in `values` the p pieces of each object begin, and where the last one ends
    spans   (s, 2) int64: the pieces, first and last excluded, that a slice is made of
    """
    statistics = np.empty((len(begins), len(spans), len(NAMES)))
    zero = np.zeros(1, KINDS[values.dtype.name])
    _measured(values, begins, np.asarray(spans, np.int64), zero, statistics)
    return statistics


@kernel([f"float64({kind}[::1], int64, int64)" for kind in KINDS])
def _select(values, count, rank):
    """The RANK-th, from 0, of the first COUNT of VALUES in ascending order; they are reordered (Hoare's selection)."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


@kernel([f"float64({kind}[::1], float64, float64, {kind}[::1], int32[::1])" for kind in KINDS])
def _median(values, low, high, close, counts):
    """The median of VALUES, which are from LOW to HIGH. CLOSE and COUNTS are room for as many, and for BINS numbers.

    Pixels are counted in bins of equal width; only those in the bins about the middle are ordered.
    """
    size = len(values)
    lower, upper = (size - 1) // 2, size // 2
    scale = (BINS - 1) / (high - low) if high > low else np.inf
    found, before = 0, 0
    if size <= FEW or not 0 < scale < np.inf:
        for value in values:
            close[found] = value
            found += 1
    else:
        counts[:] = 0
        for value in values:
            counts[int((value - low) * scale)] += 1
        first = 0
        while before + counts[first] <= lower:
            before += counts[first]
            first += 1
        last, until = first, before + counts[first]
        while until <= upper:
            last += 1
            until += counts[last]
        for value in values:
            place = int((value - low) * scale)
            close[found] = value
            found += (first <= place) & (place <= last)
    middle = _select(close, found, upper - before)
    if lower == upper:
        return middle
    below = float(close[0])
    for i in range(1, upper - before):
        below = max(below, float(close[i]))
    return (below + middle) / 2


@kernel(
    [
        f"void({kind}[::1], int64[:, ::1], int64[:, ::1], {exact}[::1], float64[:, :, ::1])"
        for kind, exact in KINDS.items()
    ]
)
def _measured(values, begins, spans, zero, statistics):
    """See `measure`; ZERO is a 0 of the type that grey levels add up in."""
    longest = 0
    for index in range(len(begins)):
        longest = max(longest, begins[index, -1] - begins[index, 0])
    close, counts, centre = np.empty(longest + 1, values.dtype), np.empty(BINS, np.int32), zero.copy()
    for index in range(len(begins)):
        for number in range(len(spans)):
            part = values[begins[index, spans[number, 0]] : begins[index, spans[number, 1]]]
            found = statistics[index, number]
            found[:] = np.nan
            size = len(part)
            if size == 0:
                continue
            total, low, high = zero[0], part[0], part[0]
            for value in part:
                total += value
                if value < low:
                    low = value
                if value > high:
                    high = value
            mean = total / size
            if np.isnan(mean):
                continue
            centre[0] = mean  # whole, if sums are
            squares, apart = zero[0], zero[0]
            for value in part:
                apart += value - centre[0]
                squares += (value - centre[0]) * (value - centre[0])
            variance = (squares - float(apart) * apart / size) / (size - 1) if size > 1 else 0.0
            found[0], found[2], found[3] = mean, low, high
            found[1] = _median(part, float(low), float(high), close, counts)
            found[4], found[5] = np.sqrt(max(variance, 0.0)), max(variance, 0.0)
