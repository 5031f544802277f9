"""The slides of a workspace: a folder of images, named by their samples, in place of a table."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idrstream.base import tables
from idrstream.sources import scheme
from idrstream.tissue import npz, sheet
from idrstream.tissue.sheet import Naming, Request

SUFFIXES = (".tif", ".tiff")  # .ome.tif and .ome.tiff among them
SLIDE = re.compile(sheet.SCHEMAS["slides"]["properties"]["slide"]["pattern"])
LISTED = 12  # samples in a message


@dataclass
class Listing(tables.Table):
    """The images of a workspace as a table, a row each, which has no lines for people."""

    def problem(self, message, line=None, column=None):
        name = self.columns[line - 1] if line else ""
        return tables.CONTROL.sub(" ", message if not name or message.startswith(name) else f"{name}: {message}")


@dataclass
class Samples:
    """What a workspace holds.

    table      its images; `problems` are what is wrong with single ones
    requests   slides that can be worked on
    unmatched  sample -> why it cannot
    notes      sentences for the user
    """

    table: tables.Table
    requests: list[Request] = field(default_factory=list)
    unmatched: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(workspace: Mapping[str, str | None], places: Mapping[str, str], values: Mapping[str, Any]) -> Samples:
    """The slides of a workspace that --image_filter chooses.

    workspace  "images" and "numpy" -> folder, an absolute path; None for one that nobody names
    places     as of staged.places
    values     params by name

    Raises tables.Problems where there are none. The folder of images is there (`absent`).
    """
    images, planes = workspace["images"], workspace["numpy"]
    files = [name for name in _names(images, places) if name.lower().endswith(SUFFIXES)]
    samples = [name.split(".")[0] for name in files]
    if not files:
        raise tables.Problems([f"{images}: there is no image in it; images are {', '.join(SUFFIXES)} files"])
    pattern = values["image_filter"]
    chosen = [place for place, sample in enumerate(samples) if not pattern or fnmatch.fnmatchcase(sample, pattern)]
    if not chosen:
        matches = f"--image_filter {pattern}: no sample in {images} matches; there are {listed(sorted(samples))}"
        raise tables.Problems([matches])
    found = Samples(Listing(os.path.basename(images), files))
    found.notes += [f"{len(chosen):,} of {len(files):,} images match --image_filter {pattern}"] * bool(pattern)
    prepared = {*_names(planes, places)} if _is_there(planes, places) else set()
    first: dict[str, str] = {}
    for place in chosen:
        _add(found, place, samples[place], first, prepared, workspace, values)
    alone = sorted({name.removesuffix(npz.SUFFIX) for name in prepared if name.endswith(npz.SUFFIX)} - {*samples})
    if alone:
        found.notes.append(f"NPZ files without an image in {images}: {listed(alone)}")
    if not found.requests and not found.table.problems:
        raise tables.Problems([f"{next(iter(found.unmatched.values()))} (of all {len(chosen):,} images)"])
    return found


def folders(workspace: Mapping[str, str | None]) -> list[str]:
    """The folders of a workspace that are read, as lib/Workspace.groovy has them staged."""
    return [*dict.fromkeys(place for place in (workspace["images"], workspace["numpy"]) if place and not scheme(place))]


def _add(found, place, sample, first, prepared, workspace, values):
    """Add an image to Samples, as a request, as unmatched, or as a problem."""
    name, line = found.table.columns[place], place + 1
    if not SLIDE.fullmatch(sample):
        rule = "letters, digits, '-' and '_', at most 100, can be the name of a slide; rename the file"
        found.table.problems.append(found.table.problem(f'its sample is "{tables.shown(sample)}"; {rule}', line))
        return
    if (other := first.setdefault(sample.casefold(), name)) != name:
        found.table.problems.append(found.table.problem(f"{other} is of the same sample, {sample}; keep one", line))
        return
    planes = f"{sample}{npz.SUFFIX}"
    if planes not in prepared and values["nuclear"] is None:
        where = os.path.join(workspace["numpy"], planes) if workspace["numpy"] else f"an NPZ file, {planes}"
        found.unmatched[sample] = f"there is no {where}, and --nuclear names no channel of {name}"
        return
    naming = {column: sheet.naming({}, values, column) for column in ("nuclear", "membrane")}
    found.requests.append(
        Request(
            slide=sample,
            line=line,
            locations=[os.path.join(workspace["images"], name)],
            **(naming if planes not in prepared else {column: Naming([], "the NPZ file") for column in naming}),
            pixel_size=None,
            region=sheet.boxed(values["region"]) if values["region"] else None,
            polygons=None,
            markers=None,
            labels={},
            npz=os.path.join(workspace["numpy"], planes) if planes in prepared else None,
        )
    )


def absent(workspace: Mapping[str, str | None], places: Mapping[str, str]) -> str | None:
    """Why a workspace has no images, as a sentence, if its folder of images is not there. Arguments as of `read`."""
    folder = workspace["images"]
    if scheme(folder):
        return f"{folder}: a workspace is on a disk of this machine; copy or mount it"
    if not _is_there(folder, places):
        return f"{folder}: there is no such folder of images; --workspace and --images_subdir name another"
    return None


def _names(folder: str, places: Mapping[str, str]) -> list[str]:
    """Names of the files of a folder, sorted; hidden ones are left out."""
    return sorted(name for name in os.listdir(places.get(folder, folder)) if not name.startswith("."))


def _is_there(folder: str | None, places: Mapping[str, str]) -> bool:
    return bool(folder) and not scheme(folder) and os.path.isdir(places.get(folder, folder))


def listed(names: list[str]) -> str:
    """Names for a message, some of them if they are many."""
    return ", ".join(map(tables.shown, names[:LISTED])) + (f" and {len(names) - LISTED} more" * (len(names) > LISTED))
