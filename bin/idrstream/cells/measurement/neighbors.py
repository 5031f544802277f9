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
    """Neighbours of every cell: cells whose pixels touch its own.

    labels   (Y, X) label image, 1 ... n without gaps
    others   (Y, X) label image of nuclei that only count as neighbours, 1 ... m without gaps
    returns  name -> (n,) float64: NumberOfNeighbors (sharing a side of a pixel), PercentTouching (of the outline's
             pixels), FirstClosestDistance and SecondClosestDistance (pixels, between centres), AngleBetweenNeighbors
             (degrees, between the directions of those two); 0 where there are fewer cells

    As cp_measure 0.3.0, measureobjectneighbors by "Adjacent"; but an angle of 180 degrees is never NaN by rounding.
    """
    cells = int(labels.max())
    labels = labels.astype(np.int64) + np.where(others, others + np.int64(cells), 0)
    count = int(labels.max())
    place = np.nonzero(labels)
    at_pixel = labels[place]
    padded = np.pad(labels, 1, constant_values=-1)  # the image's border is part of an outline
    outline, touching, pairs = np.zeros(len(at_pixel), bool), np.zeros(len(at_pixel), bool), []
    for y, x in AROUND:
        other = padded[place[0] + 1 + y, place[1] + 1 + x]
        outline |= other != at_pixel
        touches = (other > 0) & (other != at_pixel)
        touching |= touches
        if 0 in (y, x):
            pairs.append(at_pixel[touches] * (count + 1) + other[touches])
    pairs = np.unique(np.concatenate(pairs)) // (count + 1)
    pixels = np.bincount(at_pixel, minlength=count + 1)[1:]
    sums = [np.bincount(at_pixel, weights=coordinates, minlength=count + 1)[1:] for coordinates in place]
    centers = np.stack([total / pixels for total in sums], axis=1)
    first, second = _closest(centers)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    product = lengths[0] * lengths[1]
    cosine = (first * second).sum(axis=1) / np.where(product > 0, product, 1)
    outlines = np.bincount(at_pixel[outline], minlength=count + 1)[1:]
    features = {
        "AngleBetweenNeighbors": np.where(product > 0, np.degrees(np.arccos(np.clip(cosine, -1, 1))), 0),
        "FirstClosestDistance": lengths[0],
        "NumberOfNeighbors": np.bincount(pairs, minlength=count + 1)[1:].astype(float),
        "PercentTouching": np.bincount(at_pixel[touching], minlength=count + 1)[1:] * 100 / outlines,
        "SecondClosestDistance": lengths[1],
    }
    return {name: values[:cells] for name, values in features.items()}


def _closest(centers):
    """Two arrays (n, 2): from each centre to the closest other one and to the next; 0 where there is none."""
    count = len(centers)
    vectors = np.zeros((2, count, 2))
    if count > 1:
        _, nearest = scipy.spatial.cKDTree(centers).query(centers, k=min(3, count))
        others = nearest != np.arange(count)[:, None]
        others[others.all(axis=1), -1] = False  # two cells of one centre: either may stand first
        nearest = nearest[others].reshape(count, -1)
        for rank in range(nearest.shape[1]):
            vectors[rank] = centers[nearest[:, rank]] - centers
    return vectors
