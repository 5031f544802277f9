"""The calibration of a plate in the output folder: flat-field, range of grey levels, diameter of its nuclei.

`flatfields/PLATE/` holds the field and its picture, `fields.json`, which has the range too, and `diameter.json` if it
was estimated. `id` in `fields.json` is a hash of what they were made from, and the manifest tells whether all files are
there: a later run uses them unchanged, or makes them anew. Standard library only, because it runs on the head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from idrstream.base import files
from idrstream.images.calibration import FIELDS, read_fields
from idrstream.runs import manifest
from idrstream.runs.types import Recipe
from idrstream.screen.types import PlatePacket, Reference

FOLDER = "flatfields"


def identity(frames: Sequence[Reference], recipe: Recipe) -> str:
    """Hash, as 16 hexadecimal digits, of what a calibration is made from: reference frames, and recipe.of_plates."""
    content = [[frame["key"] for frame in frames], recipe]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def complete(outdir: str | Path, identities: Mapping[str, str]) -> set[str]:
    """The plates whose calibration in OUTDIR is complete and has the identity wanted (plate -> identity)."""
    plates = set()
    for plate, id in identities.items():
        path = Path(outdir, FOLDER, plate, FIELDS)
        if path.exists() and files.read_json(path).get("id") == id and manifest.intact(outdir, part(plate)):
            plates.add(plate)
    return plates


def part(plate: str) -> str:
    """The plate's part of the manifest."""
    return f"{FOLDER}-{plate}"


def file_names(plate: str) -> list[str]:
    """All files that a plate's calibration may have, relative to the output folder."""
    return [f"{FOLDER}/{plate}/{name}" for name in (f"{plate}.tif", f"{plate}.png", "diameter.json", FIELDS)]


def commit(packet: PlatePacket, calibration: str | Path, outdir: str | Path) -> Path:
    """Copy a plate's calibration to OUTDIR, in place of its former one; returns its folder.

    packet       the planner's JSON of the plate
    calibration  folder that holds FLATFIELD's folder and, if the diameter was estimated, DIAMETER's file

    Raises tables.Problems where a file of somebody else lies there.
    """
    plate, folder = packet["id"], f"{FOLDER}/{packet['id']}"
    ((fields, content),) = read_fields(calibration)
    sources, estimate = {}, Path(calibration, f"{plate}.json")
    if plate in content["fields"]:
        sources = {f"{folder}/{path.name}": path for path in fields.glob(f"{plate}.*")}
    else:  # fields of single frames are only for the diameter
        content["fields"] = {}
    if estimate.exists():
        sources[f"{folder}/diameter.json"] = estimate
    content["plate"] = plate
    content["id"] = None if content["lost"] else packet["identity"]
    sources[f"{folder}/{FIELDS}"] = files.json_text(content).encode()
    manifest.put(outdir, part(plate), sources)
    return Path(outdir, folder)
