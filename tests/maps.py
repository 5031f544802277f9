"""Made maps of a network for deep watershed: the inner distance and the interior of objects, (Y, X) float32 each."""

import importlib.util
from functools import cache

import numpy as np
from scipy import ndimage

from support import DATA

MAKER = DATA / "tissue/make_slide.py"


def random(shape, seed=1):
    """Objects of many sizes everywhere, so that one connected region covers the slide; its interior is above 0.3."""
    noise = np.random.default_rng(seed).normal
    coarse, fine = (_between_0_and_1(ndimage.gaussian_filter(noise(size=shape), sigma)) for sigma in (6, 2.5))
    distance = _between_0_and_1(coarse + 0.4 * fine).astype(np.float32)
    return distance, ndimage.gaussian_filter(distance, 2).astype(np.float32)


def noise(shape, seed=1):
    """No objects: every pixel by itself."""
    distance = np.random.default_rng(seed).random(shape, np.float32)
    return distance, distance.copy()


def real(shape, seed=1):
    """Of real nuclei, as a network would give them, with its noise. Needs MAKER."""
    truth, draw = _truth(shape), np.random.default_rng(seed).normal
    edges = np.zeros(shape, bool)
    across, down = truth[:, 1:] != truth[:, :-1], truth[1:] != truth[:-1]
    edges[:, 1:], edges[:, :-1] = across, across
    edges[:, :-1] |= across
    edges[:, 1:] |= across
    edges[1:] |= down
    edges[:-1] |= down
    far = ndimage.distance_transform_edt((truth > 0) & ~edges)
    distance = far / (far + 6) + 0.01 * ndimage.gaussian_filter(draw(size=shape), 1)
    interior = np.clip((truth > 0) * 0.9 + 0.05 * draw(size=shape), 0, 1)
    return distance.astype(np.float32), interior.astype(np.float32)


@cache
def _truth(shape):
    spec = importlib.util.spec_from_file_location("make_slide", MAKER)
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker.Slide(DATA / "nuclei", shape).truth(0, shape[0], 0, shape[1])


def _between_0_and_1(image):
    return (image - image.min()) / (image.max() - image.min())
