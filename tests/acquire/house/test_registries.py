"""Lists in different files that belong together have the same members."""

import ast
import re

import pytest

from idrstream.screen import arguments, plan, recipe
from planning import DEFAULTS, RULES

BIN = plan.BIN
WITHOUT_EFFECT = {"require_gpu", "save"}  # params of commands that make results, which do not shape them


def constant(path, name):
    """Keys of the dict NAME of a module that is not imported here, for its libraries are elsewhere."""
    (node,) = (
        node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return {key.value for key in node.keys}


def test_an_embedder_is_in_the_schema_the_recipe_the_planner_and_has_a_version():
    embedding = BIN / "idrstream/cells/embedding.py"
    engines = set(recipe.ENGINES)
    assert constant(embedding, "VERSIONS") == constant(embedding, "ENGINES") == engines
    assert set(plan.COMMANDS) == set(RULES["embedder"]["enum"]) == engines | {"deepprofiler"}


def other(name):
    """A value of a param that is not its default."""
    rule, default = RULES[name], DEFAULTS[name]
    if "enum" in rule:
        return next(value for value in rule["enum"] if value != default)
    kind = rule["type"] if isinstance(rule["type"], str) else rule["type"][0]
    return {"boolean": not default, "string": "labels,outlines" if name == "save" else "other"}.get(kind, 7)


@pytest.fixture(scope="module")
def changed():
    """{param: {stage: its arguments}} where only that param has another value; None: where none has."""
    names = [name for name in DEFAULTS if name in RULES and name not in ("workflow", "help", "input", "outdir")]
    return {None: arguments.of(DEFAULTS)} | {name: arguments.of(DEFAULTS | {name: other(name)}) for name in names}


def test_a_param_that_a_stage_with_results_takes_is_in_the_recipe(changed):
    taken = {
        name
        for name, stages in changed.items()
        for stage in set(recipe.COMMANDS) & set(stages)
        if name and stages[stage] != changed[None][stage]
    }
    assert {"flow_threshold", "crop_rule"} < taken
    assert taken - recipe.PARAMS.keys() == WITHOUT_EFFECT


def test_the_options_that_a_stage_is_given_are_its_commands(changed):
    given = {
        (stage, option)
        for stages in changed.values()
        for stage, words in stages.items()
        for option in re.findall(r"--\w+", words)
    }
    assert len(given) > 20
    shared = {"summary": "outcome", "commit": "commit"}  # by these commands of all workflows
    modules = {stage: [f"screen_{stage}.py"] for stage, _ in given}
    for stage, name in shared.items():
        modules[stage].append(f"idrstream/runs/{name}.py")
    files = {stage: "".join((BIN / path).read_text() for path in paths) for stage, paths in modules.items()}
    assert [(stage, option) for stage, option in sorted(given) if f'"{option}"' not in files[stage]] == []
