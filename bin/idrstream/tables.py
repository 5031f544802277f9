"""Tables people write: read with the line each value stands on, so that a mistake can be shown. Standard library."""

import csv
import difflib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from idrstream import files

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # line ends of any kind, tabs, a terminal's escapes


class Problems(Exception):
    """Everything that is wrong with the input, one sentence each."""

    def __init__(self, sentences):
        super().__init__("\n".join(sentences))
        self.sentences = list(sentences)


@dataclass(frozen=True)
class Row:
    """One row: its line in the file (the header is line 1) and its cells by column name."""

    line: int
    cells: dict


@dataclass
class Table:
    """A table with a header. `problem` words a mistake so that its place can be found."""

    name: str
    columns: list
    rows: list = field(default_factory=list)

    def problem(self, message, line=None, column=None):
        """``file, line 14, column "Frames": message``"""
        place = [self.name]
        place += [f"line {line}"] if line else []
        place += [f'column "{column}"'] if column else []
        return CONTROL.sub(" ", f"{', '.join(place)}: {message}")


def read(path, header=None):
    """Read a tab- or comma-separated table (by its name: .csv has commas).

    path    the file, UTF-8, with or without a byte-order mark
    header  column names of a table that has no header line
    returns Table; cells are stripped text, an unnamed column (the index of a pandas table) is left out

    Raises Problems for a file that is empty, not text, or has lines of unequal length.
    """
    path = Path(path)
    delimiter = "," if path.suffix == ".csv" else "\t"
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except (UnicodeDecodeError, csv.Error) as reason:
        raise Problems([f"{path.name}: not a text table ({reason})"]) from reason
    first = 0 if header else 1
    if len(lines) <= first:
        raise Problems([f"{path.name}: the table has no rows"])
    columns = header or lines[0][1]
    table = Table(path.name, [column for column in columns if column])
    uneven = [
        table.problem(f"{len(cells)} columns where {len(columns)} are expected (is it separated by tabs?)", line)
        for line, cells in lines[first:]
        if len(cells) != len(columns)
    ]
    repeated = sorted({column for column in table.columns if table.columns.count(column) > 1})
    uneven += [table.problem(f'column "{column}" stands there twice', 1) for column in repeated]
    if uneven:
        raise Problems(uneven)
    for line, cells in lines[first:]:
        table.rows.append(Row(line, {c: cell for c, cell in zip(columns, cells, strict=True) if c}))
    return table


def write(path, columns, rows):
    """Write dicts as a tab-separated table; a value that is absent or None is an empty cell.

    A row is a line, whatever a file or server put into a reason: what would break it becomes a space. A cell with a
    double quote is quoted, as `read`, pandas and spreadsheets expect it.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("" if row.get(column) is None else CONTROL.sub(" ", str(row[column])) for column in columns)
    files.write_text(path, text.getvalue())


def nearest(word, words):
    """`` Did you mean X?`` with the most similar of WORDS, or nothing."""
    found = difflib.get_close_matches(str(word), [str(w) for w in words], n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else ""
