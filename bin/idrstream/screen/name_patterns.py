"""What the names of image files mean: the patterns of --pattern, and one that the names of a folder suggest."""

import re
from collections import Counter
from dataclasses import dataclass

from idrstream.base.tables import Problems, nearest
from idrstream.readers import READERS

FIELDS = ("plate", "well", "site", "site0", "frame", "frame0", "channel", "control_type", "gene")
COUNTED = ("site", "frame")  # from 1; as {site0} and {frame0} from 0
EXAMPLE = "{plate}/{well}_s{site}.tif"
IMAGES = tuple(READERS)  # suffixes of what a pattern is suggested for
WELL_IN_NAME = r"(?<![A-Za-z0-9])(?:[Rr]\d{2}[Cc]\d{2}|[A-Pa-p]\d{1,2}(?!\d))"


@dataclass(frozen=True)
class Pattern:
    """A pattern as two regular expressions, in which every part takes as little or as much of a path as it can.

    What is written out between two parts then lies as early, or as late, as any reading of the path has it. So a path
    has one reading if the two agree.
    """

    text: str
    shortest: re.Pattern
    longest: re.Pattern

    @property
    def fields(self):
        """Names in its braces."""
        return self.shortest.groupindex.keys()

    def fits(self, path):
        """Whether the PATH of a file in the folder matches."""
        return bool(self.shortest.fullmatch(path))

    def readings(self, path):
        """What the fields are in the PATH of a file, name -> text: none, one, or two that differ in a field's place."""
        first = self.shortest.fullmatch(path)
        if not first:
            return []
        last = self.longest.fullmatch(path)
        return [match.groupdict() for match in ((first,) if first.regs[1:] == last.regs[1:] else (first, last))]


def compiled(text):
    """The Pattern that TEXT is. Raises tables.Problems with everything that is wrong in it."""
    text = str(text)
    parts = re.split(r"(\{[^{}]*\}|\*)", text.removeprefix("./"))  # what is written out, and what is not, in turn
    faults = list(dict.fromkeys(_faults(text, parts)))
    if not faults and "{well}" not in parts:
        faults = [f"it has no {{well}}; say where a file's path names it, as in {EXAMPLE}"]
    if faults:
        raise Problems([f"--pattern {text}: {fault}" for fault in faults])
    return Pattern(text, _expression(parts, "?"), _expression(parts, ""))


def suggested(names):
    """The pattern that matches most of the NAMES, of those made of one of them; None if no well is seen in any."""
    images = [name for name in names if name.lower().endswith(IMAGES)]
    guesses = Counter(guess for name in images or names for guess in _guesses(name))
    if not guesses:
        return None
    best, _ = guesses.most_common(1)[0]
    readings = [found[0] for found in map(compiled(best).readings, names) if found]
    for field in COUNTED:
        if any(int(reading.get(field, 1)) == 0 for reading in readings):
            best = best.replace(f"{{{field}}}", f"{{{field}0}}")
    return best


def _faults(text, parts):
    """What is wrong in a pattern, without its name."""
    fields = [part[1:-1] for part in parts[1::2] if part != "*"]
    if text.startswith("/") or ".." in text.split("/"):
        yield f"write a path relative to the folder of --input, as in {EXAMPLE}"
    if any(re.search("[{}]", part) for part in parts[::2]):
        yield f"a brace in it is not closed, as in {EXAMPLE}"
    for field in fields:
        if field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            yield f"{{{field}}} is none of {known}.{nearest(field, FIELDS)}"
    for before, between, after in zip(parts[1::2], parts[2::2], parts[3::2], strict=False):
        if not between:
            yield f"{before} and {after} touch, so where one ends is open; write what stands between them in the names"
    for field in COUNTED:
        if {field, f"{field}0"} <= set(fields):
            yield f"{{{field}}} and {{{field}0}} exclude each other; the first is counted from 1, the second from 0"


def _expression(parts, lazy):
    """The regular expression of a pattern's parts, which take as little as they can if LAZY is "?", as much if ""."""
    text, number = rf"[^/]+{lazy}", rf"\d{{1,9}}{lazy}"
    by_row = rf"[Rr]\d{{1,3}}{lazy}[ _-]?{lazy}[Cc]\d{{1,3}}{lazy}"  # r02c03
    by_letter = rf"[A-Za-z]{{1,2}}{lazy}[ _-]{{0,3}}{lazy}\d{{1,3}}{lazy}"  # B3, B03, b003, B-03, B - 03
    meaning = dict.fromkeys(FIELDS, text) | dict.fromkeys(("site", "site0", "frame", "frame0"), number)
    meaning["well"] = "|".join((by_row, by_letter) if lazy else (by_letter, by_row))
    seen, runs = set(), [""]  # a run begins with a part of any length, and ends before the next of those
    for place, part in enumerate(parts):
        field = part[1:-1]
        if place % 2 == 0:
            runs[-1] += re.escape(part)
        elif part == "*":
            runs.append(f"[^/]*{lazy}")
        elif field in seen:
            runs[-1] += f"(?P={field})"
        else:
            runs += [""] if meaning[field] == text else []
            runs[-1] += f"(?P<{field}>{meaning[field]})"
            seen.add(field)
    if lazy and not any("(?P=" in run for run in runs):  # a later place for a run leaves the others no more room
        runs[1:-1] = [f"(?>{run})" for run in runs[1:-1]]
    return re.compile("".join(runs), re.DOTALL)


def _guesses(name):
    """Patterns that NAME would match, by the names that microscopes give: one for each well that is seen in it."""
    *folders, last = name.split("/")
    if re.search("[{}*]", name):
        return
    above = ["*"] * len(folders[:-1]) + ["{plate}"] * bool(folders)
    wells = sorted(re.finditer(WELL_IN_NAME, last), key=lambda well: well[0].islower())
    for well in wells:
        guess = f"{last[: well.start()]}{{well}}{last[well.end() :]}"
        for letters, field in (("[st]?s|fld ?|f", "site"), ("t|f", "frame"), ("ch|w|c", "channel")):
            if f"{{{field}}}" not in guess:
                guess = re.sub(rf"(?<=[_ (-])({letters})\d+(?![A-Za-z0-9])", rf"\1{{{field}}}", guess, count=1)
        yield "/".join([*above, guess])
