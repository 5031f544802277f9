"""The samplesheet of a folder of images, made of the files' names by a pattern (--input FOLDER --pattern ...)."""

import os.path
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from idrstream.base import tables
from idrstream.base.tables import CONTROL, Problems, Row, Table, nearest, shown
from idrstream.screen.input_tables import SCHEMAS
from idrstream.screen.study import Well

WELL = r"[Rr]\d{1,3}[ _-]?[Cc]\d{1,3}|[A-Za-z]{1,2}[ _-]{0,3}\d{1,3}"  # r02c03; B3, B03, b003, B-03, B - 03
TEXT = r"[^/]+?"
FIELDS = {  # name in a pattern -> what it stands for in a file's path
    "plate": TEXT,
    "well": WELL,
    "site": r"\d{1,9}",
    "frame": r"\d{1,9}",
    "channel": TEXT,
    "control_type": TEXT,
    "gene": TEXT,
}
COLUMNS = ("plate", "well", "site", "frame", "file_frame", "channel", "control_type", "gene", "path")
EXAMPLE = "{plate}/{well}_s{site}.tif"
IMAGES = (".tif", ".tiff", ".ch5", ".zarr", ".h5", ".hdf5", ".nd2", ".czi", ".lif")  # what an example is taken from
NAMED = 3  # files in a sentence
SENTENCES = 20  # about files, of one kind


@dataclass
class Sheet(Table):
    """The samplesheet. A problem in a row is told by the file's path.

    notes  what the user is to know of it before the start, a sentence each
    """

    notes: list = field(default_factory=list)

    def problem(self, message, line=None, column=None):
        """``P1/B03_s1.tif: message``"""
        path = self.rows[line - self.header_line - 1].cells["path"] if line and self.rows else self.name
        return tables.problem(shown_path(path), message)


def sheet(names, pattern, folder, nuclear=None):
    """The Sheet of the files that match PATTERN, in the order of plates, wells, sites and frames.

    names    paths of the files in the folder, of one at least
    pattern  path of a file in the folder, with {plate}, {well}, ... (FIELDS) for what differs; * stands for what
             does not matter in a name
    folder   absolute path; its name is the plate's where the pattern has no {plate}
    nuclear  channel of the nuclei (--nuclear), which chooses among files of several channels

    Raises tables.Problems.
    """
    expression = compiled(pattern)
    found = [(name, match) for name in names if (match := expression.fullmatch(name))]
    if not found:
        raise Problems([f"--pattern {pattern}: none of the {len(names):,} files in {folder} matches; {_there(names)}"])
    made = Sheet(os.path.basename(folder), [], kind="samplesheet")
    problems = _unwritable(name for name, _ in found)
    rows = [_cells(name, match, made.name) for name, match in found]
    problems += _plates(rows, "plate" in expression.groupindex)
    rows = _of_channel(rows, nuclear, made, problems)
    _counted_from_1(rows, made)
    problems += _same(rows)
    if problems:
        raise Problems(problems)
    rows.sort(key=_order)
    made.columns = [column for column in COLUMNS if column in rows[0]]
    made.rows = [Row(place + 2, place, {name: row[name] for name in made.columns}) for place, row in enumerate(rows)]
    made.notes[:0] = [_counts(rows, names, {name for name, _ in found}, folder)]
    return made


def compiled(pattern):
    """The regular expression of a pattern. Raises tables.Problems with everything that is wrong in it."""
    problems, seen, parts = [], set(), []
    pattern = str(pattern)
    if pattern.startswith("/") or ".." in pattern.split("/"):
        problems.append(f"--pattern {pattern}: it is of paths in the folder of --input; begin there, as in {EXAMPLE}")
    for part in re.split(r"(\{[^{}]*\}|\*)", pattern.removeprefix("./")):
        name = part[1:-1] if part.startswith("{") and part.endswith("}") else None
        if name is None and re.search("[{}]", part):
            problems.append(f"--pattern {pattern}: a brace in it is not closed, as in {EXAMPLE}")
        elif name is not None and name not in FIELDS:
            known = ", ".join(f"{{{field}}}" for field in FIELDS)
            problems.append(f"--pattern {pattern}: {{{name}}} is none of {known}.{nearest(name, FIELDS)}")
        elif name in seen:
            parts.append(f"(?P={name})")
        elif name is not None:
            parts.append(f"(?P<{name}>{FIELDS[name]})")
            seen.add(name)
        else:
            parts.append("[^/]*" if part == "*" else re.escape(part))
    if not problems and "well" not in seen:
        problems.append(f"--pattern {pattern}: it has no {{well}}; say where a file's path names it, as in {EXAMPLE}")
    if problems:
        raise Problems(dict.fromkeys(problems))
    return re.compile("".join(parts), re.DOTALL)


def without_pattern(names, folder):
    """What to say of a folder as --input where no pattern is given, with an example made of the NAMES in it."""
    guess = next(filter(None, map(_guess, _images_first(names))), None)
    if not guess:
        return f"--pattern: say what the names in {folder} mean, as {EXAMPLE} does of P1/B03_s1.tif; {_there(names)}"
    fits = [name for name in names if compiled(guess).fullmatch(name)]
    first = shown_path(min(fits, key=_natural))
    count = f"{len(fits):,} of its {len(names):,} files match, {first} first"
    return f"--pattern: say what the names in {folder} mean, such as --pattern '{guess}' ({count})"


def shown_path(path):
    """A path in a message: what cannot be seen, or is no text, is written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def _cells(name, match, folder_name):
    """The cells of a file's row, by column."""
    values = match.groupdict()
    row = {"plate": folder_name} | values | {"path": name, "well": _well(values["well"])}
    if "site" in values:
        row["site"] = int(values["site"])
    row["frame"] = int(values.get("frame", 1))
    return row | ({"file_frame": "1"} if "frame" in values else {})


@cache
def _well(text):
    """A well's name, ``B03``; the TEXT as it is where no plate can have it."""
    numbers = re.fullmatch(r"[Rr](\d+)[ _-]?[Cc](\d+)", text)
    if numbers and 0 < int(numbers[1]) <= 26 * 27 and int(numbers[2]):
        return Well(int(numbers[1]) - 1, int(numbers[2]) - 1).name
    well = Well.parse(re.sub("[ _-]", "", text))
    return well.name if well else text


def _plates(rows, named):
    """Problems with the names of plates, a sentence each."""
    rule, first = SCHEMAS["samplesheet"]["properties"]["plate"], {}
    for row in rows:
        first.setdefault(row["plate"], row["path"])
    wrong = {plate: path for plate, path in first.items() if not re.fullmatch(rule["pattern"], plate)}
    if wrong and not named:
        plate = shown(next(iter(wrong)))
        return [f"--input: the folder's name is the plate's, and \"{plate}\" {rule['errorMessage']}; rename the folder"]
    found = [f'{shown_path(path)}: "{shown(plate)}" {rule["errorMessage"]}' for plate, path in wrong.items()]
    return _few(found, "plates")


def _of_channel(rows, nuclear, made, problems):
    """Those of the rows whose channel is that of the nuclei; what is wrong joins PROBLEMS."""
    counts = Counter(row["channel"] for row in rows if "channel" in row)
    if len(counts) < 2 and (nuclear is None or not counts):
        return rows
    listed = ", ".join(shown(channel) for channel in sorted(counts, key=_natural)[:SENTENCES])
    if nuclear is None:
        problems.append(
            f"--pattern: the files are of {len(counts)} channels ({listed}); name the nuclei's by --nuclear"
        )
        return []
    alike = [channel for channel in counts if _alike(channel, nuclear)]
    if len(alike) != 1:
        wrong = f"{len(alike)} channels are" if alike else "no file is"
        near = "" if alike else nearest(nuclear, counts)
        problems.append(f"--nuclear {nuclear}: {wrong} of this name; the channels in the files' names: {listed}.{near}")
        return []
    others = len(rows) - counts[alike[0]]
    made.notes += [f"{_number(others, 'file')} of other channels left out (--nuclear {nuclear})"] if others else []
    return [row for row in rows if row["channel"] == alike[0]]


def _alike(channel, nuclear):
    texts = channel.strip(), str(nuclear).strip()
    numbers = [int(text) for text in texts if text.isascii() and text.isdigit()]
    return numbers[0] == numbers[1] if len(numbers) == 2 else texts[0].casefold() == texts[1].casefold()


def _counted_from_1(rows, made):
    """Sites and frames that the names count from 0 are counted from 1, and as text."""
    for column in ("site", "frame"):
        first = min((row[column] for row in rows if column in row), default=1)
        made.notes += [f"the names count {column}s from 0: {column} 1 is their 0"] if first == 0 else []
        for row in rows:
            if column in row:
                row[column] = str(row[column] + (first == 0))


def _same(rows):
    """Problems with files of the same image, a sentence each."""
    first, found = {}, []
    for row in rows:
        place = row["plate"], row["well"], row.get("site", "1"), row["frame"]
        before = first.setdefault(place, row["path"])
        if before != row["path"]:
            what = "well {1} of plate {0}, site {2}, frame {3}".format(*place)
            both = f"{shown_path(before)} and {shown_path(row['path'])}"
            found.append(f"{both}: both are {what}; say in --pattern what tells them apart, or leave one out")
    return _few(found, "pairs of files")


def _unwritable(names):
    """Problems with names that no table can hold, a sentence each."""
    wrong = [name for name in names if CONTROL.search(name) or name != name.strip() or not _is_text(name)]
    remedy = "a line break, tab or blank at an end of its path, or letters that are not UTF-8; rename it"
    return _few([f"{shown_path(name)}: {remedy}" for name in wrong], "files")


def _is_text(name):
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _counts(rows, names, matching, folder):
    plates, wells = {row["plate"] for row in rows}, {(row["plate"], row["well"]) for row in rows}
    others = [name for name in names if name not in matching]
    more = f"; {_number(len(others), 'other file')} without a match ({_listed(others)})" if others else ""
    read = "of one frame each" if "file_frame" in rows[0] else "frame 1 of each"
    where = f"{_number(len(wells), 'well')} on {_number(len(plates), 'plate')}"
    return f"{folder}: {_number(len(rows), 'file')} ({read}) of {where} match --pattern{more}"


def _number(count, what):
    return f"{count:,} {what}{'s' * (count != 1)}"


def _there(names):
    """An example of a name that is there, as the end of a sentence."""
    return f'a file there is called "{shown_path(_images_first(names)[0])}"'


def _guess(name):
    """A pattern that NAME would match, by the names that microscopes give; None where no well is seen in it."""
    *folders, last = name.split("/")
    guess, count = re.subn(r"(?<![A-Za-z0-9])(?:[Rr]\d{2}[Cc]\d{2}|[A-Pa-p]\d{1,2}(?!\d))", "{well}", last, count=1)
    if not count or re.search("[{}*]", name):
        return None
    for letters, column in (("[st]?s|fld ?|f", "site"), ("t|f", "frame"), ("ch|w|c", "channel")):
        if f"{{{column}}}" not in guess:
            guess = re.sub(rf"(?<=[_ (-])({letters})\d+(?![A-Za-z0-9])", rf"\1{{{column}}}", guess, count=1)
    return "/".join(["*"] * len(folders[:-1]) + ["{plate}"] * bool(folders) + [guess])


def _images_first(names):
    return sorted(names, key=lambda name: (not name.lower().endswith(IMAGES), _natural(name)))


def _listed(names):
    return ", ".join(shown_path(name) for name in names[:NAMED]) + ", ..." * (len(names) > NAMED)


def _few(sentences, what):
    more = len(sentences) - SENTENCES
    return sentences[:SENTENCES] + ([f"and {more:,} {what} more"] if more > 0 else [])


def _order(row):
    return _natural(row["plate"]), Well.parse(row["well"]) or Well(0, 0), int(row.get("site", 1)), int(row["frame"])


@cache
def _natural(text):
    """A key that sorts P2 before P10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]
