"""cp_measure's features by its own functions, one after the other over the whole image: what ours are compared with."""

import warnings

import numpy as np
from cp_measure import bulk
from cp_measure._sanitize import sanitize_masks
from cp_measure.multimask.measureobjectneighbors import measureobjectneighbors

CHANNEL = "DNA"
CORE = bulk.get_core_measurements(legacy=True, sanitize=False)


def names_of(group, name):
    """What CellProfiler calls a feature of one of cp_measure's groups."""
    if group in ("sizeshape", "zernike", "feret"):
        return f"Nuclei_AreaShape_{name}"
    if group == "radial_distribution":
        what, ring = name.rsplit("_", 1)
        return f"Nuclei_{what}_{CHANNEL}_{ring}"
    if group == "texture":
        what, where = name.split("_", 1)
        return f"Nuclei_Texture_{what}_{CHANNEL}_{where}"
    return f"Nuclei_{name}" if group == "neighbors" else f"Nuclei_{name}_{CHANNEL}"


def steps(labels, image):
    """Group -> a function that measures it. IMAGE: intensities, of which 1 is full scale."""
    labels = sanitize_masks(labels)[0].astype(np.int32)
    groups = ("sizeshape", "zernike", "feret", "granularity", "intensity", "radial_distribution")
    found = {group: lambda group=group: CORE[group](labels, image) for group in groups}
    found["texture"] = lambda: CORE["texture"](labels, np.clip(image, 0, 1))
    found["neighbors"] = lambda: measureobjectneighbors(labels, labels, "Adjacent")
    return found


def measure(labels, image):
    """Column -> (n,) float64, of all cells of one image."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = {group: step() for group, step in steps(labels, image).items()}
    return {
        names_of(group, name): np.asarray(values, float) for group in found for name, values in found[group].items()
    }
