"""The samplesheet of a folder of images, made of the files' names by a pattern (--input FOLDER --pattern ...)."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from idrstream.base import tables
from idrstream.base.tables import CONTROL, Problems, Row, Table, nearest, shown
from idrstream.base.units import count
from idrstream.screen import name_patterns
from idrstream.screen.input_tables import SCHEMAS
from idrstream.screen.study import Well

COLUMNS = ("plate", "well", "site", "frame", "file_frame", "channel", "control_type", "gene", "path")
NAMED = 3  # files in a sentence
SENTENCES = 20  # about files, of one kind


@dataclass
class Sheet(Table):
    """The samplesheet. A problem in a row is told by the file's path.

    notes     what the user is to know of it before the start, a sentence each
    warnings  possible mistakes, likewise
    """

    notes: list = field(default_factory=list)
    warnings: list = field(default_factory=list)

    def problem(self, message, line=None, column=None):
        """``P1/B03_s1.tif: message``"""
        path = self.rows[line - self.header_line - 1].cells["path"] if line and self.rows else self.name
        return tables.problem(shown_path(path), message)


def sheet(names, pattern, folder, nuclear=None):
    """The Sheet of the files that match PATTERN, in the order of plates, wells, sites and frames.

    names    paths of the files in the folder, of one at least
    pattern  path of a file in the folder, with {plate}, {well}, ... (name_patterns.FIELDS) for what differs; * stands
             for what does not matter in a name
    folder   absolute path; its name is the plate's where the pattern has no {plate}
    nuclear  channel of the nuclei (--nuclear), which chooses among files of several channels

    Raises tables.Problems.
    """
    parsed = name_patterns.compiled(pattern)
    found = [(name, readings) for name in names if (readings := parsed.readings(name))]
    if not found:
        raise Problems([f"--pattern {pattern}: none of the {len(names):,} files in {folder} matches; {_there(names)}"])
    if ambiguous := _ambiguous(found):
        raise Problems(ambiguous)
    made = Sheet(_name(folder), [], kind="samplesheet")
    rows = [_cells(name, values, made.name) for name, (values,) in found]
    problems = _unwritable(name for name, _ in found) + _zeros(rows, pattern)
    problems += _plates(rows, "plate" in parsed.fields)
    rows = _of_channel(rows, nuclear, made, problems)
    problems += _same(rows)
    if problems:
        raise Problems(problems)
    rows.sort(key=_order)
    made.columns = [column for column in COLUMNS if column in rows[0]]
    made.rows = [Row(place + 2, place, {name: row[name] for name in made.columns}) for place, row in enumerate(rows)]
    made.notes[:0] = [_counts(rows, names, {name for name, _ in found}, folder)]
    return made


def without_pattern(names, folder):
    """What to say of a folder as --input where no pattern is given, with one that the NAMES in it suggest."""
    guess = name_patterns.suggested(names)
    if not guess:
        example = f"{name_patterns.EXAMPLE} does of P1/B03_s1.tif"
        return f"--pattern: say what the names in {folder} mean, as {example}; {_there(names)}"
    fits = list(filter(name_patterns.compiled(guess).fits, names))
    first = shown_path(min(fits, key=_natural))
    matching = f"{len(fits):,} of its {len(names):,} files match, {first} first"
    return f"--pattern: say what the names in {folder} mean, such as --pattern '{guess}' ({matching})"


def shown_path(path):
    """A path in a message: what cannot be seen, or is no text, is written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def _name(folder):
    """The name of a folder, also where its path ends in ``..``."""
    name = Path(folder).name
    return Path(folder).resolve().name if name in ("", "..") else name


def _cells(name, values, folder_name):
    """The cells of a file's row, by column; VALUES: what its name says (Pattern.readings)."""
    row = {"plate": folder_name, "frame": "1"} | values | {"path": name, "well": _well(values["well"])}
    for column in name_patterns.COUNTED:
        if column in values:
            row[column] = str(int(values[column]))
        elif f"{column}0" in values:
            row[column] = str(int(row.pop(f"{column}0")) + 1)
    return row | ({"file_frame": "1"} if {"frame", "frame0"} & values.keys() else {})


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
    kept = [row for row in rows if row["channel"] == alike[0]]
    others = len(rows) - len(kept)
    made.notes += [f"{count(others, 'file')} of other channels left out (--nuclear {nuclear})"] if others else []
    made.warnings += _without_nuclei(rows, kept, nuclear)
    return kept


def _without_nuclei(rows, kept, nuclear):
    """The warning that images have files of other channels only: a list of one sentence, or of none."""
    places = set(map(_place, kept))
    lost = list(dict.fromkeys(place for place in map(_place, rows) if place not in places))
    listed = "; ".join("plate {} well {} site {} frame {}".format(*place) for place in lost[:NAMED])
    what = f"no file of channel {nuclear} (--nuclear)"
    more = "; ..." * (len(lost) > NAMED)
    return [f"{count(len(lost), 'image')} left out, with {what}: {listed}{more}"] if lost else []


def _alike(channel, nuclear):
    texts = channel.strip(), str(nuclear).strip()
    numbers = [int(text) for text in texts if text.isascii() and text.isdigit()]
    return numbers[0] == numbers[1] if len(numbers) == 2 else texts[0].casefold() == texts[1].casefold()


def _ambiguous(found):
    """Problems with names that a pattern fits in several ways, a sentence each.

    found  pairs of a name and its readings (Pattern.readings)
    """
    sentences = []
    for name, readings in found:
        if len(readings) > 1:
            first, last = readings
            field = next((field for field in first if first[field] != last[field]), next(iter(first)))
            ways = f'{{{field}}} may be "{shown(first[field])}" or "{shown(last[field])}"'
            sentences.append(
                f"{shown_path(name)}: --pattern fits in several ways ({ways}); write more of the names in it"
            )
    return _few(sentences, "files")


def _zeros(rows, pattern):
    """Problems with sites and frames 0, a sentence for each of the two."""
    problems = []
    for column in name_patterns.COUNTED:
        if wrong := [row["path"] for row in rows if row.get(column) == "0"]:
            fault = f"{{{column}}} is counted from 1, and {shown_path(wrong[0])} has 0"
            problems.append(f"--pattern {pattern}: {fault}; write {{{column}0}}, which is counted from 0")
    return problems


def _place(row):
    return row["plate"], row["well"], row.get("site", "1"), row["frame"]


def _same(rows):
    """Problems with files of the same image, a sentence each."""
    first, found = {}, []
    for row in rows:
        place = _place(row)
        before = first.setdefault(place, row["path"])
        if before != row["path"]:
            what = "well {1} of plate {0}, site {2}, frame {3}".format(*place)
            both = f"{shown_path(before)} and {shown_path(row['path'])}"
            remedy = "name in --pattern what differs (site, frame, channel), or move one away"
            found.append(f"{both}: both are {what}; {remedy}")
    return _few(found, "pairs of files")


def _unwritable(names):
    """Problems with names that no table can hold, a sentence each."""
    wrong = [name for name in names if CONTROL.search(name) or name != name.strip() or not _is_text(name)]
    fault = "its path has a line break or tab, a blank at an end, or letters that are not UTF-8; rename it"
    return _few([f"{shown_path(name)}: {fault}" for name in wrong], "files")


def _is_text(name):
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _counts(rows, names, matching, folder):
    plates, wells = {row["plate"] for row in rows}, {(row["plate"], row["well"]) for row in rows}
    others = [name for name in names if name not in matching]
    more = f"; {count(len(others), 'other file')} without a match ({_listed(others)})" if others else ""
    read = "of one frame each" if "file_frame" in rows[0] else "frame 1 of each"
    where = f"{count(len(wells), 'well')} on {count(len(plates), 'plate')}"
    return f"{folder}: {count(len(rows), 'file')} ({read}) of {where} match --pattern{more}"


def _there(names):
    """An example of a name that is there, as the end of a sentence."""
    return f'a file there is called "{shown_path(_images_first(names)[0])}"'


def _images_first(names):
    return sorted(names, key=lambda name: (not name.lower().endswith(name_patterns.IMAGES), _natural(name)))


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
