"""Nuclei out of a Cellpose network's flows: each pixel is followed to where it comes to rest, and those that rest
together are a nucleus.

The same masks as cellpose 3.1.1.3 makes on a CPU (dynamics.compute_masks, utils.fill_holes_and_remove_small_masks), at
less cost: a pixel that has come to rest, or that runs in a circle, is followed no further; and a nucleus whose flows
are checked is looked at in its own box. Two things are otherwise: masks that are too small go, and no others, where
cellpose, once flows have been refused, may take one for another; and of two seeds of one size that meet the later row
by row goes before, which cellpose leaves to the machine.

Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
"""

import fill_voids
import numpy as np
from numba import njit
from scipy import ndimage

STEP = 5  # flows are trained to this many times the way of a step
PADDING = 20  # pixels around the image, in which nothing rests: the windows of seeds reach there
APART = 5  # side in pixels in which a seed is the only one
LEAST = 10  # pixels: of no more that rest in one no seed is made
REACH = 5  # pixels that a nucleus's resting place reaches from its seed
MEMBER = 2  # pixels: of no more that rest in one it is no part of a resting place


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
    y, x = np.nonzero(probability > threshold)
    inside = (flows * (probability > threshold) / np.float32(STEP)).astype(np.float32)
    rest = _followed(inside, y.astype(np.float32), x.astype(np.float32), int(rounds))
    labels = np.zeros(probability.shape, np.int32)
    labels[y, x] = _together(rest.astype(np.int32), probability.shape)
    labels = in_order(labels).astype(np.int32)  # of two that lie in each other's holes the later goes before
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    too_large = sizes > largest * labels.size
    labels[too_large[labels]] = 0
    if flow_threshold > 0:
        wrong = np.flatnonzero(flow_errors(labels, flows) > flow_threshold) + 1
        labels[np.isin(labels, wrong)] = 0
    return _whole(labels, smallest), int(too_large.sum())


def in_order(labels):
    """Labels renumbered 1 … n in the order of their first pixels, row by row."""
    backwards = labels.ravel()[::-1]
    first = np.full(int(labels.max()) + 1, labels.size)
    first[backwards] = np.arange(labels.size - 1, -1, -1)  # the last that is written is the first pixel
    keep = first < labels.size
    keep[0] = False
    found = np.flatnonzero(keep)
    found = found[np.argsort(first[found])]
    table = np.zeros(len(first), np.uint16 if len(found) <= np.iinfo(np.uint16).max else np.uint32)
    table[found] = np.arange(1, len(found) + 1)
    return table[labels]


def flow_errors(labels, flows):
    """(n,) float64 mean square difference of the flows that masks 1 … n would have and those of the network; NaN for a
    number without mask."""
    errors = np.full(labels.max(), np.nan)
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is not None:
            inside = np.pad(labels[box] == index + 1, 1)
            y, x = np.nonzero(inside)
            nearest = ((x - x.mean()) ** 2 + (y - y.mean()) ** 2).argmin()
            heat = _diffused(inside.astype(np.float64), y[nearest], x[nearest], 2 * sum(inside.shape))
            own = np.stack([heat[y + 1, x] - heat[y - 1, x], heat[y, x + 1] - heat[y, x - 1]])
            own /= 1e-60 + (own**2).sum(axis=0) ** 0.5
            errors[index] = ((own - flows[(slice(None), *box)][:, y - 1, x - 1] / STEP) ** 2).mean(axis=1).sum()
    return errors


@njit(nogil=True)
def _followed(flows, starts_y, starts_x, rounds):
    """Where pixels are after so many steps: (2, n) float32.

    A place determines all that follow. So a pixel that comes back to a place where it was goes in a circle, whose whole
    rounds need not be gone: the answer is the same, to the bit. Brent 1980, doi:10.1007/BF01933190.
    """
    height, width = flows.shape[1:]
    rest = np.empty((2, len(starts_y)), np.float32)
    for i in range(len(starts_y)):
        y, x = starts_y[i], starts_x[i]
        before_y, before_x, since, until = y, x, 0, 1
        left, circling = rounds, False
        while left > 0:
            top, first = np.int32(y), np.int32(x)
            below, second = min(height - 1, top + 1), min(width - 1, first + 1)
            fy, fx = y - np.float32(top), x - np.float32(first)  # single, 1 - fy double precision: as cellpose has it
            step_y = np.float32(
                flows[0, top, first] * (1 - fy) * (1 - fx)
                + flows[0, top, second] * (1 - fy) * fx
                + flows[0, below, first] * fy * (1 - fx)
                + flows[0, below, second] * fy * fx
            )
            step_x = np.float32(
                flows[1, top, first] * (1 - fy) * (1 - fx)
                + flows[1, top, second] * (1 - fy) * fx
                + flows[1, below, first] * fy * (1 - fx)
                + flows[1, below, second] * fy * fx
            )
            y = min(np.float32(height - 1), max(np.float32(0), y + step_y))
            x = min(np.float32(width - 1), max(np.float32(0), x + step_x))
            left -= 1
            if circling:
                continue
            since += 1
            if y == before_y and x == before_x:
                left %= since
                circling = True
            elif since == until:
                before_y, before_x, since, until = y, x, 0, 2 * until
        rest[0, i], rest[1, i] = y, x
    return rest


def _together(rest, shape):
    """(n,) int32 number of the nucleus of each pixel that rests at REST, (2, n) int32; 0 where too few rest."""
    padded = np.minimum(np.maximum(rest + PADDING, 0), np.array(shape)[:, None] + PADDING - 1)
    counts = np.zeros([side + 2 * PADDING for side in shape], np.int32)
    np.add.at(counts, tuple(padded), 1)
    seeds = np.argwhere((counts == ndimage.maximum_filter(counts, APART, mode="constant")) & (counts > LEAST))
    seeds = seeds[np.argsort(counts[tuple(seeds.T)], kind="stable")]  # where two meet, the larger comes later and wins
    places = np.zeros(counts.shape, np.int32)
    for number, (y, x) in enumerate(seeds, 1):
        window = (slice(y - REACH, y + REACH + 1), slice(x - REACH, x + REACH + 1))
        seed = np.zeros((2 * REACH + 1, 2 * REACH + 1), bool)
        seed[REACH, REACH] = True
        member = counts[window] > MEMBER
        places[window][ndimage.binary_dilation(seed, np.ones((3, 3), bool), REACH, mask=member)] = number
    return places[tuple(padded)]


@njit(nogil=True)
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


def _whole(labels, smallest):
    """Masks without holes, numbered anew; without those of fewer pixels than SMALLEST, before or after."""
    sizes = np.bincount(labels.ravel())
    labels[(sizes < smallest)[labels]] = 0
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            labels[box][fill_voids.fill(labels[box] == number)] = number
    sizes = np.bincount(labels.ravel())  # one that lay in another's hole is gone, or smaller
    labels[(sizes < smallest)[labels]] = 0
    return labels
