"""Params: each is described once, and taken by the workflows that have it."""

import importlib.util
import json
import re
import shutil

import pytest

from idrstream.runs import params
from idrstream.screen import recipe
from planning import DEFAULTS, ROOT, RULES, SCHEMA

TILE = {"type": "integer", "default": 4096, "description": "Side of a tile in pixels."}
BLOCKS = re.findall(r"^params \{\n(.*?)^\}", (ROOT / "nextflow.config").read_text(), re.MULTILINE | re.DOTALL)
IN_CONFIG = dict(re.findall(r"^    (\w+) += (\S+)$", "".join(BLOCKS), re.MULTILINE))


def make_schema():
    spec = importlib.util.spec_from_file_location("make_schema", ROOT / "assets/params/make_schema.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def two(tmp_path):
    """Makes the schema of `screen` and of a made-up workflow with these params, in a group each."""

    def schema(**groups):
        folder = tmp_path / "params"
        shutil.copytree(ROOT / "assets/params", folder, ignore=shutil.ignore_patterns("tissue.json", "volume.json"))
        content = {name: {"title": name, "properties": rules} for name, rules in groups.items()}
        about = {"description": "Slides.", "example": "nextflow run ."}
        (folder / "made_up.json").write_text(json.dumps(about | {"$defs": content}))
        return make_schema().combined(folder)

    return schema


def test_the_schema_is_what_make_schema_makes_of_the_params_of_each_workflow():
    module = make_schema()
    assert module.text(module.combined(ROOT / "assets/params")) == (ROOT / "nextflow_schema.json").read_text()


def test_a_default_stands_in_one_place():
    overs = {name: rule["x-workflows"].values() for name, rule in RULES.items()}
    of_workflows = {name for name, each in overs.items() if any("default" in over for over in each)}
    assert {"connections", "outdir"} <= IN_CONFIG.keys() <= RULES.keys() - of_workflows
    assert "null" not in IN_CONFIG.values()


def test_a_param_of_another_workflow_is_refused_by_name_if_it_is_given(two):
    schema = two(tiles={"tile": TILE}, run={"max_inflight": {"default": 2}})
    assert params.problems(DEFAULTS | {"tile": None, "max_inflight": 2}, schema) == []
    (said,) = params.problems(DEFAULTS | {"tile": 512}, schema)
    assert said == "--tile: a param of --workflow made_up; screen has none of this name"
    (said,) = params.problems({"workflow": "made_up", "tile": 512, "illumination": "none"}, schema)
    assert said == "--illumination: a param of --workflow screen; made_up has none of this name"


def test_an_unknown_param_is_answered_with_the_nearest_of_the_workflow(two):
    schema = two(tiles={"diametre_of_a_tile": TILE})
    (said,) = params.problems(DEFAULTS | {"diametre": 3}, schema)
    assert said == "--diametre: there is no such param. Did you mean diameter? All are listed by --help all."


def test_a_workflow_may_have_its_own_default_and_words_for_a_common_param(two):
    properties = two(run={"max_inflight": {"default": 2, "description": "Slides."}})["$defs"]["run"]["properties"]
    assert properties["max_inflight"]["x-workflows"]["made_up"] == {"default": 2, "description": "Slides."}
    assert properties["max_inflight"]["x-workflows"]["screen"]["default"] == 4
    assert properties["max_inflight"]["type"] == SCHEMA["$defs"]["run"]["properties"]["max_inflight"]["type"]
    assert set(properties["help"]["x-workflows"]) == {"screen", "made_up"}


@pytest.mark.parametrize(
    "groups",
    [
        {"illumination": {"illumination": {"type": "number", "description": "Another meaning."}}},
        {"run": {"max_inflight": {"type": "string"}}},
        {"tiles": {"z": TILE}},
    ],
    ids=["two types", "another type than the common one", "two groups"],
)
def test_a_name_has_one_meaning_in_all_workflows(two, groups):
    with pytest.raises(ValueError, match=r"\.json: --(illumination|max_inflight|z) (stands in|is not what it is)"):
        two(**groups)


def test_what_counts_for_results_is_a_param_and_every_param_is_explained():
    assert recipe.PARAMS.keys() <= RULES.keys()
    assert all(rule["description"].endswith(".") for rule in RULES.values())
