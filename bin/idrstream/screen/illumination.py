"""The flat-field of a plate or of an image by BaSiC, and whether it can be trusted.

A wrong field may look right: nuclei at the same positions in a few frames are taken for illumination. So the sparsest
frames are used, and a field is refused unless those fitted to the two halves of its frames agree.
"""

from collections import Counter
from typing import NamedTuple

import cv2
import numpy as np

from idrstream.images.frames import Frames
from idrstream.screen import basic, camera_offset

VERSION = 3  # raised when fields, estimated offsets or refusals change

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
    """There is no field, or it cannot be trusted; the message says why."""


class PlateField(NamedTuple):
    """A plate's flat-field.

    field     (Y, X) float32, mean 1
    used      indices of the frames it was fitted to, sparsest first
    halves    RMS of the ratio of the fields from two halves of them less 1
    left_out  index -> reason, of unsuitable candidates
    estimate  camera_offset.Estimate; None if the offset was given or could not be estimated
    unknown   why it could not be estimated, or ""
    """

    field: np.ndarray
    used: list
    halves: float
    left_out: dict
    estimate: object = None
    unknown: str = ""


class _Candidate(NamedTuple):
    """What decides whether a candidate is used."""

    shape: tuple
    finite: bool
    contrast: float = 0.0
    level: float = 0.0  # median above the offset, grey levels
    peak: float = 0.0  # highest grey level
    at_peak: float = 0.0  # share of the pixels that have it; 1: all


def fit(frames, offset=0.0):
    """Fit a flat-field.

    frames   list of 2 or more (Y, X), equal in shape, grey levels
    offset   grey levels that the camera gives without light
    returns  (Y, X) float32, mean 1

    BaSiC without a dark field, which it cannot distinguish from background light.

    Raises Refused if it did not converge or its range is implausible.
    """
    try:
        field = basic.flatfield(np.stack(frames).astype(np.float32) - np.float32(offset))
    except basic.NoField as reason:
        raise Refused(str(reason)) from reason
    low, high = float(field.min()), float(field.max())
    if not np.isfinite(field).all() or low < RANGE[0] or high > RANGE[1]:
        raise Refused(f"its range, {low:.2f} to {high:.2f}, is implausible")
    return field


def of_plate(frames, offset=0.0, origins=(), unwritten=()):
    """The field of a plate.

    frames     sequence of (Y, X), grey levels: candidates from several wells and times, each read when it is needed
    offset     grey levels that the camera gives without light; "auto": estimated from the nuclei
    origins    (well, time) of each candidate, which must agree about the offset
    unwritten  share of the pixels (0 to 1) of each candidate that were never written; empty: none
    returns    PlateField

    Raises Refused if there are too few usable candidates, the fit fails, or the halves disagree.
    """
    given = 0.0 if offset == "auto" else offset
    candidates = [_candidate(frame, given) for frame in frames]
    left_out = _unsuitable(candidates)
    left_out |= _incomplete(unwritten, left_out)
    alike = [i for i in range(len(candidates)) if i not in left_out]
    if len(alike) < FEWEST:
        why = f"; {len(left_out)} were left out, and one of them {next(iter(left_out.values()))}" if left_out else ""
        raise Refused(f"{FEWEST} frames of one size are needed, there are {len(alike)}{why}")
    used = sorted(alike, key=lambda i: candidates[i].contrast)[: min(max(FEWEST, len(alike) // SHARE), MOST)]
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


def _candidate(frame, offset):
    if not np.isfinite(frame).all():
        return _Candidate(frame.shape, False)
    peak, level = frame.max(), float(np.median(frame)) - offset
    return _Candidate(frame.shape, True, contrast(frame, offset), level, float(peak), float(np.mean(frame == peak)))


def _unsuitable(candidates):
    """Index -> reason, of the candidates that must not be used.

    A frame without light or without contrast would count as the sparsest of all.
    """
    reasons = {i: "has pixels that are no numbers" for i, frame in enumerate(candidates) if not frame.finite}
    sizes = Counter(frame.shape for frame in candidates if frame.finite)
    size = max(sizes, key=lambda shape: (sizes[shape], shape), default=None)
    alike = [frame for frame in candidates if frame.finite and frame.shape == size]
    peak = max((frame.peak for frame in alike), default=0.0)
    usual = float(np.median([frame.level for frame in alike])) if alike else 0.0
    for i, frame in enumerate(candidates):
        if frame.finite and frame.shape != size:
            reasons[i] = f"has {_pixels(frame.shape)} pixels, the others {_pixels(size)}"
        elif frame.at_peak == 1:
            reasons[i] = "has one grey level only"
        elif frame.finite and frame.peak == peak and frame.at_peak > SATURATED:
            reasons[i] = f"is saturated in {frame.at_peak:.0%} of its pixels"
        elif frame.finite and usual > 0 and frame.level < DARK * usual:
            reasons[i] = f"is dark: its median is {frame.level:.4g}, that of the others {usual:.4g}"
    return reasons


def _incomplete(unwritten, left_out):
    """Index -> reason, of the candidates with unwritten pixels; empty if too few others remain.

    left_out  indices of those that are unsuitable anyway
    """
    usable = {i: share for i, share in enumerate(unwritten) if i not in left_out}
    incomplete = {i: share for i, share in usable.items() if share > 0}
    if len(usable) - len(incomplete) < FEWEST:
        return {}
    return {i: f"lacks {100 * share:.3g}% of its pixels, which were never written" for i, share in incomplete.items()}


def _pixels(shape):
    return "x".join(map(str, shape))


def contrast(frame, offset=0.0):
    """Coefficient of variation of the grey levels above the offset: higher with more nuclei, whatever the light."""
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
