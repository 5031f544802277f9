"""What makes a result what it is, beside the image itself: parameters, models, versions of our code and of libraries.

A recipe is a flat dict of the values that differ from the defaults below, for the stages of a run: a param by its name,
a model by its checksum, `version.STAGE` and `library.TOOL.PACKAGE`. The default of a key is its value when it was
introduced here, and never changes, whatever assets/params/ or a lock says later: a recipe without the key used it. So
a new key changes no recipe. What belongs into one is a workflow's to say (`Book`). Standard library only, because it
runs on the head.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import files
from idrstream.runs.types import Recipe


class Stage(NamedTuple):
    """A stage that makes results: their name in words; the module with its version, and the name of that integer.

    The integer is raised by hand when results change. A dict has the integers of several stages.
    """

    words: str
    module: str
    version: str = "VERSION"


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

    @property
    def key(self) -> str:
        return f"library.{self.tool}.{self.package}"


@dataclass(frozen=True)
class Book:
    """What a recipe of a workflow is made of.

    stages     that make results: name -> Stage
    params     parameters that affect results, and models: name -> (stages that take it, default)
    checksums  those of them that are files: their value is a checksum
    unsaid     those whose values tell people nothing: a change is told by the name alone
    libraries  whose version counts
    commands   that check their libraries, and the stages that each computes
    wanted     function of a run's params, or of its recipe, with defaults: the stages of the run
    """

    stages: Mapping[str, Stage]
    params: Mapping[str, tuple[tuple, Any]]
    checksums: Collection[str]
    unsaid: Collection[str]
    libraries: Collection[Library]
    commands: Mapping[str, tuple]
    wanted: Callable[[Mapping[str, Any]], set[str]]

    @cached_property
    def keys(self) -> dict[str, tuple[tuple, Any]]:
        """Key of a recipe -> (stages, default)."""
        versions = {f"version.{stage}": ((stage,), 1) for stage in self.stages}
        return {**self.params, **versions, **{each.key: (each.stages, each.version) for each in self.libraries}}

    def of(self, settings: Mapping[str, Any], versions: Mapping[str, int], libraries: Mapping[str, str]) -> Recipe:
        """The recipe of a run.

        settings   its params and the other keys of `params`, models by their checksum; missing ones have their default
        versions   as `read_versions` gives them
        libraries  as `read_locks` gives them
        """
        values = dict(settings) | {f"version.{stage}": version for stage, version in versions.items()} | dict(libraries)
        return self.part({key: _plain(values[key]) for key in self.keys if key in values}, self.stages_of(settings))

    def stages_of(self, settings: Mapping[str, Any]) -> set[str]:
        """The stages of a run, by its params or its recipe."""
        return self.wanted({name: default for name, (_, default) in self.params.items()} | dict(settings))

    def part(self, values: Mapping[str, Any], wanted: Collection[str]) -> Recipe:
        """Those of VALUES that one of the stages WANTED takes and that differ from the default."""
        taken = {key: self.keys[key] for key in values if {*wanted} & {*self.keys[key][0]}}
        return {key: values[key] for key, (_, default) in taken.items() if values[key] != default}

    def whole(self, recipe: Recipe) -> Recipe:
        """A recipe with the defaults of its stages, for people: key -> value; unknown keys unchanged."""
        wanted = self.stages_of(recipe)
        defaults = {key: default for key, (taken_by, default) in self.keys.items() if wanted & set(taken_by)}
        return {key: value for key, value in (defaults | recipe).items() if value is not None}

    def unknown(self, recipe: Recipe) -> list[str]:
        """Keys of a recipe that another version of idrstream wrote."""
        return sorted(recipe.keys() - self.keys.keys())

    def differences(self, before: Recipe, now: Recipe) -> list[str]:
        """Differences of two recipes, a few words each, without those of stages that only one has."""
        common = self.stages_of(before) & self.stages_of(now)
        words = []
        for key, (taken_by, default) in self.keys.items():
            old, new = (recipe.get(key, default) for recipe in (before, now))
            if old != new and common & set(taken_by):
                words.append(self._in_words(key, old, new))
        return words

    def read_versions(self, package: str | Path) -> dict[str, int]:
        """Versions of the stages, stage -> integer, from the source of PACKAGE, the folder of idrstream's modules.

        Read, not imported: no environment has the libraries of all stages. Raises LookupError if one is missing.
        """
        modules = {stage.module for stage in self.stages.values()}
        trees = {module: ast.parse(Path(package, module).read_text("utf-8")) for module in modules}
        versions = {}
        for name, stage in self.stages.items():
            value = _literal(trees[stage.module], stage.version)
            value = value.get(name.split(".", 1)[1]) if isinstance(value, dict) else value
            if not isinstance(value, int):
                raise LookupError(f"{stage.module}: {stage.version} has no integer for {name}")
            versions[name] = value
        return versions

    def read_locks(self, folder: str | Path) -> dict[str, str]:
        """The part of the libraries' versions that matters, key -> version, from FOLDER/TOOL/requirements.txt.

        Raises LookupError if a lock lacks one.
        """
        locks = {}
        for tool in {library.tool for library in self.libraries}:
            lines = Path(folder, tool, "requirements.txt").read_text("utf-8")
            locks[tool] = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lines, re.MULTILINE))
        versions = {}
        for library in self.libraries:
            if library.package not in locks[library.tool]:
                raise LookupError(f"containers/{library.tool}/requirements.txt: {library.package} is missing")
            parts = re.findall(r"\d+", locks[library.tool][library.package])
            versions[library.key] = ".".join(parts[: len(library.version.split("."))])
        return versions

    def option(self, command: str, recipe: Recipe, libraries: Mapping[str, str]) -> str:
        """The option that names the libraries which a command of the pipeline requires for a recipe; "" without any."""
        computes = self.stages_of(recipe) & set(self.commands.get(command, ()))
        wanted = [library for library in self.libraries if computes & set(library.stages)]
        named = ",".join(f"{library.package}={libraries[library.key]}" for library in wanted)
        return f"--libraries {named}" if named else ""

    def sums(self, given: Mapping[str, Path]) -> dict[str, str]:
        """sha256 of the models and configurations among GIVEN, name -> path."""
        return {name: files.sha256(given[name]) for name in self.checksums if name in given}

    def _in_words(self, key: str, old: Any, new: Any) -> str:
        kind, _, rest = key.partition(".")
        if key in self.unsaid:
            return key
        if kind == "version":
            return f"{self.stages[rest].words} version {old}, now {new}"
        return f"{rest.partition('.')[2] or key} {old}, now {new}"


def _plain(value: Any) -> Any:
    """22.0 as 22: a number is the same however it was written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _literal(tree, name):
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == [name]:
            return ast.literal_eval(node.value)
    return None
