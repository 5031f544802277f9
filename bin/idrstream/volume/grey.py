"""Grey levels of raw volumes as the networks of incasem take them."""

import numpy as np

from idrstream.base.failures import NotFinite, NotReadable, OutOfRange

HIGHEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}  # grey level of each type


def check(raw, place):
    """Raise an ImageFailure for raw voxels that `normalized` would misunderstand.

    raw    (z, y, x) array
    place  what they are, for the message
    """
    dtype = raw.dtype.newbyteorder("=")
    if dtype not in HIGHEST:
        raise NotReadable(f"{place}: raw voxels are {dtype}; they must be uint8, uint16 or float32.")
    if dtype.kind == "f":
        if not np.isfinite(raw).all():
            raise NotFinite(f"{place}: some raw voxels are not finite.")
        if raw.min() < 0 or raw.max() > 1:
            between = f"{raw.min():.6g} and {raw.max():.6g}"
            raise OutOfRange(f"{place}: raw voxels lie between {between}; as float32 they must be 0 to 1.")


def normalized(raw):
    """(z, y, x) float32, -1 to 1, of raw voxels that are uint8, uint16, or float32 from 0 to 1.

    By incasem's steps: times 1 / highest level, times 2, minus 1.
    """
    levels = raw.astype(np.float32)
    levels *= np.float32(1 / HIGHEST[raw.dtype.newbyteorder("=")])
    levels *= 2
    levels -= 1
    return levels
