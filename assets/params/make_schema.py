#!/usr/bin/env python3
"""Make nextflow_schema.json of the params in this folder: common.json, and a file a workflow. Standard library only.

A workflow takes what is in common.json and in its own file. There a param is described in full or, where common.json
describes it, by what differs: OVER. The result has every param once; its `x-workflows` says which workflows take it,
and what each lays over the rest.
"""

import json
import sys
from pathlib import Path

OVER = ("default", "x-queued", "description")  # x-queued: the default where a scheduler queues tasks
FORM = ("minimum", "maximum", "pattern", "errorMessage")  # a later workflow may take other ones
TARGET = Path(__file__).resolve().parents[2] / "nextflow_schema.json"


def combined(folder):
    """The schema of the params in FOLDER. Raises ValueError where a name means two things."""
    files = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(Path(folder).glob("*.json"))}
    common = files.pop("common")
    groups, place = {}, {}
    for content in (*files.values(), common):
        for name, group in content["$defs"].items():
            groups.setdefault(name, {"title": group["title"], "properties": {}})
    for group, name, rule in _params(common):
        groups[group]["properties"][name] = rule | {"x-workflows": {workflow: {} for workflow in files}}
        place[name] = group
    for workflow, content in files.items():
        for group, name, rule in _params(content):
            if place.setdefault(name, group) != group:
                raise ValueError(f"{workflow}.json: --{name} stands in {group}, elsewhere in {place[name]}")
            _add(groups[group]["properties"], name, rule, workflow)
    workflow = groups["input"]["properties"]["workflow"]
    workflow |= {"description": f"Workflow to run: {', '.join(files)}.", "enum": [*files]}
    about = {name: content["description"] for name, content in files.items()}
    examples = {name: content["example"] for name, content in files.items()}
    return common["about"] | {"x-about": about, "x-examples": examples, "$defs": groups}


def text(schema):
    """A schema as JSON, with a line for each param."""
    groups = []
    for name, group in schema["$defs"].items():
        rules = [f"        {_json(param)}: {_json(rule)}" for param, rule in group["properties"].items()]
        head = f'    {_json(name)}: {{\n      "title": {_json(group["title"])},\n      "properties": {{\n'
        groups.append(head + ",\n".join(rules) + "\n      }\n    }")
    head = [f"  {_json(key)}: {_json(value)}" for key, value in schema.items() if key != "$defs"]
    return "{\n" + ",\n".join(head) + ',\n  "$defs": {\n' + ",\n".join(groups) + "\n  }\n}\n"


def _params(content):
    return [(key, name, rule) for key, group in content["$defs"].items() for name, rule in group["properties"].items()]


def _add(rules, name, rule, workflow):
    """Add what WORKFLOW says of a param to RULES."""
    over = {key: value for key, value in rule.items() if key in OVER}
    plain = {key: value for key, value in rule.items() if key not in OVER}
    before = rules.setdefault(name, plain | {"description": rule.get("description"), "x-workflows": {}})
    form = {key: plain[key] for key in FORM if key in plain and key in before and plain[key] != before[key]}
    over, plain = over | form, {key: value for key, value in plain.items() if key not in form}
    same = {key: value for key, value in before.items() if key not in (*OVER, *form, "x-workflows")}
    if plain and plain != same:
        raise ValueError(f"{workflow}.json: --{name} is not what it is elsewhere: {_json(plain)}, {_json(same)}")
    if over.get("description") == before["description"]:
        del over["description"]
    before["x-workflows"][workflow] = over


def _json(value):
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    try:
        TARGET.write_text(text(combined(Path(__file__).parent)), "utf-8")
    except ValueError as reason:
        sys.exit(str(reason))
