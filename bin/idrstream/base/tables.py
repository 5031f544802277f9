"""Tables that people write, read with the line of each value, for messages. Standard library only."""

import codecs
import csv
import difflib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from idrstream.base import files

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # line ends of any kind, tabs, a terminal's escapes
LINE_END = re.compile("\r\n|\n|\r")
SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas"}  # the first counts where a header would allow several
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)  # Excel's, above the header
PASSED_OVER = re.compile(r'"?#|[,;\s]*$')  # above the header: a comment, which Excel may quote, or an empty line
LISTED = 12  # columns of a header, and
SHOWN = 60  # characters of a cell, in a message

# What Excel makes of 1-3, 110000000000 and 2-5-9 unless they are formatted as text.
DAMAGED = re.compile(
    r"\d+([.,]\d+)?E\+\d+|\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2,4}|\d{1,4}([-./])\d{1,2}\2\d{1,4}( 0?0:00(:00)?)?"
)

# First bytes of files that are not tables -> what they are.
NOT_TEXT = {
    b"PK\x03\x04": "an Excel or LibreOffice workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"\x1f\x8b": "a compressed file",
}


class Problems(Exception):
    """Everything that is wrong with the input, one sentence each."""

    def __init__(self, sentences):
        super().__init__("\n".join(sentences))
        self.sentences = list(sentences)

    @classmethod
    def of(cls, name, faults):
        """What is wrong with the file NAME, FAULTS without it."""
        return cls([problem(name, fault) for fault in faults])


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, its place among the rows (from 0), and its cells by column name."""

    line: int
    place: int
    cells: dict


@dataclass
class Table:
    """A table with a header.

    kind      schema of its columns (input_tables.read); empty for a table of our own
    problems  what is wrong with its columns and rows (request.read)
    """

    name: str
    columns: list
    rows: list = field(default_factory=list)
    header_line: int = 1
    kind: str = ""
    problems: list = field(default_factory=list)

    def problem(self, message, line=None, column=None):
        """``file, line 14, column "Frames": message``"""
        return problem(self.name, message, line, column)

    def listed(self):
        """Its columns for a message, at most LISTED."""
        more = ", ..." * (len(self.columns) > LISTED)
        return ", ".join(shown(column) for column in self.columns[:LISTED]) + more


def read(path, names=(), header=None):
    """Read a table whose cells are separated by tabs, semicolons or commas, whatever its suffix says.

    path    UTF-8 with or without a byte-order mark, or UTF-16 with one
    names   expected column names, in any capitals, which help to find the separator
    header  column names of a table that has no header line
    returns Table; cells are stripped text, without an unnamed first column (the index of a pandas table)

    Blank lines are skipped, and above the header comments (#) and Excel's ``sep=;``. A row is one line. Raises Problems
    for a file that is empty or not text, or has lines of unequal length or with quotes that do not close.
    """
    path = Path(path)
    lines, separator = _lines(path)
    separator = separator or (_separator(lines[0][1], names, header) if lines else ",")
    table = Table(path.name, [])
    columns = header or _header(table, lines, separator)
    table.columns = [column for column in columns if column]
    problems = _header_problems(table)
    rows = _rows(table, columns, lines, separator, problems)
    problems += _unnamed_problems(table, columns, rows)
    if not rows and not problems:
        problems.append(table.problem("the table has no rows"))
    if problems:
        raise Problems(problems)
    for place, (line, cells) in enumerate(rows):
        named = {column: cell for column, cell in zip(columns, cells, strict=True) if column}
        table.rows.append(Row(line, place, named))
    return table


def read_text(path):
    """The text of a file that a person wrote, without its byte-order mark.

    Raises Problems if it is not text, or in an encoding other than UTF-8 and UTF-16.
    """
    path = Path(path)
    content = path.read_bytes()
    for mark, what in NOT_TEXT.items():
        if content.startswith(mark):
            raise Problems([problem(path.name, f"this is {what}, not text; save it as CSV UTF-8")])
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in content[:4] and not marked:
        raise Problems([problem(path.name, "this is not UTF-8, but perhaps UTF-16; save it as UTF-8 (CSV UTF-8)")])
    code, name = ("utf-16", "UTF-16") if marked else ("utf-8-sig", "UTF-8")
    try:
        return content.decode(code)
    except UnicodeDecodeError as reason:
        before = LINE_END.split(content[: reason.start].decode(code, "replace"))
        place = f"{path.name}, line {len(before)}, character {len(before[-1]) + 1}"
        byte = content[reason.start : reason.start + 1]
        letter = byte.decode("latin-1")
        hint = f' ("{letter}" in Latin-1)' if letter.isprintable() and not marked else ""
        wrong = f"{place}: byte 0x{byte.hex().upper()}{hint} is not {name}; save it as UTF-8 (in Excel: CSV UTF-8)"
        raise Problems([wrong]) from reason


def problem(name, message, line=None, column=None):
    """``file, line 14, column "Frames": message``, in one line."""
    place = [name]
    place += [f"line {line}"] if line else []
    place += [f'column "{shown(column)}"'] if column else []
    return CONTROL.sub(" ", f"{', '.join(place)}: {message}")


def shown(text):
    """A cell in a message: invisible characters are escaped (``A01\\u200b``), long text is cut."""
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def write(path, columns, rows):
    """Write dicts as a tab-separated table; a value that is absent or None is an empty cell.

    A row is one line: control characters, which a reason may have from a file or server, become spaces. A cell with a
    double quote is quoted, as `read`, pandas and spreadsheets expect it.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("" if row.get(column) is None else CONTROL.sub(" ", str(row[column])) for column in columns)
    files.write_text(path, text.getvalue())


def damaged(text):
    """A hint if Excel may have made this date or short number from another text; else an empty text."""
    return " (has Excel changed it? format the column as text)" if DAMAGED.fullmatch(text) else ""


def nearest(word, words):
    """`` Did you mean X?`` with the most similar of WORDS; else an empty text."""
    matches = difflib.get_close_matches(str(word), [str(w) for w in words], n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""


def _lines(path):
    """(number, text) of the non-blank lines from the header on; and the separator of Excel's ``sep=`` line, or None."""
    lines = [(number, line) for number, line in enumerate(LINE_END.split(read_text(path)), 1) if line.strip()]
    separator = None
    while lines and (PASSED_OVER.match(lines[0][1]) or SEPARATOR_LINE.fullmatch(lines[0][1].strip(" "))):
        match = SEPARATOR_LINE.fullmatch(lines.pop(0)[1].strip(" "))
        separator = match[1] if match else separator
    return lines, separator


def _header(table, lines, separator):
    """The column names of a table; their line is removed from LINES."""
    if not lines:
        raise Problems([table.problem("the table has no rows")])
    table.header_line, line = lines.pop(0)
    try:
        return _cells(line, separator)
    except csv.Error as reason:
        raise Problems([table.problem(_misquoted(reason), table.header_line)]) from reason


def _separator(line, names, header):
    """The separator with which LINE has most of the expected NAMES, or as many cells as HEADER; else most cells."""
    lower = {name.lower() for name in names}

    def fit(separator):
        try:
            cells = _cells(line, separator)
        except csv.Error:
            return (0, 0)
        named = sum(cell.lower() in lower for cell in cells)
        return (len(cells) == len(header), 0) if header else (named, len(cells))

    return max(SEPARATORS, key=fit)


def _cells(line, separator):
    """The cells of one line. Raises csv.Error for quotes that do not close at the end of a cell."""
    (cells,) = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    return [cell.strip() for cell in cells]


def _misquoted(reason):
    if "end of data" in str(reason):
        return "a quote is opened and not closed in this line; remove it, or the line end inside the cell"
    if "expected after" in str(reason):
        return 'a quote closes before its cell ends; inside quotes write "" for a quote'
    return f"cannot be read ({reason})"


def _header_problems(table):
    """Problems with column names that are duplicate or have control characters."""
    repeated = sorted({column for column in table.columns if table.columns.count(column) > 1})
    problems = [table.problem(f'duplicate column "{shown(c)}"; rename one', table.header_line) for c in repeated]
    unseen = [column for column in table.columns if CONTROL.search(column)]
    return problems + [
        table.problem("a control character in its name; remove it", table.header_line, c) for c in unseen
    ]


def _rows(table, columns, lines, separator, problems):
    """(line, cells) of the rows with as many cells as the header; the others are added to PROBLEMS."""
    rows, broken = [], False
    for number, line in lines:
        try:
            cells = _cells(line, separator)
        except csv.Error as reason:
            problems.append(table.problem(_misquoted(reason), number))
            broken = "end of data" in str(reason)
            continue
        if not any(cells):
            continue
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if len(cells) != len(columns):
            by = SEPARATORS.get(separator, f'"{separator}"')
            count = f"{len(cells)} columns where {len(columns)} are expected (separated by {by})"
            problems += [] if broken else [table.problem(count, number)]  # else perhaps the rest of a broken cell
            continue
        broken = False
        for column, cell in zip(columns, cells, strict=True):
            if unseen := CONTROL.search(cell):
                what = f'a control character ("{shown(unseen[0])}"); remove it'
                problems.append(table.problem(what, number, column))
        rows.append((number, cells))
    return rows


def _unnamed_problems(table, columns, rows):
    """Problems with unnamed columns that have values, except the first, which is the index of a pandas table."""
    problems = []
    for place, column in enumerate(columns):
        line = next((line for line, cells in rows if cells[place]), None) if place and not column else None
        if line:
            what = f"column {place + 1} has no name but a value in line {line}; name it or remove it"
            problems.append(table.problem(what, table.header_line))
    return problems
