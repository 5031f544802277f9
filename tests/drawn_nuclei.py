"""Drawn nuclei, whose label image is known."""

import numpy as np

CENTRES = [(30, 40), (36, 110), (60, 180), (100, 60), (110, 130), (150, 30), (155, 95), (150, 190)]


def draw_nuclei(centres, radius=11, shape=(192, 224), dtype=np.uint16):
    """Blurred bright discs on a noisy ground, and their label image."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    grey, labels = np.zeros(shape), np.zeros(shape, np.int32)
    for number, (cy, cx) in enumerate(centres, start=1):
        distance = np.hypot(y - cy, x - cx)
        grey += 1 / (1 + np.exp((distance - radius) / 0.8))
        labels[distance <= radius] = number
    return (200 + 900 * grey + rng.normal(0, 15, shape)).clip(0).astype(dtype), labels
