"""Rules of quality control: which images and cells are marked, by which threshold, and why.

A rule marks values of a column below or above a fixed value, or more than `z` robust standard deviations from the
plate's median: above it if `z` is positive, below it if `z` is negative. Marks are named as coSMicQC names them.
"""

import math
import re
from dataclasses import dataclass

from idrstream.base import strict_yaml, tables
from idrstream.base.tables import CONTROL, Problems

COLUMNS = {
    "images": ("cells", "focus", "saturation", "background", "out_of_range", "texture_clipped", "unwritten"),
    "cells": ("Metadata_Area", "Metadata_Solidity", "Metadata_TouchesBorder", "Metadata_CropPaddedFraction"),
}
COLUMNS["images"] += ("too_large",)
COLUMNS["cells"] += ("Metadata_TextureLevels",)
THRESHOLDS = ("below", "above", "z")
KEYS = ("column", *THRESHOLDS, "reason")


@dataclass(frozen=True)
class Rule:
    """Marks the rows whose COLUMN is BELOW or ABOVE a value, or farther than Z deviations from the median."""

    name: str
    column: str
    reason: str
    below: float | None = None
    above: float | None = None
    z: float | None = None

    @property
    def mark(self):
        """Name of its column."""
        return f"cqc.{self.name}.is_outlier"


def read(path):
    """The rules of a file: "images" and "cells" -> list of Rule, in the order of the file.

    Raises tables.Problems with everything that is wrong with it, by file, rule and key.
    """
    content = strict_yaml.read(path)
    if not isinstance(content, dict) or not content:
        raise Problems([f"{path.name}: no rules; begin with images: or cells: and add one line per rule below it"])
    problems, rules = [], {kind: [] for kind in COLUMNS}
    for kind, given in content.items():
        if kind not in COLUMNS:
            near = tables.nearest(str(kind), COLUMNS)
            problems.append(
                CONTROL.sub(" ", f'{path.name}: unknown key "{kind}"; the keys are images and cells.{near}')
            )
        elif not isinstance(given, dict | None):
            problems.append(f"{path.name}, {kind}: no rules; write name: {{column: ..., above: ..., reason: ...}}")
        else:
            rules[kind] = [_rule(f"{path.name}, {kind}", kind, *item, problems) for item in (given or {}).items()]
    if problems:
        raise Problems(problems)
    return rules


def _rule(where, kind, name, given, problems):
    """One rule of the file; what is wrong with it is added to PROBLEMS."""
    before = len(problems)

    def wrong(what, key=None):
        named = f', key "{key}"' if key else ""
        problems.append(CONTROL.sub(" ", f'{where}, rule "{name}"{named}: {what}'))

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):  # `on` is a flag to YAML
        wrong("not a rule name; use letters, digits and _")
    if not isinstance(given, dict):
        return wrong("empty; write {column: ..., above: ..., reason: ...}")
    for key in [key for key in given if key not in KEYS]:
        wrong(f"unknown; the keys are {', '.join(KEYS)}.{tables.nearest(str(key), KEYS)}", key)
    column, reason = given.get("column"), given.get("reason")
    if column not in COLUMNS[kind]:
        near = tables.nearest(str(column), COLUMNS[kind])
        wrong(f'"{column}" is none of {", ".join(COLUMNS[kind])}.{near}', "column")
    thresholds = [key for key in THRESHOLDS if key in given]
    if len(thresholds) != 1:
        wrong(f"{' and '.join(thresholds) or 'no threshold'}; give one of {', '.join(THRESHOLDS)}")
    for key in thresholds:
        value = given[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            wrong(f"{value} is not a number", key)
        elif key == "z" and value == 0:
            wrong("0 would mark half of the screen; give a number of deviations, above (3.5) or below (-3.5)", key)
    if not isinstance(reason, str) or not reason.strip():
        wrong("missing; explain the mark to those who see it", "reason")
    return None if len(problems) > before else Rule(name, **given)
