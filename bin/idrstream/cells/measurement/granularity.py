"""Granularity: how much light a cell loses when bright grains up to a size are taken away (Ravkin & Temov 1988).

CellProfiler erodes the image by one pixel more at each step, rebuilds what is left of it under the image, and looks at
how much is missing. Here one max-tree of the image takes the place of sixteen rebuilt images. Its nodes are the
connected regions at or above a level. A region outlives the step k if a diamond of radius k fits into it; the rebuilt
image has at each pixel the highest level of the regions around it that outlive the step. The values are the same to the
last bit; only the means over the cells are summed in another order.
"""

import numpy as np
import scipy.ndimage
import scipy.sparse
import skimage.morphology

STEP = 4  # subsampling 0.25, of the image, and again for its background
RADIUS = 10  # pixels of the subsampled background: what is larger is no grain
LENGTH = 16  # steps of the spectrum
LEAST = 3  # pixels of the subsampled image, to either side: what a max-tree takes


def spectrum(labels, image):
    """The granular spectrum of every cell, per cent of its mean.

    labels   (Y, X) label image, 1 ... n without gaps
    image    (Y, X) float64, 0 to 1
    returns  (n, LENGTH) float64; NaN where the image is too small to be subsampled

    As cp_measure 0.3.0, get_granularity, with its defaults.
    """
    count = int(labels.max())
    small = [length // STEP for length in image.shape]
    if min(small) < LEAST:
        return np.full((count, LENGTH), np.nan)
    sampled = image[::STEP, ::STEP][: small[0], : small[1]]
    grains = np.maximum(sampled - _background(sampled), 0)
    mean_of = _mean_of_cells(labels, small)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    start = np.bincount(labels.ravel(), weights=image.ravel(), minlength=count + 1)[1:] / pixels
    means = np.concatenate([start[:, None], mean_of(_rebuilt(grains))], axis=1)
    return -np.diff(means, axis=1) * 100 / np.maximum(start, np.finfo(float).eps)[:, None]


def _background(image):
    """What a disk of RADIUS fits into, found on every fourth pixel."""
    sampled = image[::STEP, ::STEP]
    disk = skimage.morphology.disk(RADIUS, dtype=bool)
    # Outside the image is nothing. CellProfiler's mirror comes to the same, for a disk that reaches a mirrored pixel
    # reaches the pixel itself; but scipy mirrors images of two pixels wrongly.
    opened = skimage.morphology.erosion(sampled, disk, mode="ignore")
    opened = skimage.morphology.dilation(opened, disk, mode="ignore")
    place = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    for axis, length in enumerate(image.shape):
        place[axis] *= (length / STEP - 1) / (length - 1)
    return scipy.ndimage.map_coordinates(opened, place, order=1)


def _rebuilt(image):
    """The image eroded k times by a cross and rebuilt under itself: (pixels, LENGTH), k = 1 ... LENGTH."""
    parent, _ = skimage.morphology.max_tree(image, connectivity=1)
    parent, values = parent.ravel(), image.ravel()
    lasts = _lasts(image, parent)
    # A pixel stands for the region at its level. Where that does not outlive a step, the next larger one that outlives
    # more does: one look-up a step, for a region is never outlived by one inside it.
    above = parent[_tops(np.where(lasts[parent] == lasts, parent, np.arange(parent.size)))]
    region, rebuilt = np.arange(parent.size), np.empty((parent.size, LENGTH))
    for step in range(1, LENGTH + 1):
        region = np.where(lasts[region] < step, above[region], region)
        rebuilt[:, step - 1] = values[region]
    return rebuilt


def _lasts(image, parent):
    """The last step that the region of each pixel outlives."""
    order = np.argsort(image, axis=None, kind="stable")
    rank = np.empty(image.size, np.int64)
    rank[order] = np.arange(image.size)
    darkest = rank.reshape(image.shape)
    lasts = np.zeros(image.size, np.int64)
    for step in range(1, LENGTH + 1):
        darkest = _eroded(darkest)
        lasts[order[darkest]] = step  # the darkest pixel of a diamond stands for the region that the diamond just fits
    # And so does every region around it. Parents' parents: as many rounds as the tree's depth has binary digits.
    while True:
        np.maximum.at(lasts, parent, lasts)
        further = parent[parent]
        if np.array_equal(further, parent):
            return lasts
        parent = further


def _eroded(image):
    """The minimum of a pixel and its four neighbours; outside the image is nothing."""
    least = image.copy()
    for later, earlier in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        np.minimum(least[later], image[earlier], out=least[later])
        np.minimum(least[earlier], image[later], out=least[earlier])
    return least


def _tops(chain):
    while True:
        further = chain[chain]
        if np.array_equal(further, chain):
            return chain
        chain = further


def _mean_of_cells(labels, small):
    """A function from (pixels of the small image, k) to (cells, k): the means over the cells at their full size.

    To enlarge bilinearly and to take a mean are both linear: together they are one sparse matrix.
    """
    count, pixels = int(labels.max()), np.bincount(labels.ravel(), minlength=int(labels.max()) + 1)[1:]
    place = np.nonzero(labels)
    cell = labels[place] - 1
    low, high, weight, inside = [], [], [], np.ones(len(cell), bool)
    for axis in (0, 1):
        at = place[axis] * ((small[axis] - 1) / (labels.shape[axis] - 1))
        inside &= at <= small[axis] - 1  # rounding may put the last row outside, where CellProfiler sees 0
        low.append(np.minimum(at.astype(np.int64), small[axis] - 1))
        high.append(np.minimum(low[axis] + 1, small[axis] - 1))
        weight.append(at - low[axis])
    corners = [(low[0], 1 - weight[0]), (high[0], weight[0])]
    corners = [(y, x, a * b) for y, a in corners for x, b in ((low[1], 1 - weight[1]), (high[1], weight[1]))]
    entries = [(w[inside], (cell[inside], (y * small[1] + x)[inside])) for y, x, w in corners]
    shape = (count, small[0] * small[1])
    enlarged = sum(scipy.sparse.coo_array(part, shape=shape).tocsr() for part in entries)
    return lambda image: (enlarged @ image) / pixels[:, None]
