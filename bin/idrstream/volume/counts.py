"""What scores are made of: how many voxels of a slab are of a class or not, by grey level of its probability.

Counts of slabs add up to those of a volume, whatever the slabs; every threshold's scores follow from them (`scores`).
"""

import numpy as np

from idrstream.volume.scores import KINDS, LEVELS

VERSION = 1  # of what is counted

PIECE = 1 << 18  # voxels that are worked on at a time: what is made of them stays in a core's cache


def count(probabilities, truth, inside, scored, classes=None):
    """Count the voxels of a slab whose truth is known.

    probabilities  (k, z, y, x) uint8, round(255 p) of k classes
    truth          (z, y, x) int16: a voxel's class, 0 for background, -1 where nobody knows (`truth.merged`)
    inside         (z, y, x) bool, voxels of the sample
    scored         (z, y, x) bool, those of them that every metric mask has; others of it do not count
    classes        (k) their numbers; None: 1 to k
    returns        (k, 2, 2, 256) int64: class; kind as in KINDS; not of the class or of it; grey level

    Raises ValueError if the shapes differ.
    """
    if not probabilities.shape[1:] == truth.shape == inside.shape == scored.shape:
        shapes = probabilities.shape, truth.shape, inside.shape, scored.shape
        raise ValueError(f"probabilities, truth, inside and scored have the shapes {shapes}")
    classes = range(1, len(probabilities) + 1) if classes is None else classes
    counts = np.zeros((len(probabilities), len(KINDS), 2, LEVELS), np.int64)
    rows = max(1, PIECE // max(1, truth.shape[1] * truth.shape[2]))
    for first in range(0, len(truth), rows):
        piece = slice(first, first + rows)
        _add(counts, classes, probabilities[:, piece], truth[piece], inside[piece], scored[piece])
    return counts


def _add(counts, classes, probabilities, truth, inside, scored):
    """Add the voxels of a piece, each to a bin of its class's histogram: (kind, of the class or not, grey level)."""
    known = inside & (truth >= 0)
    group = known.astype(np.uint16)  # 0: not counted, 1: in the sample alone, 2: scored as well
    group += known & scored
    group <<= 9
    for total, number, probability in zip(counts, classes, probabilities, strict=True):
        code = (truth == number).astype(np.uint16)
        code <<= 8
        code |= probability
        code |= group
        _, sample, zone = np.bincount(code.ravel(), minlength=6 * LEVELS).reshape(3, 2, LEVELS)
        total += np.stack([sample + zone, zone])
