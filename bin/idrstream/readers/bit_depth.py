"""The range of grey levels of a plate, as bits: what a file says of itself, or what the reference frames need.

A camera of 12 bits writes files of 16; of the range of the type, its images would fill a sixteenth. The depth is one
for a plate, so that its wells stay comparable, and depends on its reference frames alone. Floats have none: they are of
0 to 1, unless `--bit_depth` says that they are grey levels.
"""

import re
from typing import NamedTuple

import numpy as np

from idrstream.base.failures import OutOfRange

AUTO = "auto"
DEPTHS = (8, 10, 12, 14, 16)  # bits of the cameras there are
WIDEST = DEPTHS[-1]  # of a plate of which no reference frame can be used


def text(asked):
    """What the plan says of the range, by the param."""
    if asked != AUTO:
        return f"grey levels of {asked} bits, as --bit_depth says"
    few = ", ".join(map(str, DEPTHS))
    said = "grey levels of as many bits as a plate's files say"
    return f"{said}, else the fewest of {few} that hold its reference frames"


def fitting(highest):
    """The fewest bits of DEPTHS that hold a grey level; None where none do."""
    return next((bits for bits in DEPTHS if highest < 2**bits), None)


def in_ome(xml):
    """The bits that OME-XML says its grey levels are of, the most of several images; None where it says none.

    More than WIDEST is the width of a type and no camera's: it counts as nothing said.
    """
    found = [int(bits) for bits in re.findall(r'\bSignificantBits="(\d{1,3})"', xml or "")]
    return max((bits for bits in found if 0 < bits <= WIDEST), default=None)


class Range(NamedTuple):
    """The depth that a frame is looked at with.

    bits    None: not known yet, as of the reference frames that are to tell it
    stated  by the user: obeyed whatever the frame holds
    """

    bits: int | None = None
    stated: bool = False


def of_image(batch, plate, depths):
    """The Range of the frames of a plate.

    batch   as the planner wrote it
    depths  plate -> bits, of the plates whose reference frames were looked at
    """
    asked = batch.get("bit_depth", AUTO)
    if asked != AUTO:
        return Range(asked, stated=True)
    return Range() if batch.get("all") else Range(depths.get(plate) or WIDEST)


def of_frame(name, pixels, known, significant=None):
    """The depth of one frame in bits; None for floats from 0 to 1.

    name         of the frame, for messages
    pixels       (Y, X) any integer or float type
    known        Range
    significant  bits that its file says its grey levels are of

    Raises OutOfRange for floats beyond 0 to 1 and integers of more than 16 bits, unless the depth was stated.
    """
    if known.stated:
        return known.bits
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if pixels.dtype.kind == "f":
        if low < 0 or high > 1:
            what = f"{name}: its floating-point values are from {low:.6g} to {high:.6g}, not from 0 to 1"
            raise OutOfRange(f"{what}; say by --bit_depth of how many bits these grey levels are, or scale them.")
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
    """What the reference frames of a plate tell of its range and size, from the rows of those that can be used.

    returns  {"bits": None without a frame of integers, "significant": bits that a file said, or None, "highest": grey
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
