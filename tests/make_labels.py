"""Label images of cells that lie as cells lie, and the grey levels that they were found in."""

import numpy as np
import scipy.ndimage


def crowd(seed=0, shape=(200, 260), count=60):
    """Labels and intensities of an image in which cells touch each other and the border; some are one pixel."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint16)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for label in range(1, count + 1):
        cy, cx, a, b, angle = *random.uniform((0, 0), shape), *random.uniform(0.4, 14, 2), random.uniform(0, 3)
        along, across = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle), (x - cx) * np.cos(angle)
        labels[(along / a) ** 2 + ((across - (y - cy) * np.sin(angle)) / b) ** 2 <= 1] = label
    smooth = scipy.ndimage.gaussian_filter(random.random(shape), 2)
    pixels = (labels > 0) * 0.3 + (smooth - smooth.min()) * 2 + random.random(shape) * 0.05
    return labels, np.round(pixels * 255) / 255
