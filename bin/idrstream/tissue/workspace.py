"""What a slide leaves in a workspace, besides the output folder: the files of deepcell-imaging, under its names.

Each folder has a manifest of what runs wrote there, and of whose results these are, so nothing else is overwritten.
Standard library only, because it runs on the head.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base.tables import Problems
from idrstream.runs import manifest

FOLDERS = ("segmasks", "reports")  # that slides are written to
NAMES = {"segmasks": "--segmasks_subdir", "reports": "--reports_subdir", "project": "--project_subdir"}
ASSEMBLED, TABLES = "assembled", "tables"
SHAPES = "shapes"  # in the folder of TABLES
SHOWN = 5  # files that are named in a message
INCOMPLETE = "slides that are done, but not all of whose files are in the workspace, which are computed again"


class File(NamedTuple):
    """A file of a slide in a workspace.

    folder  that it goes to
    suffix  of its name, after the slide's
    output  of --outputs that it needs
    layer   that it needs: "nuclei", "cells"; None for any
    source  what it is a copy of: (step, path in that step's folder)
    """

    folder: str
    suffix: str
    output: str
    layer: str | None
    source: tuple[str, str]


FILES = (
    File("segmasks", "_WholeCellMask.tiff", "masks", "cells", (ASSEMBLED, "results/cells.ome.tif")),
    File("segmasks", "_NucleusMask.tiff", "masks", "nuclei", (ASSEMBLED, "results/nuclei.ome.tif")),
    File("segmasks", "_WholeCellShapes.jsonl", "geojson", "cells", (TABLES, f"{SHAPES}/cells.jsonl")),
    File("segmasks", "_NucleusShapes.jsonl", "geojson", "nuclei", (TABLES, f"{SHAPES}/nuclei.jsonl")),
    File("reports", "_QUANT.tsv", "quant", None, (TABLES, "results/QUANT.tsv")),
)


def wanted(folder: str, outputs: Sequence[str], cells: str) -> list[File]:
    """The files of a slide in a folder; CELLS: how they are made, "none" for none."""
    layers = ("nuclei",) if cells == "none" else ("nuclei", "cells")
    return [f for f in FILES if f.folder == folder and f.output in outputs and f.layer in (None, *layers)]


def names(slide: str, folder: str, outputs: Sequence[str], cells: str) -> list[str]:
    return [f"{slide}{file.suffix}" for file in wanted(folder, outputs, cells)]


def publish(packet: Mapping[str, Any], assembled: Path, tables: Path | None, outdir: str | Path) -> None:
    """Copy the files of a slide to its workspace, in place of those that an earlier run wrote of it, all or none.

    packet  the planner's JSON of the slide
    outdir  that has its results

    Raises Problems, as `conflicts`.
    """
    slide, places = packet["slide"], packet["workspace"]
    written = {name: {slide: names(slide, name, packet["outputs"], packet["cells"])} for name in places}
    conflicts(places, places, written, outdir)
    steps, sources = {ASSEMBLED: assembled, TABLES: tables}, {}
    for folder, place in places.items():
        own = sources.setdefault(os.path.realpath(place), {})  # two folders may be one
        for file in wanted(folder, packet["outputs"], packet["cells"]):
            step, path = file.source
            if steps[step]:
                own[f"{slide}{file.suffix}"] = Path(steps[step], path)
    shown = os.path.realpath(outdir)
    record = {"result": packet["identity"], "outdir": manifest.identity(outdir), "path": shown}
    for place, files in sources.items():
        manifest.put(place, slide, files, record)


def complete(places: Mapping[str, Path | None], slide: str, identity: str, outputs: Sequence[str], cells: str) -> bool:
    """Does a workspace have all files of a slide, as a run wrote them of this very result?

    places    of its folders; None for one that is not there
    identity  of the result
    """
    for folder, place in places.items():
        expected = names(slide, folder, outputs, cells)
        if expected and not (place and _has(place, slide, identity, expected)):
            return False
    return True


def _has(place: Path, slide: str, identity: str, expected: Sequence[str]) -> bool:
    same = manifest.about(place, slide).get("result") == identity
    return same and {*expected} <= manifest.read(place, slide).keys() and manifest.intact(place, slide)


def conflicts(
    places: Mapping[str, str | Path],
    shown: Mapping[str, str],
    wanted: Mapping[str, Mapping[str, list]],
    outdir: str | Path,
) -> None:
    """Raise Problems, a sentence per folder and reason, for files that a run would overwrite and that are not its own.

    places  folder -> where it is, of those that are there
    shown   folder -> its path for people
    wanted  folder -> part of its manifest -> names that will be written
    outdir  that gets the run's results
    """
    problems, owner = [], manifest.identity(outdir)
    for folder in wanted.keys() & places.keys():
        others: dict[str, list[str]] = {}
        for part, files in wanted[folder].items():
            for why, found in _others(places[folder], part, files, owner, folder in FOLDERS).items():
                others.setdefault(why, []).extend(found)
        for why, found in others.items():
            more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
            what = f"{', '.join(found[:SHOWN])}{more} would be overwritten, and {why}"
            problems.append(f"{shown[folder]}: {what}; move them, or name another folder by {NAMES[folder]}")
    if problems:
        raise Problems(sorted(problems))


def _others(
    place: str | Path, part: str, files: Sequence[str], owner: str | None, of_slides: bool
) -> dict[str, list[str]]:
    """Why -> files of a part that are not the run's to overwrite; a changed project is left as it is by `qupath`."""
    found = {"no run of idrstream wrote them": manifest.strangers(place, part, files)}
    record = manifest.about(place, part)
    if record.get("outdir", owner) != owner:
        there = [name for name in manifest.read(place, part) if os.path.lexists(Path(place, name))]
        found[f"they are results of another --outdir, {record['path']}"] = there
    elif of_slides:
        found["they were changed since a run wrote them"] = manifest.changed(place, part)
    return {why: names for why, names in found.items() if names}
