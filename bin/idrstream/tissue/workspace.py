"""What a slide leaves in a workspace, besides the output folder: the files of deepcell-imaging, under its names.

Each folder has a manifest of what runs wrote there, so nothing else is overwritten. Standard library only, because it
runs on the head.
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


def publish(packet: Mapping[str, Any], assembled: Path, tables: Path | None) -> None:
    """Copy the files of a slide to its workspace, in place of those that an earlier run wrote of it, all or none.

    packet  the planner's JSON of the slide

    Raises Problems for a file that no run wrote.
    """
    steps, sources = {ASSEMBLED: assembled, TABLES: tables}, {}
    for folder, place in packet["workspace"].items():
        own = sources.setdefault(os.path.realpath(place), {})  # two folders may be one
        for file in wanted(folder, packet["outputs"], packet["cells"]):
            step, path = file.source
            if steps[step]:
                own[f"{packet['slide']}{file.suffix}"] = Path(steps[step], path)
    for place, files in sources.items():
        manifest.put(place, packet["slide"], files)


def complete(places: Mapping[str, Path], slide: str, outputs: Sequence[str], cells: str) -> bool:
    """Does a workspace have all files of a slide, as a run wrote them? PLACES: of its folders."""
    for folder, place in places.items():
        expected = names(slide, folder, outputs, cells)
        if expected and not ({*expected} <= manifest.read(place, slide).keys() and manifest.intact(place, slide)):
            return False
    return True


def conflicts(places: Mapping[str, Path], shown: Mapping[str, str], wanted: Mapping[str, Mapping[str, list]]) -> None:
    """Raise Problems, a sentence per folder, for files that a run would overwrite and that no run wrote.

    places  folder -> where it is
    shown   folder -> its path for people
    wanted  folder -> part of its manifest -> names that will be written
    """
    problems = []
    for folder, parts in wanted.items():
        others = [name for part, files in parts.items() for name in manifest.strangers(places[folder], part, files)]
        if others:
            more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
            what = f"{', '.join(others[:SHOWN])}{more} would be overwritten, and no run of idrstream wrote them"
            problems.append(f"{shown[folder]}: {what}; move them, or name another folder by {NAMES[folder]}")
    if problems:
        raise Problems(problems)
