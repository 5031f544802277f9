"""Haralick's texture features of all cells of an image at once.

The pairs of grey levels of all cells are counted by one sort, and the features are sums over the pairs there are, where
cp_measure makes a matrix of 256 x 256 a cell. Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314.
"""

import numpy as np
import skimage.util

SCALE = 3  # pixels between the two of a pair
LEVELS = 256
FEWEST = 8  # grey levels of a cell: with fewer its texture depends on the range, not on the cell
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))  # (y, x), CellProfiler's 00 to 03
NAMES = (
    "AngularSecondMoment",
    "Contrast",
    "Correlation",
    "Variance",
    "InverseDifferenceMoment",
    "SumAverage",
    "SumVariance",
    "SumEntropy",
    "Entropy",
    "DifferenceVariance",
    "DifferenceEntropy",
    "InfoMeas1",
    "InfoMeas2",
)


def haralick(labels, image):
    """Texture features of every cell.

    labels   (Y, X) label image, 1 ... n without gaps
    image    (Y, X) float64; below 0 counts as 0, above 1 as 1
    returns  (n, len(DIRECTIONS), len(NAMES)) float64; NaN for a cell without a pair in one of the directions, and for
             one of fewer than FEWEST grey levels

    As cp_measure 0.3.0, get_texture: pairs with grey level 0 do not count.
    """
    grey, count = _grey(image), int(labels.max())
    place = np.nonzero((labels > 0) & (grey > 0))
    cells, levels = labels[place].astype(np.int64) - 1, grey[place]
    brightest = np.zeros(count, np.int64)
    np.maximum.at(brightest, cells, levels)
    features = np.empty((count, len(DIRECTIONS), len(NAMES)))
    for direction, step in enumerate(DIRECTIONS):
        other = [at + SCALE * by for at, by in zip(place, step, strict=True)]
        inside = np.logical_and.reduce([(at >= 0) & (at < side) for at, side in zip(other, labels.shape, strict=True)])
        other = tuple(at[inside] for at in other)
        pair = (labels[other] == cells[inside] + 1) & (grey[other] > 0)
        ends = levels[inside][pair], grey[other][pair]
        features[:, direction] = _features(cells[inside][pair], np.minimum(*ends), np.maximum(*ends), brightest)
    features[np.isnan(features).any(axis=(1, 2)) | (occupied(labels, image) < FEWEST)] = np.nan
    return features


def occupied(labels, image):
    """(n,) int64: how many of the LEVELS above 0 the pixels of each cell have; arguments as of `haralick`."""
    place = np.nonzero(labels)
    present = np.zeros((int(labels.max()) + 1, LEVELS), bool)
    present[labels[place], _grey(image)[place]] = True
    return present[1:, 1:].sum(axis=1)


def clipped(labels, image):
    """(n,) int64: how many pixels of each cell are below 0 or above 1; arguments as of `haralick`."""
    return np.bincount(labels[(image < 0) | (image > 1)], minlength=int(labels.max()) + 1)[1:]


def _grey(image):
    return skimage.util.img_as_ubyte(np.clip(image, 0, 1)).astype(np.int64)


def _features(cells, low, high, brightest):
    """(n, len(NAMES)) features of pairs of grey levels, LOW <= HIGH, of CELLS. A pair counts once in either order."""
    count = len(brightest)
    keys, times = np.unique((cells * LEVELS + low) * LEVELS + high, return_counts=True)
    cell, low, high = keys // LEVELS**2, keys // LEVELS % LEVELS, keys % LEVELS
    pairs = np.bincount(cells, minlength=count)
    orders = np.where(low == high, 1, 2)  # in how many places of the matrix the pair stands
    share = times / (pairs[cell] * orders)  # what stands in each of them

    def total(values):
        return np.bincount(cell, weights=orders * values, minlength=count).astype(
            float
        )  # integers where there is no pair

    def spread(*where):
        """Shares by cell and by a number from 0 to 511, over either order."""
        keys = np.concatenate([cell * 2 * LEVELS + number for number in where])
        weights = np.tile(orders * share / len(where), len(where))
        return np.bincount(keys, weights=weights, minlength=count * 2 * LEVELS).reshape(count, -1).astype(float)

    number = np.arange(2 * LEVELS)
    level, plus, minus = spread(low, high), spread(low + high), spread(high - low)
    mean, sum_mean = level @ number, plus @ number
    variance = (level * (number - mean[:, None]) ** 2).sum(axis=1)
    product = total(share * low * high)
    entropy, level_entropy = -total(share * np.log2(share)), _entropy(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        features = [
            total(share**2),
            minus @ number**2,
            np.where(variance == 0, 1, (product - mean**2) / variance),
            variance,
            total(share / (1 + (high - low) ** 2)),
            sum_mean,
            (plus * (number - sum_mean[:, None]) ** 2).sum(axis=1),
            _entropy(plus),
            entropy,
            (minus**2).sum(axis=1) / (brightest + 1) - 1 / (brightest + 1) ** 2,  # over the levels up to the brightest
            _entropy(minus),
            (entropy - 2 * level_entropy) / np.where(level_entropy == 0, 1, level_entropy),
            np.sqrt(np.maximum(1 - np.exp(-2 * (2 * level_entropy - entropy)), 0)),
        ]
    return np.where(pairs[:, None] > 0, np.stack(features, axis=1), np.nan)


def _entropy(shares):
    return -(shares * np.log2(shares, where=shares > 0, out=np.zeros_like(shares))).sum(axis=1)
