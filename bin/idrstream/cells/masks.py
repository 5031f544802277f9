"""Nuclei out of a Cellpose network's flows: each pixel is followed to where it comes to rest, and those that rest
together are a nucleus.

Three steps, each of which needs only a window of the image: `follow` finds where pixels come to rest; `seeds` groups
these places into nuclei by their numbers of pixels, which are sums over all windows; `finish` judges a nucleus in any
window that shows all of it, and fills its holes. Coordinates are those of the image, so the labels do not depend on the
windows, to the pixel. `from_flows` takes all steps in one window.

The masks are those of cellpose 3.1.1.3 on a CPU (dynamics.compute_masks, utils.fill_holes_and_remove_small_masks), at
less cost: a pixel that has come to rest, or moves in a circle, is followed no further; and the flows of a nucleus are
checked in its bounding box. Three deliberate differences: only masks below the smallest size are removed (after its
flow check cellpose can remove the wrong one); of touching seeds of equal size the one that comes later, row by row,
wins (undefined in cellpose); and a pixel that two masks enclose belongs to the larger one.

Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
"""

from typing import NamedTuple

import fill_voids
import numpy as np

from idrstream.base.kernels import kernel

STEP = 5  # flows are trained to this many times the way of a step
APART = 5  # side in pixels in which a seed is the only one
LEAST = 10  # pixels: of no more that rest in one no seed is made
REACH = 5  # pixels that a nucleus's resting place reaches from its seed
MEMBER = 2  # pixels: of no more that rest in one it is no part of a resting place


class Sinks(NamedTuple):
    """Where pixels come to rest. Those of windows add up to those of the image (`add`).

    places  (n,) int64, ascending: y * width of the image + x
    counts  (n,) int64 pixels that rest there
    boxes   (n, 4) int32 y0, y1, x0, x1 around these pixels, ends excluded
    """

    places: np.ndarray
    counts: np.ndarray
    boxes: np.ndarray


class Nuclei(NamedTuple):
    """What of an image's sinks belongs together.

    places   (k,) int64, ascending: sinks that belong to a nucleus
    numbers  (k,) int32 the nucleus of each, 1 … n
    sizes    (n + 1,) int64 pixels of each nucleus, 0 first
    boxes    (n + 1, 4) int32 y0, y1, x0, x1 around its pixels, ends excluded
    """

    places: np.ndarray
    numbers: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray

    def of(self, rest):
        """(n,) int32 nucleus of pixels that rest at (n,) places; 0 for none."""
        if not len(self.places):
            return np.zeros(len(rest), np.int32)
        index = np.minimum(np.searchsorted(self.places, rest), len(self.places) - 1)
        return np.where(self.places[index] == rest, self.numbers[index], 0).astype(np.int32)


class Limits(NamedTuple):
    """Which nuclei stay.

    flow_threshold  those whose own flows differ more from the network's (mean square) go; 0 keeps all
    smallest        pixels: smaller ones go
    largest         pixels: larger ones go
    """

    flow_threshold: float = 0.4
    smallest: int = 15
    largest: float = np.inf


class Canvas:
    """The label image of a box of the image, on which nuclei are laid, in any order.

    y0, y1, x0, x1  the box, ends excluded
    """

    def __init__(self, y0, y1, x0, x1):
        self.box = y0, y1, x0, x1
        self.labels = np.zeros((y1 - y0, x1 - x0), np.int32)
        self._around = np.zeros(self.labels.shape, np.int64)  # pixels of the nucleus that encloses this one, if any

    def lay(self, number, mask, top, left):
        """Lay nucleus NUMBER: MASK, (Y, X) bool, whose first pixel is at TOP, LEFT of the image; its holes are filled.

        A nucleus takes what it encloses, also of other nuclei; of two that enclose a pixel the larger has it.
        """
        filled = fill_voids.fill(mask)
        y0, y1, x0, x1 = self.box
        above, before = max(y0 - top, 0), max(x0 - left, 0)
        shown = slice(above, max(y1 - top, 0)), slice(before, max(x1 - left, 0))
        height, width = filled[shown].shape
        part = slice(top + above - y0, top + above - y0 + height), slice(left + before - x0, left + before - x0 + width)
        around = np.where(mask[shown], 0, int(filled.sum()))
        labels, others = self.labels[part], self._around[part]
        taken = filled[shown] & (
            (labels == 0) | (around > others) | ((around == others) & (around > 0) & (number < labels))
        )
        labels[taken], others[taken] = number, around[taken]


def from_flows(flows, probability, rounds, threshold=0.0, flow_threshold=0.4, smallest=15, largest=1.0):
    """Masks of an image.

    flows           (2, Y, X) float32, y and x, as the network gives them
    probability     (Y, X) float32 logits of "nucleus"
    rounds          steps that a pixel goes at most
    threshold       pixels of a larger logit belong to nuclei
    flow_threshold  masks whose own flows differ more from the network's (mean square) go; 0 keeps all
    smallest        pixels: smaller masks go
    largest         share of the image: larger masks go (0.4 in cellpose)
    returns         (Y, X) int32, 0 is background; how many masks were larger than LARGEST
    """
    shape = probability.shape
    inside = probability > threshold
    y, x = np.nonzero(inside)
    rest = follow(flows, inside, y, x, rounds, shape)
    nuclei = seeds(sinks(rest, y, x), shape)
    numbers = np.zeros(shape, np.int32)
    numbers[y, x] = nuclei.of(rest)
    limits = Limits(flow_threshold, smallest, largest * numbers.size)
    canvas = Canvas(0, shape[0], 0, shape[1])
    finish(canvas, np.arange(1, len(nuclei.sizes)), nuclei, numbers, flows, limits)
    sizes = np.bincount(canvas.labels.ravel())  # one that lay in another's hole is gone, or smaller
    canvas.labels[(sizes < smallest)[canvas.labels]] = 0
    return canvas.labels, int((nuclei.sizes > limits.largest).sum())


def follow(flows, inside, y, x, rounds, shape, origin=(0, 0)):
    """Where pixels come to rest.

    flows    (2, Y, X) float32, y and x, of a window of the image, as the network gives them
    inside   (Y, X) bool: pixels of nuclei; the flows of others count as 0
    y, x     (n,) pixels of the image that lie in the window
    rounds   steps that a pixel goes at most
    shape    (Y, X) of the image
    origin   (y, x) of the window's first pixel
    returns  (n,) int64 places, y * width of the image + x; -1 of a pixel that leaves the window
    """
    steps = np.ascontiguousarray(flows * inside, np.float32)
    steps /= np.float32(STEP)
    return _followed(steps, *origin, *shape, y.astype(np.int32), x.astype(np.int32), int(rounds))


def sinks(rest, y, x):
    """Sinks of pixels (y, x), (n,) each, that rest at (n,) places."""
    boxes = np.stack([y, y + 1, x, x + 1], axis=1).astype(np.int32)
    return _together(rest, np.ones(len(rest), np.int64), boxes)


def add(parts):
    """Sinks of an image, of those of its windows, in any order; no pixel is in two of them."""
    parts = list(parts)
    empty = Sinks(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4), np.int32))
    return _together(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def seeds(sinks, shape):
    """Nuclei of an image of SHAPE (Y, X), of all its sinks. They are numbered as their seeds lie, row by row."""
    peaks = np.flatnonzero(_peaks(sinks.places, sinks.counts, *shape))
    peaks = peaks[np.argsort(sinks.counts[peaks], kind="stable")]  # where two meet, the larger comes later and wins
    owners = _owners(sinks.places, sinks.counts, peaks, *shape)
    owned = owners >= 0
    owners, numbers = np.unique(owners[owned], return_inverse=True)
    numbers = (numbers.ravel() + 1).astype(np.int32)
    nuclei = _together(numbers.astype(np.int64), sinks.counts[owned], sinks.boxes[owned])
    sizes, boxes = np.zeros(len(owners) + 1, np.int64), np.zeros((len(owners) + 1, 4), np.int32)
    sizes[1:], boxes[1:] = nuclei.counts, nuclei.boxes
    return Nuclei(sinks.places[owned], numbers, sizes, boxes)


def finish(canvas, wanted, nuclei, numbers, flows, limits, origin=(0, 0)):
    """Lay onto CANVAS those of the nuclei WANTED, numbers, that stay.

    nuclei   Nuclei of the image
    numbers  (Y, X) int32 nucleus of each pixel of a window, 0 for none
    flows    (2, Y, X) float32 of the same window, as the network gives them
    origin   (y, x) of the window's first pixel
    returns  list of the nuclei of which the window does not show every pixel: they are not judged
    """
    incomplete = []
    for number in wanted:
        size = nuclei.sizes[number]
        if not limits.smallest <= size <= limits.largest:
            continue
        top, bottom, left, right = nuclei.boxes[number].tolist()
        box = slice(max(top - origin[0], 0), bottom - origin[0]), slice(max(left - origin[1], 0), right - origin[1])
        mask = numbers[box] == number
        if np.count_nonzero(mask) != size:
            incomplete.append(int(number))
        elif not (limits.flow_threshold > 0 and flow_error(mask, flows[(slice(None), *box)]) > limits.flow_threshold):
            canvas.lay(number, mask, top, left)
    return incomplete


def in_order(labels):
    """Labels renumbered 1 … n in the order of their first pixels, row by row."""
    backwards = labels.ravel()[::-1]
    first = np.full(int(labels.max()) + 1, labels.size)
    first[backwards] = np.arange(labels.size - 1, -1, -1)  # the last that is written is the first pixel
    keep = first < labels.size
    keep[0] = False
    old = np.flatnonzero(keep)
    old = old[np.argsort(first[old])]
    table = np.zeros(len(first), np.uint16 if len(old) <= np.iinfo(np.uint16).max else np.uint32)
    table[old] = np.arange(1, len(old) + 1)
    return table[labels]


def flow_error(mask, flows):
    """Mean square difference of the flows that a mask, (Y, X) bool, would have and those of the network, (2, Y, X)."""
    inside = np.pad(mask, 1)
    y, x = np.nonzero(inside)
    nearest = ((x - x.mean()) ** 2 + (y - y.mean()) ** 2).argmin()
    heat = _diffused(inside.astype(np.float64), y[nearest], x[nearest], 2 * sum(inside.shape))
    ideal = np.stack([heat[y + 1, x] - heat[y - 1, x], heat[y, x + 1] - heat[y, x - 1]])
    ideal /= 1e-60 + (ideal**2).sum(axis=0) ** 0.5
    return ((ideal - flows[:, y - 1, x - 1] / STEP) ** 2).mean(axis=1).sum()


@kernel("int64[::1](float32[:, :, ::1], int64, int64, int64, int64, int32[::1], int32[::1], int64)")
def _followed(steps, top, left, height, width, starts_y, starts_x, rounds):
    """Where pixels are after so many steps: (n,) int64 places of an image of HEIGHT and WIDTH.

    A place determines all that follow. So a pixel that comes back to a place where it was goes in a circle, whose whole
    rounds need not be gone: the answer is the same, to the bit. Brent 1980, doi:10.1007/BF01933190.
    """
    rows, columns = steps.shape[1:]
    rest = np.empty(len(starts_y), np.int64)
    for i in range(len(starts_y)):
        y, x = np.float32(starts_y[i]), np.float32(starts_x[i])
        before_y, before_x, since, until = y, x, 0, 1
        remaining, circling = rounds, False
        while remaining > 0:
            first_y, first_x = np.int32(y), np.int32(x)
            a, b = first_y - top, min(height - 1, first_y + 1) - top
            c, d = first_x - left, min(width - 1, first_x + 1) - left
            if a < 0 or c < 0 or b >= rows or d >= columns:
                break
            fy, fx = y - np.float32(first_y), x - np.float32(first_x)  # single, 1 - fy double: as cellpose has it
            step_y = np.float32(
                steps[0, a, c] * (1 - fy) * (1 - fx)
                + steps[0, a, d] * (1 - fy) * fx
                + steps[0, b, c] * fy * (1 - fx)
                + steps[0, b, d] * fy * fx
            )
            step_x = np.float32(
                steps[1, a, c] * (1 - fy) * (1 - fx)
                + steps[1, a, d] * (1 - fy) * fx
                + steps[1, b, c] * fy * (1 - fx)
                + steps[1, b, d] * fy * fx
            )
            y = min(np.float32(height - 1), max(np.float32(0), y + step_y))
            x = min(np.float32(width - 1), max(np.float32(0), x + step_x))
            remaining -= 1
            if circling:
                continue
            since += 1
            if y == before_y and x == before_x:
                remaining %= since
                circling = True
            elif since == until:
                before_y, before_x, since, until = y, x, 0, 2 * until
        rest[i] = np.int64(y) * width + np.int64(x) if remaining == 0 else -1
    return rest


def _together(places, counts, boxes):
    """Sinks with each place once: counts added, boxes joined."""
    if not len(places):
        return Sinks(places, counts, boxes)
    order = np.argsort(places, kind="stable")
    places, counts, boxes = places[order], counts[order], boxes[order]
    first = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    starts, ends = np.minimum.reduceat(boxes[:, ::2], first), np.maximum.reduceat(boxes[:, 1::2], first)
    boxes = np.stack([starts[:, 0], ends[:, 0], starts[:, 1], ends[:, 1]], axis=1)
    return Sinks(places[first], np.add.reduceat(counts, first), boxes)


@kernel("int64(int64[::1], int64)")
def _at(places, place):
    """Index of a place among (n,) ascending ones; -1 if it is none of them."""
    index = np.searchsorted(places, place)
    return index if index < len(places) and places[index] == place else -1


@kernel("boolean[::1](int64[::1], int64[::1], int64, int64)")
def _peaks(places, counts, height, width):
    """(n,) whether a sink makes a seed: more than LEAST pixels rest in it, and in none around it more."""
    around = APART // 2
    peaks = np.zeros(len(places), np.bool_)
    for i in range(len(places)):
        peaks[i] = counts[i] > LEAST
        if peaks[i]:
            y, x = places[i] // width, places[i] % width
            for beside in range(max(y - around, 0), min(y + around + 1, height)):
                for across in range(max(x - around, 0), min(x + around + 1, width)):
                    other = _at(places, beside * width + across)
                    if other >= 0 and counts[other] > counts[i]:
                        peaks[i] = False
    return peaks


@kernel("int64[::1](int64[::1], int64[::1], int64[::1], int64, int64)")
def _owners(places, counts, peaks, height, width):
    """(n,) index of the seed that each sink belongs to, -1 for none; of PEAKS that meet in one the last has it."""
    side = 2 * REACH + 1
    owners = np.full(len(places), -1, np.int64)
    at = np.empty((side + 2, side + 2), np.int64)  # indices of the sinks around a seed, with a margin of none
    for peak in peaks:
        y, x = places[peak] // width, places[peak] % width
        at[:] = -1
        for i in range(side):
            for j in range(side):
                beside, across = y + i - REACH, x + j - REACH
                if 0 <= beside < height and 0 <= across < width:
                    other = _at(places, beside * width + across)
                    if other >= 0 and counts[other] > MEMBER:
                        at[i + 1, j + 1] = other
        grown = np.zeros(at.shape, np.bool_)
        grown[REACH + 1, REACH + 1] = True
        for _ in range(REACH):
            before = grown.copy()
            for i in range(1, side + 1):
                for j in range(1, side + 1):
                    if at[i, j] >= 0 and before[i - 1 : i + 2, j - 1 : j + 2].any():
                        grown[i, j] = True
        for i in range(1, side + 1):
            for j in range(1, side + 1):
                if grown[i, j]:
                    owners[at[i, j]] = peak
    return owners


@kernel("float64[:, ::1](float64[:, ::1], int64, int64, int64)")
def _diffused(inside, y, x, rounds):
    """What a spring of 1 a round at (Y, X) has spread to within a mask, float64 of 0 and 1 with a margin of 0."""
    heat, after = np.zeros_like(inside), np.zeros_like(inside)
    height, width = inside.shape
    for _ in range(rounds):
        heat[y, x] += 1
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                total = heat[i, j] + heat[i - 1, j] + heat[i + 1, j] + heat[i, j - 1] + heat[i, j + 1]
                total += heat[i - 1, j - 1] + heat[i - 1, j + 1] + heat[i + 1, j - 1] + heat[i + 1, j + 1]
                after[i, j] = 1 / 9.0 * total * inside[i, j]
        heat, after = after, heat
    return heat
