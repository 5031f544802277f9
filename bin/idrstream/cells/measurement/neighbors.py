"""How near the other cells are, and how much of a cell's outline touches them."""

import numpy as np
import scipy.spatial

NAMES = (
    "AngleBetweenNeighbors",
    "FirstClosestDistance",
    "NumberOfNeighbors",
    "PercentTouching",
    "SecondClosestDistance",
)
AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def adjacent(labels, others=0):
    """Neighbours of every cell, where those are neighbours whose pixels touch.

    labels   (Y, X) label image, 1 ... n without gaps
    others   (Y, X) label image of nuclei, 1 ... m without gaps, that are nothing but neighbours
    returns  name -> (n,) float64: NumberOfNeighbors (sharing a side of a pixel), PercentTouching (of the outline's
             pixels), FirstClosestDistance and SecondClosestDistance (pixels, between centres), AngleBetweenNeighbors
             (degrees, between the directions of those two); 0 where there are not so many cells

    As cp_measure 0.3.0, measureobjectneighbors by "Adjacent"; but an angle of 180 degrees is never NaN by rounding.
    """
    cells = int(labels.max())
    labels = labels.astype(np.int64) + np.where(others, others + np.int64(cells), 0)
    count = int(labels.max())
    place = np.nonzero(labels)
    own = labels[place]
    padded = np.pad(labels, 1, constant_values=-1)  # the image's border is part of an outline
    outline, touching, pairs = np.zeros(len(own), bool), np.zeros(len(own), bool), []
    for y, x in AROUND:
        other = padded[place[0] + 1 + y, place[1] + 1 + x]
        outline |= other != own
        touches = (other > 0) & (other != own)
        touching |= touches
        if 0 in (y, x):
            pairs.append(own[touches] * (count + 1) + other[touches])
    pairs = np.unique(np.concatenate(pairs)) // (count + 1)
    pixels = np.bincount(own, minlength=count + 1)[1:]
    centers = np.stack([np.bincount(own, weights=at, minlength=count + 1)[1:] / pixels for at in place], axis=1)
    first, second = _closest(centers)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    product = lengths[0] * lengths[1]
    cosine = (first * second).sum(axis=1) / np.where(product > 0, product, 1)
    outlines = np.bincount(own[outline], minlength=count + 1)[1:]
    found = {
        "AngleBetweenNeighbors": np.where(product > 0, np.degrees(np.arccos(np.clip(cosine, -1, 1))), 0),
        "FirstClosestDistance": lengths[0],
        "NumberOfNeighbors": np.bincount(pairs, minlength=count + 1)[1:].astype(float),
        "PercentTouching": np.bincount(own[touching], minlength=count + 1)[1:] * 100 / outlines,
        "SecondClosestDistance": lengths[1],
    }
    return {name: values[:cells] for name, values in found.items()}


def _closest(centers):
    """Two arrays (n, 2): from each centre to the closest other one and to the next; 0 where there is none."""
    count = len(centers)
    vectors = np.zeros((2, count, 2))
    if count > 1:
        _, found = scipy.spatial.cKDTree(centers).query(centers, k=min(3, count))
        others = found != np.arange(count)[:, None]
        others[others.all(axis=1), -1] = False  # two cells of one centre: either may stand first
        nearest = found[others].reshape(count, -1)
        for rank in range(nearest.shape[1]):
            vectors[rank] = centers[nearest[:, rank]] - centers
    return vectors
