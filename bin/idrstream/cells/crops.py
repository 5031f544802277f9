"""Crops around cells, and what all embedders share: how crops are cut, masked and scaled, and how features are checked.

Crops are cut by the rule of DeepProfiler, the same at commit 2fb3ed3 (which IDR_stream pinned) and in 0.5.1:
TensorFlow's `crop_and_resize` on coordinates that are normalised by the image's size. How crops are scaled
differs: RULES, by the names that `--crop_rule` takes.
"""

import click
import numpy as np

BOX = 128  # pixels around a cell's centre, DeepProfiler's setting in IDR_stream
EPSILON = np.float32(1e-7)  # Keras' own, which DeepProfiler adds to a crop's range


class NotFinite(click.ClickException):
    """A cell has features that are no numbers."""


def check(name, labels, features):
    """Raise NotFinite, naming the image and the first such cell, where features are NaN or infinite.

    name      of the image
    labels    (n,) of the cells
    features  (n, features)
    """
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise NotFinite(f"{name}: cell {labels[~finite][0]} has features that are no numbers (NaN or infinite)")


def crop(image, centers, box=BOX):
    """Square crops around centres that need not fall on a pixel.

    image    (Y, X) any integer or float type, grey levels
    centers  (n, 2) (y, x) in pixels, origin at the centre of pixel (0, 0)
    box      side in pixels
    returns  (n, box, box) float32, grey levels; 0 outside the image

    The box runs from centre - box/2 to centre + box/2 in coordinates normalised by height and width, which TensorFlow
    maps back by height - 1 and width - 1 and samples at `box` points, both ends included: so the step is
    box / (box - 1) * (height - 1) / height pixels and not 1 (1.0069 for 128 of 1024).
    """
    image = np.asarray(image, dtype=np.float32)
    rows, row_weights, row_inside = _neighbours(np.asarray(centers)[:, 0], image.shape[0], box)
    columns, column_weights, column_inside = _neighbours(np.asarray(centers)[:, 1], image.shape[1], box)
    crops = np.empty((len(rows), box, box), dtype=np.float32)
    for i in range(len(rows)):
        upper, lower = image[rows[i, 0]], image[rows[i, 1]]
        weight = column_weights[i]
        top = upper[:, columns[i, 0]] * (1 - weight) + upper[:, columns[i, 1]] * weight
        bottom = lower[:, columns[i, 0]] * (1 - weight) + lower[:, columns[i, 1]] * weight
        crops[i] = top + (bottom - top) * row_weights[i][:, None]
        crops[i] *= row_inside[i][:, None] & column_inside[i]
    return crops


def around(image, centers, labels=None, numbers=None):
    """The crops that a network is to see: (n, BOX, BOX) float32, grey levels.

    image    (Y, X) grey levels
    centers  (n, 2) (y, x) in pixels
    labels   (Y, X) label image: pixels of cells other than the crop's are set to 0. None: crops stay as they are
    numbers  (n,) label of each cell, with `labels`
    """
    boxes = crop(image, centers)
    if labels is not None:
        boxes[others(labels, numbers, centers)] = 0
    return boxes


def others(labels, numbers, centers, box=BOX):
    """Where the crops show another cell, by the pixel that is nearest to each sample: (n, box, box) bool.

    labels   (Y, X) label image, 0 is background
    numbers  (n,) label of the cell that each crop shows
    centers  (n, 2) (y, x) in pixels
    """
    samples = [_samples(np.asarray(centers)[:, axis], labels.shape[axis], box) for axis in (0, 1)]
    rows, columns = (
        np.clip(np.floor(place + 0.5), 0, length - 1).astype(np.intp)
        for (place, _), length in zip(samples, labels.shape, strict=True)
    )
    sampled = labels[rows[:, :, None], columns[:, None, :]]
    inside = samples[0][1][:, :, None] & samples[1][1][:, None, :]
    return inside & (sampled != 0) & (sampled != np.asarray(numbers)[:, None, None])


def padded(centers, shape, box=BOX):
    """Share of each crop's pixels that lie outside the image, and are 0 for that: (n,) float32.

    centers  (n, 2) (y, x) in pixels
    shape    (Y, X) of the image
    """
    rows, columns = (_samples(np.asarray(centers)[:, axis], shape[axis], box)[1].mean(axis=1) for axis in (0, 1))
    return (1 - rows * columns).astype(np.float32)


def resize(crops, size):
    """Bilinear resize without half-pixel centres (TensorFlow 1's rule): sample i lies at i * old / new.

    crops    (n, Y, X) float32
    size     new side in pixels
    returns  (n, size, size) float32
    """
    old = crops.shape[-1]
    if size == old:
        return crops
    place = np.arange(size, dtype=np.float32) * np.float32(old / size)
    low = place.astype(np.intp)
    high = np.minimum(low + 1, old - 1)
    weight = (place - low).astype(np.float32)
    wide = crops[:, :, low] + (crops[:, :, high] - crops[:, :, low]) * weight
    return wide[:, low] + (wide[:, high] - wide[:, low]) * weight[:, None]


def scale(crops):
    """Each crop by itself from its own minimum and maximum to -1 and 1; a constant crop becomes 0.

    So deep features do not see absolute intensity. Where IDR_stream divided by 0 for a constant crop, this does not; a
    pixel that is no number makes the whole crop so, which `check` then finds.
    """
    low = crops.min(axis=(1, 2), keepdims=True)
    span = crops.max(axis=(1, 2), keepdims=True) - low
    return np.where(span != 0, (crops - low) / np.where(span != 0, span, 1) * 2 - 1, 0).astype(np.float32)


def unit(crops):
    """Each crop by itself from its own minimum and maximum to 0 and 1, as DeepProfiler 0.5.1 does it."""
    low = crops.min(axis=(1, 2), keepdims=True)
    return (crops - low) / (crops.max(axis=(1, 2), keepdims=True) - low + EPSILON)


# From (n, BOX, BOX) grey levels to what a network sees, whose side is asked for in pixels.
RULES = {
    "idrstream": lambda crops, size: scale(resize(crops, size)),  # -1 to 1
    "deepprofiler": lambda crops, size: resize(unit(crops), size),  # 0 to 1
}


def _samples(centers, length, box):
    """Along one axis: (n, box) places of the samples in pixels, float32, and whether they lie inside the image."""
    centers = centers.astype(np.float64)  # rounded once, with the box, as DeepProfiler rounds them
    start = (centers - box / 2).astype(np.float32) / np.float32(length)
    stop = (centers + box / 2).astype(np.float32) / np.float32(length)
    step = (stop - start) * np.float32(length - 1) / np.float32(box - 1)
    place = start[:, None] * np.float32(length - 1) + np.arange(box, dtype=np.float32) * step[:, None]
    return place, (place >= 0) & (place <= length - 1)


def _neighbours(centers, length, box):
    """Along one axis: (n, 2, box) neighbouring pixels, (n, box) weights of the second, (n, box) inside the image."""
    place, inside = _samples(centers, length, box)
    low = np.clip(np.floor(place), 0, length - 1).astype(np.intp)
    high = np.clip(np.ceil(place), 0, length - 1).astype(np.intp)
    return np.stack([low, high], axis=1), (place - low).astype(np.float32), inside
