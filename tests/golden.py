"""Golden tests: what a stage makes of a small fixed input stays as it is, or its VERSION is raised."""

import json
from pathlib import Path

import numpy as np

from idrstream.screen import recipe

FILE = Path(__file__).with_suffix(".json")
GOLDEN = json.loads(FILE.read_text())
VERSIONS = recipe.BOOK.read_versions(Path(recipe.__file__).parents[1])
SHAPE = (160, 200)
CENTRES = [(y, x) for y in (30, 80, 130) for x in (30, 76, 122, 168)]


def assert_golden(stage, found, rtol=1e-4, atol=1e-6, case=""):
    """Compare figures of what a STAGE (recipe.STAGES) makes with those in golden.json, and its version with theirs."""
    name, place = f"{stage} {case}".strip(), recipe.STAGES[stage]
    place = f"{place.version} in bin/idrstream/{place.module}"
    found = np.asarray(found, np.float64).ravel()
    figures = ", ".join(f"{figure:.6g}" for figure in found)
    entry = f'"{name}": {{"version": {VERSIONS[stage]}, "figures": [{figures}]}}'
    assert name in GOLDEN, f"{FILE.name} has no figures of {name} yet: {entry}"
    golden = GOLDEN[name]
    assert VERSIONS[stage] == golden["version"], f"{place} was raised: renew the figures of {stage} in {FILE.name}"
    what = f"results of {stage} changed: raise {place}, say it in CHANGELOG.md, and renew the figures in {FILE.name}"
    same = found.shape == np.shape(golden["figures"]) and np.allclose(found, golden["figures"], rtol, atol)
    assert same, f"{what}: [{figures}]"


def nuclei(shape=SHAPE, centres=CENTRES):
    """(Y, X) uint16 grey levels of ellipses with a grain, on an uneven ground; and their label image, uint16."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    image, labels = 20 + rows / 16 + columns / 20, np.zeros(shape, np.uint16)
    for number, (y, x) in enumerate(centres, 1):
        height, width = 10 + number % 4, 9 + number % 3
        inside = ((rows - y) / height) ** 2 + ((columns - x) / width) ** 2 <= 1
        grain = 12 * np.sin(rows / 2) * np.cos(columns / 3) + 3 * (columns - x)
        image[inside] = (90 + 8 * number + grain)[inside]
        labels[inside] = number
    return np.rint(image).astype(np.uint16), labels
