"""The flat-field of a plate or of an image by BaSiC, and whether it can be trusted.

A field can be wrong and look fine: nuclei that lie at the same places in a few frames are taken for illumination. So
the sparsest frames are used, and a field is refused unless the two halves of its frames agree.
"""

import logging
from collections import Counter
from typing import NamedTuple

import cv2
import numpy as np
from basicpy import BaSiC

from idrstream.images.frames import Frames
from idrstream.screen import camera_offset

logging.getLogger("basicpy").setLevel(logging.ERROR)  # what it warns of is judged here

VERSION = 2  # raised when fields or estimated offsets change, or which fields are refused

FEWEST = 4  # frames: two for each half
SHARE = 3  # of the frames fetched for a plate, the sparsest third is used ...
MOST = 8  # ... but no more than these
AGREEMENT = (
    0.05  # RMS of the halves' ratio: 0.003 to 0.007 for right fields of real plates, 0.14 and more for wrong ones
)
RANGE = camera_offset.DARKEST, 3.0  # of mean 1: no lens is worse
SATURATED = 0.1  # share of a frame's pixels at its plate's highest grey level, above which it is left out
DARK = 0.5  # share of its plate's usual level, below which a frame is left out


class Refused(Exception):
    """No field, or one that cannot be trusted; the message says why."""


class PlateField(NamedTuple):
    """A plate's flat-field.

    field     (Y, X) float32, mean 1
    used      indices of the frames it was fitted to, sparsest first
    halves    RMS of the ratio of the fields from two halves of them less 1
    left_out  index -> reason, of candidates that were no good
    estimate  camera_offset.Estimate; None if the offset was given, or is not known
    unknown   why it is not known, or ""
    """

    field: np.ndarray
    used: list
    halves: float
    left_out: dict
    estimate: object = None
    unknown: str = ""


class _Look(NamedTuple):
    shape: tuple
    finite: bool
    contrast: float = 0.0
    level: float = 0.0  # median above the offset, grey levels
    peak: float = 0.0  # highest grey level
    at_peak: float = 0.0  # share of the pixels that have it; 1: there is no other


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


def of_plate(frames, offset=0.0, origins=(), unwritten=()):
    """The field of a plate.

    frames     sequence of (Y, X), grey levels: candidates from several wells and times, each read whenever it is needed
    offset     grey levels that the camera gives without light; "auto": estimated from the nuclei
    origins    (well, time) of each candidate, which must agree about the offset
    unwritten  share of the pixels (0 to 1) of each candidate that were never written, and are no light; empty: none
    returns    PlateField

    Raises Refused if there are too few usable candidates, the fit fails, or the halves disagree.
    """
    given = 0.0 if offset == "auto" else offset
    looks = [_look(frame, given) for frame in frames]
    left_out = _odd(looks)
    left_out |= _in_part(unwritten, left_out)
    alike = [i for i in range(len(looks)) if i not in left_out]
    if len(alike) < FEWEST:
        why = f"; of {len(left_out)} left out one {next(iter(left_out.values()))}" if left_out else ""
        raise Refused(f"{FEWEST} frames of one size are needed, there are {len(alike)}{why}")
    used = sorted(alike, key=lambda i: looks[i].contrast)[: min(max(FEWEST, len(alike) // SHARE), MOST)]
    field = fit([frames[i] for i in used], given)
    halves = [fit([frames[i] for i in used[start::2]], given) for start in (0, 1)]
    estimate, unknown = None, ""
    if offset == "auto":
        try:
            estimate = camera_offset.estimate(
                Frames(frames.__getitem__, alike),
                field,
                used=[alike.index(i) for i in used],
                origins=[origins[i] for i in alike] if origins else (),
            )
            field, *halves = (camera_offset.true_field(fitted, estimate.ratio) for fitted in (field, *halves))
        except camera_offset.Unknown as reason:
            unknown = str(reason)
    disagreement = float(np.sqrt(np.mean((halves[0] / halves[1] - 1) ** 2)))
    if not disagreement <= AGREEMENT:
        raise Refused(f"the fields from two halves of {len(used)} frames differ by {disagreement:.1%} (RMS)")
    return PlateField(field, used, disagreement, left_out, estimate, unknown)


def _look(frame, offset):
    """What of a candidate decides whether it is used."""
    if not np.isfinite(frame).all():
        return _Look(frame.shape, False)
    peak, level = frame.max(), float(np.median(frame)) - offset
    return _Look(frame.shape, True, contrast(frame, offset), level, float(peak), float(np.mean(frame == peak)))


def _odd(looks):
    """Index -> reason, of the candidates that must not take part, wherever they stand.

    One without light or without contrast would pass for the sparsest of all.
    """
    odd = {i: "has pixels that are no numbers" for i, look in enumerate(looks) if not look.finite}
    sizes = Counter(look.shape for look in looks if look.finite)
    size = max(sizes, key=lambda shape: (sizes[shape], shape), default=None)
    alike = [look for look in looks if look.finite and look.shape == size]
    peak = max((look.peak for look in alike), default=0.0)
    usual = float(np.median([look.level for look in alike])) if alike else 0.0
    for i, look in enumerate(looks):
        if look.finite and look.shape != size:
            odd[i] = f"has {_pixels(look.shape)} pixels, the others {_pixels(size)}"
        elif look.at_peak == 1:
            odd[i] = "has one grey level only"
        elif look.finite and look.peak == peak and look.at_peak > SATURATED:
            odd[i] = f"is saturated in {look.at_peak:.0%} of its pixels"
        elif look.finite and usual > 0 and look.level < DARK * usual:
            odd[i] = f"is dark: its median is {look.level:.4g}, that of the others {usual:.4g}"
    return odd


def _in_part(unwritten, left_out):
    """Index -> reason, of the candidates that were not written whole; none where too few others are left.

    left_out  indices of those that are no good anyway
    """
    usable = {i: share for i, share in enumerate(unwritten) if i not in left_out}
    in_part = {i: share for i, share in usable.items() if share > 0}
    if len(usable) - len(in_part) < FEWEST:
        return {}
    return {i: f"lacks {100 * share:.3g}% of its pixels, which were never written" for i, share in in_part.items()}


def _pixels(shape):
    return "x".join(map(str, shape))


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
