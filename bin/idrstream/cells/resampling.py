"""A window of a resized image, without the rest of it.

The samples are those of cv2.resize (INTER_LINEAR, OpenCV 4.11) of the whole image, to the bit but for its last columns,
which OpenCV rounds as the processor's vectors happen to end: coordinates in double precision from the middle of a
pixel, weights in single, and each of three interpolations rounded once.
"""

import numpy as np

from idrstream.base.kernels import kernel

AXIS = "int64[::1], int64[::1], float32[::1]"  # what a kernel is given of an axis: see `_between`


def resized(image, origin, size, to, box):
    """Rows y0 to before y1, columns x0 to before x1 of an image of SIZE (Y, X) that is resized to TO (Y, X).

    image    (Y, X) float32, a window of the image, that holds what `needed` says
    origin   (y, x) of the window's first pixel
    box      y0, y1, x0, x1
    returns  (y1 - y0, x1 - x0) float32
    """
    y0, y1, x0, x1 = box
    above, below, down = _between(y0, y1, size[0], to[0], origin[0])
    before, behind, across = _between(x0, x1, size[1], to[1], origin[1])
    return _sampled(np.ascontiguousarray(image), above, below, down, before, behind, across)


def needed(size, to, box):
    """y0, y1, x0, x1 of the pixels of an image of SIZE that a window BOX of it needs, once it is resized to TO."""
    edges = []
    for axis, (first, end) in enumerate((box[:2], box[2:])):
        low, high, _ = _between(first, end, size[axis], to[axis], 0)
        edges += [int(low[0]), int(high[-1]) + 1]
    return tuple(edges)


def _between(first, end, size, to, origin):
    """Indices of the two pixels that each sample lies between, from ORIGIN, and the part of the way, float32."""
    place = (np.arange(first, end) + 0.5) * (size / to) - 0.5
    low = np.floor(place).astype(np.int64)
    part = (place - low).astype(np.float32)
    part[(low < 0) | (low >= size - 1)] = 0
    low = np.clip(low, 0, size - 1)
    return low - origin, np.minimum(low + 1, size - 1) - origin, part


@kernel("float32(float32, float32, float32)")
def _on_the_way(start, end, part):
    """As a fused multiplication and addition rounds it: the difference to single precision, the rest once."""
    return np.float32(np.float64(np.float32(end - start)) * np.float64(part) + np.float64(start))


@kernel(f"float32[:, ::1](float32[:, ::1], {AXIS}, {AXIS})")
def _sampled(image, above, below, down, before, behind, across):
    samples = np.empty((len(above), len(before)), np.float32)
    for i in range(len(above)):
        for j in range(len(before)):
            top = _on_the_way(image[above[i], before[j]], image[above[i], behind[j]], across[j])
            bottom = _on_the_way(image[below[i], before[j]], image[below[i], behind[j]], across[j])
            samples[i, j] = _on_the_way(top, bottom, down[i])
    return samples
