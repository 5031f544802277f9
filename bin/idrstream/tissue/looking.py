"""What the files that a table of slides names state.

Each is read once, however many rows name it: the cores of a tissue microarray are rows of one image.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base.failures import ImageFailure
from idrstream.base.tables import Problems, Table
from idrstream.sources import staged
from idrstream.tissue import header, markers, region
from idrstream.tissue.header import Header, LabelImage
from idrstream.tissue.region import Area
from idrstream.tissue.sheet import Request

AT_ONCE = 16  # files that are read at a time
NPZ = "npz"


class Looked(NamedTuple):
    """What the files of a row state.

    header   of the slide; None if it cannot be used
    labels   "nuclei", "cells" -> header of the label image that exists
    markers  table of the slide's channels; None if it has none
    area     what its GeoJSON marks; None if it has none
    faults   what is wrong: (sentence, column of the table)
    planes   of its NPZ file, as of a label image; None if it has none
    broken   why that cannot be used: a sentence
    """

    header: Header | None
    labels: dict[str, LabelImage]
    markers: Table | None
    area: Area | None
    faults: list[tuple[str, str | None]]
    planes: LabelImage | None = None
    broken: str | None = None


class _File(NamedTuple):
    """A column of the table, and what it names: the files of a slide are one."""

    column: str
    locations: tuple[str, ...]


def look(requests: list[Request], places: Mapping[str, str], common: Table | None) -> list[Looked]:
    """What the files of the rows state; PLACES as of staged.places, COMMON: the table of --markers."""
    wanted = list(dict.fromkeys(file for request in requests for file in _files(request)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(wanted, pool.map(lambda file: _read(file, places), wanted), strict=True))
    return [_looked(request, found, common) for request in requests]


def _files(request: Request) -> list[_File]:
    files = [_File("image", tuple(request.locations))]
    files += [_File(layer, (location,)) for layer, location in request.labels.items()]
    named = {"markers": request.markers, "region": request.polygons, NPZ: request.npz}
    return files + [_File(column, (location,)) for column, location in named.items() if location]


def _read(file: _File, places: Mapping[str, str]) -> Any:
    """What a file states; a list of sentences about one that cannot be used."""
    try:
        if file.column == "image":
            return header.read(file.locations, places)
        if file.column in ("markers", "region"):
            name, place = staged.local(file.locations[0], None, places)
            return (markers if file.column == "markers" else region).read(Path(place, name))
        return (header.planes_of if file.column == NPZ else header.labels)(file.locations[0], places)
    except ImageFailure as failure:
        return [str(failure)]
    except Problems as problems:
        return problems.sentences
    except OSError as error:
        return [f"{file.locations[0]}: it cannot be read ({error.strerror})"]


def _looked(request: Request, found: Mapping[_File, Any], common: Table | None) -> Looked:
    stated = {file.column: found[file] for file in _files(request)}
    broken = stated.pop(NPZ) if isinstance(stated.get(NPZ), list) else []  # fails its slide alone
    faults = [(said, column) for column, each in stated.items() if isinstance(each, list) for said in each]
    sound = {column: each for column, each in stated.items() if not isinstance(each, list)}
    labels = {layer: sound[layer] for layer in request.labels if layer in sound}
    table = sound.get("markers") if request.markers else common
    about = sound.get("image"), labels, table, sound.get("region"), faults
    return Looked(*about, sound.get(NPZ), " ".join(broken) or None)
