"""How the house is built: a floor stands on those below it, and on no other."""

import ast

import pytest

from repository import ROOT

PACKAGE = ROOT / "bin/idrstream"
BELOW = {
    "base": set(),
    "sources": {"base"},
    "readers": {"base"},
    "images": {"base"},
    "runs": {"base", "sources"},
    "cells": {"base", "images"},
    "report": {"base", "runs"},
    "screen": {"base", "sources", "readers", "images", "runs", "cells", "report"},
    "tissue": {"base", "sources", "readers", "images", "runs", "cells", "report"},
    "volume": {"base", "sources", "readers", "images", "runs", "report"},
}


def imports(path):
    """The names in dotted form of what a module imports of the package, at its top or inside of a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_a_floor():
    assert {path.name for path in PACKAGE.iterdir()} - {"__pycache__"} == BELOW.keys()


@pytest.mark.parametrize("floor", BELOW)
def test_a_floor_stands_on_those_below_it(floor):
    allowed = BELOW[floor] | {floor}
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in (PACKAGE / floor).rglob("*.py")
        for name in imports(path)
        if name.split(".")[1] not in allowed
    ]
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others():
    modules = {path.relative_to(PACKAGE.parent).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    names = {".".join(part for part in module.parts if part != "__init__"): path for module, path in modules.items()}
    needs = {name: {found for found in imports(path)} for name, path in names.items()}
    needs = {
        name: {f if f in names else f.rpartition(".")[0] for f in found} & names.keys() for name, found in needs.items()
    }
    while free := [name for name, found in needs.items() if not found - {name}]:
        needs = {name: found - {*free} for name, found in needs.items() if name not in free}
    assert needs == {}


@pytest.mark.parametrize("environment", ["acquire", "cellpose", "profiles", "volume"])
def test_tests_lie_by_the_floor_of_what_they_test(environment):
    folder = ROOT / "tests" / environment
    floors = {path.relative_to(folder).parts[0] for path in folder.rglob("test_*.py")}
    assert floors and floors <= BELOW.keys() | {"house"}
