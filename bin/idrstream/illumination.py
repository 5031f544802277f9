"""The flat-field of a plate or of an image by BaSiC, and whether it can be trusted.

A field can be wrong and look fine: nuclei that lie at the same places in a few frames are taken for illumination. So
the sparsest frames are used, and a field is refused unless the two halves of its frames agree.
"""

import logging
from collections import Counter

import cv2
import numpy as np
from basicpy import BaSiC

logging.getLogger("basicpy").setLevel(logging.ERROR)  # what it warns of is judged here

VERSION = 1  # raised when fields change, or which of them are refused

FEWEST = 4  # frames: two for each half
SHARE = 3  # of the frames fetched for a plate, the sparsest third is used
AGREEMENT = (
    0.05  # RMS of the halves' ratio: 0.003 to 0.007 for right fields of real plates, 0.14 and more for wrong ones
)
RANGE = 0.2, 3.0  # of mean 1: no lens is worse


class Refused(Exception):
    """No field, or one that cannot be trusted; the message says why."""


def fit(frames, offset=0.0):
    """Fit a flat-field.

    frames   list of 2 or more (Y, X), equal in shape, grey levels
    offset   grey levels that the camera gives without light
    returns  (Y, X) float32, mean 1

    BaSiC (Peng et al. 2017, doi:10.1038/ncomms14836), basicpy 2.0.0, its defaults, without a dark field, which it
    cannot tell from background light. On the CPU: a field is the same whether there is a GPU or not.

    Raises Refused if it did not converge or its range is implausible.
    """
    basic = BaSiC(device="cpu")
    try:
        basic.fit(np.stack(frames).astype(np.float32) - np.float32(offset))
    except (RuntimeError, ValueError) as reason:  # what torch and BaSiC say of frames without light
        raise Refused(f"BaSiC failed ({reason})") from reason
    field = basic.flatfield / basic.flatfield.mean()
    low, high = float(field.min()), float(field.max())
    if not np.isfinite(field).all() or low < RANGE[0] or high > RANGE[1]:
        raise Refused(f"its range, {low:.2f} to {high:.2f}, is implausible")
    if not basic._converge_flag:
        raise Refused("BaSiC did not converge")
    return field.astype(np.float32)


def of_plate(frames, offset=0.0):
    """The field of a plate.

    frames   list of (Y, X), grey levels: candidates from several wells and times; those of the commonest size count
    offset   grey levels that the camera gives without light
    returns  (Y, X) float32, mean 1; indices of the frames used, sparsest first; RMS of the ratio of the fields from two
             halves of them less 1

    Raises Refused if there are too few such frames, the fit fails, or the halves disagree.
    """
    sizes = Counter(frame.shape for frame in frames)
    size = max(sizes, key=lambda shape: (sizes[shape], shape), default=None)
    alike = [i for i, frame in enumerate(frames) if frame.shape == size]
    if len(alike) < FEWEST:
        raise Refused(f"{FEWEST} frames of one size are needed, there are {len(alike)}")
    used = sorted(alike, key=lambda i: contrast(frames[i], offset))[: max(FEWEST, len(alike) // SHARE)]
    field = fit([frames[i] for i in used], offset)
    halves = [fit([frames[i] for i in used[start::2]], offset) for start in (0, 1)]
    disagreement = float(np.sqrt(np.mean((halves[0] / halves[1] - 1) ** 2)))
    if not disagreement <= AGREEMENT:
        raise Refused(f"the fields from two halves of {len(used)} frames differ by {disagreement:.1%} (RMS)")
    return field, used, disagreement


def contrast(frame, offset=0.0):
    """Coefficient of variation of the grey levels above the offset: the more nuclei, the higher, whatever the light."""
    light = frame.astype(np.float32) - np.float32(offset)
    return float(light.std() / max(light.mean(), 1e-6))


def picture(field):
    """(Y, X, 3) uint8 of a field, at most 512 pixels wide: grey from 0.5 to 1.5, with a contour line every 0.05."""
    small = cv2.resize(field, (512, round(512 * field.shape[0] / field.shape[1])), interpolation=cv2.INTER_AREA)
    grey = np.clip((small - 0.5) * 255, 0, 255).astype(np.uint8)
    steps = np.floor(small / 0.05)
    edge = np.zeros(small.shape, bool)
    edge[:, 1:] |= steps[:, 1:] != steps[:, :-1]
    edge[1:] |= steps[1:] != steps[:-1]
    return np.where(edge[..., None], np.array([230, 159, 0], np.uint8), grey[..., None])
