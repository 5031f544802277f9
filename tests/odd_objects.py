"""Label images whose objects are of every kind: with holes, in parts, at the border, of a single pixel."""

import numpy as np

import slides

SHAPE = 420, 450
FEWEST = 400  # objects of an image


def nuclei(seed=0):
    """(Y, X) int32, labels 1 ... n: discs that hide each other, pierced and cut; and single pixels."""
    labels = slides.crowded(SHAPE, 700, seed, (2, 12))
    random = np.random.default_rng(seed)
    labels[random.random(SHAPE) < 0.02] = 0
    labels[::37] = 0  # cut in two
    y, x = random.integers((0, 0), SHAPE, (40, 2)).T
    labels[y, x] = labels.max() + 1 + np.arange(40)
    return dense(labels)


def cells(nuclei, seed=0):
    """(Y, X) int32 with the labels of NUCLEI, as a network might find them: most hold their nucleus, none all of it."""
    random = np.random.default_rng(seed)
    down, across = random.integers(-2, 3, 2)
    labels = np.roll(nuclei, (down, across), (0, 1))
    for axis, way in (0, 1), (0, -1), (1, 1), (1, -1):
        beside = np.roll(labels, way, axis)
        labels = np.where(labels == 0, beside, labels)
    labels[np.isin(labels, np.arange(3, labels.max() + 1, 29))] = 0  # nuclei without a cell
    labels[random.random(SHAPE) < 0.01] = 0
    return labels.astype(np.int32)


def dense(labels):
    """The labels that have pixels numbered 1 ... n, in their order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def masks(nuclei, cells, label):
    """Compartment -> (Y, X) bool of an object, by their definitions."""
    beside = np.zeros(cells.shape, bool)
    for axis in 0, 1:
        differs = np.diff(cells, axis=axis) != 0
        pad = ((0, 1), (0, 0)) if axis == 0 else ((0, 0), (0, 1))
        beside |= np.pad(differs, pad) | np.pad(differs, [side[::-1] for side in pad])
    nucleus, cell = nuclei == label, cells == label
    return {"nucleus": nucleus, "cytoplasm": cell & ~nucleus, "membrane": cell & beside, "cell": cell}
