"""Negative controls: their control types, whether they vary, and the sentence where there are too few."""

from pathlib import Path

from idrstream.images.calibration import read_bit_depths
from idrstream.screen.single_cells import NEGATIVE

SHOWN = 5  # other control types in a sentence
ROUNDING = 4 * 2.0**-23  # spread over size of values that differ in the last digits of a float32 only


def words(named=None):
    """The values of control_type that mark negative controls, sorted; NAMED is the user's own, or None."""
    return sorted({NEGATIVE, named} - {None})


def incomparable(outdir, plates):
    """Why plates should not be normalised by each other's controls, as sentences: at most one."""
    depths = read_bit_depths(Path(outdir) / "flatfields")
    ranges = sorted({bits for plate, bits in depths.items() if plate in plates and bits})
    if len(ranges) < 2:
        return []
    what = f"plates have grey levels of {' and '.join(map(str, ranges))} bits"
    return [f"{what}: their intensities and textures are not comparable; set one range by --bit_depth"]


def varies(deviation, largest):
    """(features,) bool: do the controls vary by more than rounding?

    Where they do not, the controls' mean is subtracted from the feature without a division: in units of rounding, wells
    that differ as little as the controls could be millions apart.
    deviation  (features,) the controls' standard deviation
    largest    (features,) largest absolute value
    """
    return deviation > ROUNDING * largest


def too_few(what, group, count, needed, types, negative):
    """Why something is not normalised, in a sentence or three.

    what      what is not normalised: ``wells``
    group     the candidates: ``its wells with cells``
    count     negative controls among them
    needed    how many are needed
    types     values of their column control_type
    negative  those that mark negative controls, as `words` gives them
    """
    seen = sorted({str(word) for word in types if isinstance(word, str) and word} - set(negative))
    others = ", ".join(f'"{word}"' for word in seen[:SHOWN]) + f" and {len(seen) - SHOWN} more" * (len(seen) > SHOWN)
    also = f"other types: {others}" if seen else "there is no other type"
    wanted = " or ".join(f'"{word}"' for word in negative)
    remedy = "; if one of the other types is the negative control, name it by --negative_control" if seen else ""
    return (
        f"{what} not normalised. {count} of {group} have control_type {wanted} ({also}); "
        f"at least {needed} are needed{remedy}. Cell tables are unaffected."
    )
