"""Deep watershed of a whole image by scikit-image, to compare with."""

import numpy as np
from scipy import ndimage
from skimage import feature, measure, morphology, segmentation


def objects(distance, interior, settings, ranked=True):
    """(Y, X) int64 labels 1 ... n, before objects are finished.

    ranked  let no two pixels be equal: of equal ones the first, row by row, counts as higher; else scikit-image decides
    """
    distance = ndimage.gaussian_filter(distance, settings.maxima_smooth)
    interior = ndimage.gaussian_filter(interior, settings.interior_smooth)
    if settings.pixel_expansion:
        side = 2 * settings.pixel_expansion + 1
        interior = morphology.dilation(interior, np.ones((side, side)))
    inside, landscape = interior > settings.interior_threshold, _ranked(interior) if ranked else -interior
    return segmentation.watershed(landscape, measure.label(_middles(distance, settings)), mask=inside)


def finished(labels, settings):
    """(Y, X) int64 labels of `objects` once they are eroded, small ones dropped, and holes filled."""
    labels = labels.copy()
    for _ in range(settings.label_erosion):
        labels[segmentation.find_boundaries(labels, mode="inner")] = 0
    morphology.remove_small_objects(labels, max_size=settings.small_objects - 1, out=labels)
    if settings.fill_holes:
        for region in measure.regionprops(labels):
            y, x = region.slice
            around = np.pad(labels[y, x], settings.fill_holes)  # so that what lies outside is no hole
            filled = morphology.remove_small_holes(around == region.label, max_size=settings.fill_holes - 1)
            inner = filled[settings.fill_holes :, settings.fill_holes :][: y.stop - y.start, : x.stop - x.start]
            labels[y, x][inner & (labels[y, x] == 0)] = region.label
    return labels


def differing(labels, others):
    """Pixels of another object than that which most of their own object's pixels have in the other image."""
    numbers = np.unique(labels, return_inverse=True)[1].ravel()
    pairs, counts = np.unique(np.stack([numbers, others.ravel()]), axis=1, return_counts=True)
    most = np.zeros(numbers.max() + 1, int)
    np.maximum.at(most, pairs[0], counts)
    return numbers.size - int(most.sum())


def _middles(distance, settings):
    if settings.maxima_algorithm == "h_maxima":
        return morphology.h_maxima(distance, settings.maxima_threshold, footprint=morphology.disk(settings.radius))
    middles = np.zeros(distance.shape, int)
    how = {"min_distance": settings.radius, "threshold_abs": settings.maxima_threshold, "exclude_border": False}
    middles[tuple(feature.peak_local_max(distance, **how).T)] = 1
    return middles


def _ranked(interior):
    ranks = np.empty(interior.size, int)
    ranks[np.argsort(-interior, axis=None, kind="stable")] = np.arange(interior.size)
    return ranks.reshape(interior.shape)
