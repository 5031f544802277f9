"""Rules of quality control: what ships is sound, and a mistake in a user's own file is told before anything starts."""

from pathlib import Path

import pytest

from idrstream.base.tables import Problems
from idrstream.screen import plan, rules
from planning import DEFAULTS, SCHEMA, given

SHIPPED = Path(plan.BIN).parent / "assets/qc.yml"
GOOD = """images:
  blurred: {column: focus, z: -3.5, reason: out of focus}
cells:
  small: {column: Metadata_Area, below: 50, reason: debris}
"""


def test_what_ships_has_rules_for_images_and_cells_each_with_a_reason():
    found = rules.read(SHIPPED)
    assert {rule.name for rule in found["images"]} >= {"blurred", "saturated", "no_nuclei"}
    assert {rule.name for rule in found["cells"]} >= {"small", "large", "low_solidity", "on_border", "crop_padded"}
    assert all(rule.reason for some in found.values() for rule in some)
    assert found["cells"][0].mark == "cqc.small.is_outlier"  # as coSMicQC calls it


MISTAKES = {
    "no yaml": ("images: [", "mine.yml: not YAML"),
    "nothing": ("", "mine.yml: no rules; begin with images: or cells:"),
    "kind": (GOOD.replace("cells:", "cell:"), 'mine.yml: unknown key "cell"; the keys are images and cells.'),
    "list": ("images: [blurred]", "mine.yml, images: no rules"),
    "twice": (GOOD.replace("small:", "s: {}\n  s:"), 'mine.yml, line 5: duplicate key "s", first in line 4'),
    "no day": (GOOD.replace("50", "2024-13-45"), "mine.yml: not YAML (month must be in 1..12)"),
    "flag": (GOOD.replace("small", "on"), 'rule "True": not a rule name'),
    "name": (GOOD.replace("small", "too small"), 'mine.yml, cells, rule "too small": not a rule name'),
    "empty": (GOOD.replace("{column: focus, z: -3.5, reason: out of focus}", ""), 'rule "blurred": empty'),
    "key": (GOOD.replace("below", "lower"), 'rule "small", key "lower": unknown; the keys are column, below'),
    "column": (GOOD.replace("Metadata_Area", "Area"), 'key "column": "Area" is none of Metadata_Area'),
    "no threshold": (GOOD.replace("below: 50, ", ""), "no threshold; give one of below, above, z"),
    "two": (GOOD.replace("below: 50", "below: 50, z: 3"), "below and z; give one of below, above, z"),
    "number": (GOOD.replace("50", "few"), 'key "below": few is not a number'),
    "infinite": (GOOD.replace("50", ".inf"), 'key "below": inf is not a number'),
    "zero": (GOOD.replace("-3.5", "0"), 'key "z": 0 would mark half of the screen'),
    "reason": (GOOD.replace(", reason: debris", ""), 'rule "small", key "reason": missing; explain the mark'),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_by_file_rule_and_key(mistake, here):
    content, said = mistake
    (here / "mine.yml").write_text(content)
    with pytest.raises(Problems) as problems:
        params = DEFAULTS | {"qc_rules": "mine.yml"}
        plan.make(params, str(here), "first", given(here, params) | {"qc_rules": here / "mine.yml"}, SCHEMA)
    assert any(said in sentence for sentence in problems.value.sentences)
    assert all(sentence.startswith("mine.yml") for sentence in problems.value.sentences)


def test_all_mistakes_of_a_file_are_told_at_once(here):
    (here / "mine.yml").write_text(GOOD.replace("focus,", "focal,").replace("50", "few"))
    with pytest.raises(Problems) as problems:
        rules.read(here / "mine.yml")
    assert len(problems.value.sentences) == 2


def test_a_file_that_is_not_there_is_told(here):
    params = DEFAULTS | {"qc_rules": "mine.yml"}
    with pytest.raises(Problems, match=r"--qc_rules mine\.yml: there is no such file"):
        plan.make(params, str(here), "first", given(here, params), SCHEMA)
