"""BaSiC (Peng et al. 2017, doi:10.1038/ncomms14836): the field of light that a few frames have in common.

Frame i is ``level_i * field + residual_i``. The field is smooth: few of its cosine coefficients are not 0. Residuals,
the nuclei, are sparse: few of their pixels are not 0. Both are found by minimising

    smoothness * sum |cosine coefficients of the field| + sum |weights * residuals|

with an augmented Lagrangian whose penalty grows, then again with less weight on pixels of large residual, until the
field settles. Constants are those of BaSiCPy 2.0.0, which a test compares with. There is no dark field.
"""

import numpy as np
from scipy.fft import dctn, idctn

SIDE = 128  # pixels to which a frame is reduced
ROUNDS, SETTLED = 10, 1e-2  # of weighting; the mean change of the field, of its mean, that ends them
STEPS, EXACT = 500, 1e-3  # of a round; what may remain unexplained, of the norm of the frames
PENALTY, GROWTH, HIGHEST = 12.5, 1.5, 1e7  # at first, over the frames' spectral norm; a step; of the first
SMOOTHNESS = 1 / 800  # of the sum of the mean frame's coefficients
EPSILON = 0.1  # of the level of a frame: residuals well below it weigh alike


class NoField(Exception):
    """There is no field; the message says why."""


@np.errstate(divide="ignore", invalid="ignore")  # of frames without light, which have no field
def flatfield(frames):
    """The field of frames.

    frames   (n, Y, X), grey levels above the camera's offset
    returns  (Y, X) float32, mean 1

    Raises NoField if the frames have no light in common, or ROUNDS do not suffice.
    """
    down, right = map(_reduction, frames.shape[1:])
    small = np.stack([down @ frame @ right.T for frame in frames])
    mean = small.mean(axis=0)
    if not np.isfinite(mean).all() or mean.mean() == 0:
        raise NoField("the frames have no light, or pixels that are no numbers")
    norm = np.linalg.norm(small.reshape(len(small), -1), 2)
    smoothness = SMOOTHNESS * np.abs(dctn(mean / mean.mean(), norm="ortho")).sum()
    weights, before = np.ones_like(small), 0
    for _ in range(ROUNDS):
        background, residual, exact = _split(small, weights, smoothness, PENALTY / norm)
        field = background.mean(axis=0)
        if field.mean() == 0:
            raise NoField("the frames have no light in common")
        field /= field.mean()
        if np.abs(field - before).sum() <= SETTLED * np.abs(before).sum():
            break
        levels = background.mean(axis=(1, 2), keepdims=True) + 1e-6  # a frame's may be 0
        weights = 1 / (np.abs(residual) / levels + EPSILON)
        weights, before = weights / weights.mean(), field
    else:
        if not exact:
            raise NoField("BaSiC did not converge")
    down, right = map(_enlargement, frames.shape[1:])
    field = down @ field @ right.T
    return (field / field.mean()).astype(np.float32)


def _split(frames, weights, smoothness, penalty):
    """FRAMES, (n, y, x), as background (levels times one field) and residual, and whether these explain them."""
    levels = frames.mean(axis=(1, 2), keepdims=True) / frames.mean()
    coefficients = dctn(np.ones(frames.shape[1:], frames.dtype), norm="ortho")
    background, residual, multiplier = levels * np.ones_like(frames), 0, np.zeros_like(frames)
    highest, allowed = HIGHEST * penalty, EXACT * np.linalg.norm(frames)
    for _ in range(STEPS):
        remainder = (frames - residual - background + multiplier / penalty).mean(axis=0)
        coefficients = _shrunk(coefficients + dctn(remainder, norm="ortho"), smoothness / penalty)
        field = idctn(coefficients, norm="ortho")
        residual = _shrunk(frames - levels * field + multiplier / penalty, weights / penalty)
        light = frames - residual
        levels = (light.mean(axis=(1, 2), keepdims=True) / light.mean()).clip(0)
        background = levels * field
        remainder = light - background
        if np.linalg.norm(remainder) <= allowed:
            return background, residual, True
        multiplier = multiplier + penalty * remainder
        penalty = min(penalty * GROWTH, highest)
    return background, residual, False


def _shrunk(values, by):
    """VALUES nearer to 0 BY as much, but not beyond."""
    return np.sign(values) * np.maximum(np.abs(values) - by, 0)


def _reduction(length):
    """(SIDE, LENGTH) weights of the pixels of an axis: triangles, so that each pixel counts."""
    scale = (length - 1) / (SIDE - 1)
    return _triangles(scale * (np.arange(SIDE) + 0.5) - 0.5, length, max(scale, 1))


def _enlargement(length):
    """(LENGTH, SIDE) weights, linear between the first and the last pixel."""
    return _triangles(np.linspace(0, SIDE - 1, length), SIDE, 1)


def _triangles(places, count, reach):
    weights = (1 - np.abs(np.arange(count) - places[:, None]) / reach).clip(0)
    return weights / weights.sum(axis=1, keepdims=True)
