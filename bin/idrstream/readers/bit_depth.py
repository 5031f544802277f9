"""The bit depth of a plate: what its files state, or what its reference frames need.

A camera of 12 bits writes files of 16, and its images fill a sixteenth of that range. A plate has one depth, so that
its wells stay comparable; it depends on the reference frames alone. Floats have no depth: they are from 0 to 1, unless
`--bit_depth` states that they are grey levels.
"""

import re
from typing import NamedTuple

import numpy as np

from idrstream.base.failures import OutOfRange

AUTO = "auto"
DEPTHS = (8, 10, 12, 14, 16)  # bits of the cameras there are
WIDEST = DEPTHS[-1]  # of a plate of which no reference frame can be used


def text(depth):
    """The range of grey levels, by the param, as the plan shows it."""
    if depth != AUTO:
        return f"grey levels of {depth} bits (--bit_depth)"
    few = ", ".join(map(str, DEPTHS))
    return f"bit depth: what a plate's files state, otherwise the smallest of {few} that fits its reference frames"


def fitting(highest):
    """The fewest bits of DEPTHS that hold a grey level; None where none do."""
    return next((bits for bits in DEPTHS if highest < 2**bits), None)


def in_ome(xml):
    """SignificantBits of OME-XML, the most of several images; None where it states none.

    More than WIDEST is the width of a type, not of a camera, and counts as not stated.
    """
    stated = [int(bits) for bits in re.findall(r'\bSignificantBits="(\d{1,3})"', xml or "")]
    return max((bits for bits in stated if 0 < bits <= WIDEST), default=None)


class Range(NamedTuple):
    """The depth by which a frame is judged.

    bits    None: not known yet, as of the reference frames that determine it
    stated  by the user: holds whatever the frame contains
    """

    bits: int | None = None
    stated: bool = False


def of_image(batch, plate, depths):
    """The Range of the frames of a plate.

    batch   as the planner wrote it
    depths  plate -> bits, of the plates whose reference frames were read
    """
    depth = batch.get("bit_depth", AUTO)
    if depth != AUTO:
        return Range(depth, stated=True)
    return Range() if batch.get("all") else Range(depths.get(plate) or WIDEST)


def of_frame(name, pixels, known, significant=None):
    """The depth of one frame in bits; None for floats from 0 to 1.

    name         of the frame, for messages
    pixels       (Y, X) any integer or float type
    known        Range
    significant  bits of its grey levels, as its file states

    Raises OutOfRange for floats beyond 0 to 1 and integers of more than 16 bits, unless the depth was stated.
    """
    if known.stated:
        return known.bits
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if pixels.dtype.kind == "f":
        if low < 0 or high > 1:
            what = f"{name}: its floating-point values are from {low:.6g} to {high:.6g}, not from 0 to 1"
            raise OutOfRange(f"{what}; state the bits of these grey levels by --bit_depth, or scale the images.")
        return None
    needed = fitting(high)
    if needed is None:
        what = f"{name}: its grey levels are up to {high:,}, more than {WIDEST} bits hold"
        raise OutOfRange(f"{what}; scale the images to {WIDEST} bits.")
    return known.bits or significant or needed


def full_scale(dtype, depth):
    """The grey level that counts as full: the largest of DEPTH bits, or of the type if that is less; 1 without a depth.

    dtype  name of the type of the stored frame, such as uint16
    depth  bits, or None for floats from 0 to 1
    """
    if depth is None:
        return 1
    kind, width = re.fullmatch(r"(u?int|float)(\d+)", dtype).groups()
    holds = {"uint": int(width), "int": int(width) - 1, "float": depth}[kind]
    return 2 ** min(depth, holds) - 1


def beyond(pixels, full):
    """Share of the pixels (0 to 1) that are above the range, or below 0."""
    return float(((pixels > full) | (pixels < 0)).mean())


def of_plate(rows):
    """Range and size of the frames of a plate, from the rows of the reference frames that can be used.

    returns  {"bits": None without a frame of integers, "significant": bits that a file states, or None, "highest": grey
             level, "pixels" and "bytes" of the largest frame}; None without rows
    """
    if not rows:
        return None
    sizes = [row["shape"][0] * row["shape"][1] for row in rows]
    widths = [int(re.search(r"\d+", row["type"])[0]) // 8 for row in rows]
    return {
        "bits": max((row["bit_depth"] for row in rows if row["bit_depth"]), default=None),
        "significant": max((row["significant_bits"] for row in rows if row["significant_bits"]), default=None),
        "highest": max(row["highest"] for row in rows),
        "pixels": max(sizes),
        "bytes": max(size * width for size, width in zip(sizes, widths, strict=True)),
    }
