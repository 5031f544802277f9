"""The table of slides that a user writes: a row a slide, checked before any slide is opened."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idrstream import sources
from idrstream.base import files, input_tables, schemas, tables
from idrstream.tissue.tiles import Box

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))
COLUMNS = frozenset(SCHEMAS["slides"]["properties"])
SCHEMES = ("", "http", "https")
FILES = ";"  # between the files of a slide
CHANNELS = "+"  # between channels that are nuclear


@dataclass
class Request:
    """A slide as it is asked for.

    slide       its name, which no other has
    line        of the table
    locations   its files, absolute paths or addresses; several are the channels of one image
    nuclear     channels of the nuclei: numbers, counted from 1, or names, as text; empty if none is named
    named_in    what names them: ``column "nuclear"`` or ``--nuclear``
    pixel_size  micrometres that the user states; None: what the file states counts
    region      Box of the slide that is wanted, in its pixels; None for all of it
    metadata    the table's other columns: name -> text
    """

    slide: str
    line: int
    locations: list[str]
    nuclear: list[str]
    named_in: str
    pixel_size: float | None
    region: Box | None
    metadata: dict[str, str] = field(default_factory=dict)


def read(path: Path, values: Mapping[str, Any], folder: str) -> tuple[tables.Table, list[Request]]:
    """Read a table of slides.

    values  params by name: nuclear and region, for the rows that name none
    folder  what a relative path is relative to, an absolute path
    returns the table, its `problems` being what is wrong with single rows, a sentence each; and its valid rows

    Raises tables.Problems for a file that is not such a table.
    """
    table = schemas.checked(input_tables.read(path, SCHEMAS), SCHEMAS["slides"])
    requests, first = [], {}
    for row in table.rows:
        name = row.cells["slide"].casefold()  # where capitals make no difference, so would their folders
        if name in first:
            table.problems.append(
                table.problem(f'duplicate slide "{row.cells["slide"]}", first in line {first[name]}', row.line, "slide")
            )
        first.setdefault(name, row.line)
        requests.append(_request(table, row, values, folder))
    return table, requests


def boxed(text: str) -> Box:
    """The Box of a region as people write it: first row, first column, height, width."""
    y, x, height, width = map(int, text.split(","))
    return Box(y, y + height, x, x + width)


def folders(locations: list[str]) -> list[str]:
    """The local folders in which files lie, or OME-Zarr stores."""
    return sorted({sources.split(place)[0] for place in locations if not sources.scheme(place)})


def _fault(place: str) -> str | None:
    """Why the place of a file is none, as the end of a sentence; None if it is one."""
    if not place:
        return "a file's name is missing beside a ;"
    if sources.scheme(place) not in SCHEMES:
        return f"{sources.scheme(place)}:// cannot be read in parts, as slides are; http(s):// and paths can"
    return sources.fault(place)


def _request(table: tables.Table, row: tables.Row, values: Mapping[str, Any], folder: str) -> Request:
    cells = row.cells
    places = [place.strip() for place in cells["image"].split(FILES)]
    for place in places:
        if wrong := _fault(place):
            table.problems.append(table.problem(f'"{tables.shown(place)}": {wrong}', row.line, "image"))
    own = cells.get("nuclear") or None
    nuclear = own or values.get("nuclear")
    region = cells.get("region") or values.get("region")
    size = cells.get("pixel_size")
    if size and not float(size):
        table.problems.append(table.problem("a pixel is larger than 0 micrometres", row.line, "pixel_size"))
    return Request(
        slide=cells["slide"],
        line=row.line,
        locations=[place if sources.scheme(place) else os.path.join(folder, place) for place in places],
        nuclear=[] if nuclear is None else [part.strip() for part in re.split(re.escape(CHANNELS), str(nuclear))],
        named_in='column "nuclear"' if own else "--nuclear",
        pixel_size=float(size) if size else None,
        region=boxed(region) if region else None,
        metadata={name: text for name, text in cells.items() if name not in COLUMNS},
    )
