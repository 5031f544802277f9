"""The table of slides that a user writes: a row a slide, checked before any slide is opened."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from idrstream import sources
from idrstream.base import files, input_tables, schemas, tables
from idrstream.tissue.tiles import Box

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))
COLUMNS = frozenset(SCHEMAS["slides"]["properties"])
SCHEMES = ("", "http", "https", "gs", "s3")
FILES = ";"  # between the files of a slide
CHANNELS = "+"  # between channels that are nuclear
LAYERS = ("nuclei", "cells")  # columns of label images that exist
RECTANGLE = re.compile(r"[0-9]{1,9}(,[0-9]{1,9}){3}")
POLYGONS = (".geojson", ".json")


class Naming(NamedTuple):
    """Channels as the user names them.

    channels  numbers, counted from 1, or names, as text; empty if none is named
    where     what names them: ``column "nuclear"`` or ``--nuclear``
    """

    channels: list[str]
    where: str


@dataclass
class Request:
    """A slide as it is asked for.

    slide       its name, which no other has
    line        of the table
    locations   its files, absolute paths or addresses; several are the channels of one image
    nuclear     channels of the nuclei
    membrane    channels that show where cells end
    pixel_size  micrometres that the user states; None: what the file states counts
    region      Box of the slide that is wanted, in its pixels; None for all of it, or for what `polygons` holds
    polygons    absolute path of the GeoJSON with the part that is wanted, if any
    markers     absolute path of the table of its channels, if it has one of its own
    labels      "nuclei", "cells" -> label image that exists, an absolute path or address
    metadata    the table's other columns: name -> text
    npz         NPZ file with what networks see, in place of channels of its own: an absolute path
    """

    slide: str
    line: int
    locations: list[str]
    nuclear: Naming
    membrane: Naming
    pixel_size: float | None
    region: Box | None
    polygons: str | None
    markers: str | None
    labels: dict[str, str]
    metadata: dict[str, str] = field(default_factory=dict)
    npz: str | None = None

    @property
    def images(self) -> list[str]:
        """The files that tasks read."""
        return [*self.locations, *self.labels.values(), *filter(None, (self.npz,))]

    @property
    def places(self) -> list[str]:
        """All files, with those that only the planner reads."""
        return [*self.images, *filter(None, (self.polygons, self.markers))]


def read(path: Path, values: Mapping[str, Any], folder: str) -> tuple[tables.Table, list[Request]]:
    """Read a table of slides.

    values  params by name: nuclear, membrane and region, for the rows that name none
    folder  what a relative path is relative to, an absolute path
    returns the table, its `problems` being what is wrong with single rows, a sentence each; and its valid rows

    Raises tables.Problems for a file that is not such a table.
    """
    table = schemas.checked(input_tables.read(path, {"slides": SCHEMAS["slides"]}), SCHEMAS["slides"])
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


def _fault(place: str) -> str | None:
    """Why the place of a file is none, as the end of a sentence; None if it is one."""
    if not place:
        return "a file's name is missing beside a ;"
    if sources.scheme(place) not in SCHEMES:
        return (
            f"{sources.scheme(place)}:// cannot be read in parts, as slides are; http(s)://, gs://, s3:// and paths can"
        )
    return sources.fault(place)


def _request(table: tables.Table, row: tables.Row, values: Mapping[str, Any], folder: str) -> Request:
    cells = row.cells
    size = cells.get("pixel_size")
    if size and not float(size):
        table.problems.append(table.problem("a pixel is larger than 0 micrometres", row.line, "pixel_size"))
    labels = {layer: _locations(table, row, layer, folder) for layer in LAYERS}
    region, polygons = _region(table, row, values, folder)
    return Request(
        slide=cells["slide"],
        line=row.line,
        locations=_locations(table, row, "image", folder),
        nuclear=naming(cells, values, "nuclear"),
        membrane=naming(cells, values, "membrane"),
        pixel_size=float(size) if size else None,
        region=region,
        polygons=polygons,
        markers=_file(table, row, "markers", folder),
        labels={layer: places[0] for layer, places in labels.items() if places},
        metadata={name: text for name, text in cells.items() if name not in COLUMNS},
    )


def naming(cells: Mapping[str, str], values: Mapping[str, Any], column: str) -> Naming:
    """The channels that the CELLS of a row name in a column, or the param of its name."""
    own = cells.get(column) or None
    text = own or values.get(column)
    parts = [] if text is None else [part.strip() for part in str(text).split(CHANNELS)]
    return Naming(parts, f'column "{column}"' if own else f"--{column}")


def _locations(table: tables.Table, row: tables.Row, column: str, folder: str) -> list[str]:
    """The images that a cell names: several only in the column "image"."""
    text = row.cells.get(column)
    places = [place.strip() for place in text.split(FILES)] if text else []
    if len(places) > 1 and column != "image":
        table.problems.append(table.problem("name one label image", row.line, column))
    for place in places:
        if wrong := _fault(place):
            table.problems.append(table.problem(f'"{tables.shown(place)}": {wrong}', row.line, column))
    return [place if sources.scheme(place) else os.path.join(folder, place) for place in places]


def _file(table: tables.Table, row: tables.Row, column: str, folder: str) -> str | None:
    """The file of this machine that a cell names."""
    text = row.cells.get(column)
    if not text:
        return None
    wrong = "it must be a file, not an address" if sources.scheme(text) else sources.fault(text)
    if wrong:
        table.problems.append(table.problem(f'"{tables.shown(text)}": {wrong}', row.line, column))
    return None if wrong else os.path.join(folder, text)


def _region(
    table: tables.Table, row: tables.Row, values: Mapping[str, Any], folder: str
) -> tuple[Box | None, str | None]:
    """(Box, None) of a rectangle, (None, path) of a GeoJSON."""
    text = row.cells.get("region") or values.get("region")
    if not text:
        return None, None
    if RECTANGLE.fullmatch(text):
        return boxed(text), None
    if text.lower().endswith(POLYGONS):
        return None, _file(table, row, "region", folder)
    rectangle = "0,0,2048,2048 (first row, first column, height, width, in pixels; quoted in a table with commas)"
    what = f'"{tables.shown(text)}" is neither a rectangle such as {rectangle} nor a GeoJSON file (.geojson)'
    table.problems.append(table.problem(what, row.line, "region"))
    return None, None
