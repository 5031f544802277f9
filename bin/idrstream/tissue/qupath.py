"""A QuPath project of the images of a workspace, and a script that loads their cells. Standard library only.

The project is what QuPath 0.5 and 0.6 write of one (DefaultProject, DefaultImageServerBuilder), without data files,
which are Java's own serialisation: QuPath makes these when an image is opened. Addresses of images are absolute, for
QuPath resolves no others; as the project states its own address, QuPath finds images that were moved with it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.runs import manifest

PROJECT, SCRIPT = "project.qpproj", "scripts/import_cells.groovy"
PART = PROJECT  # of the folder's manifest; no slide of a workspace has a dot in its name
FORM = "0.5.1"  # version of QuPath that writes such a project
BIOFORMATS = "qupath.lib.images.servers.bioformats.BioFormatsServerBuilder"

IMPORT = """\
// Loads the cells of the image that is open, in place of detections that it has: Automate > Script editor > Run.
// For all images: Run > Run for project. Written by idrstream; import_cells.groovy is overwritten by its next run.
def cells = [
%s
]
def name = getProjectEntry().getImageName()
def place = cells[name]
def file = place == null ? null : new File(buildFilePath(PROJECT_BASE_DIR, place)).getCanonicalFile()
if (file == null || !file.exists()) {
    println "No cells of ${name}" + (file == null ? "" : ": there is no ${file}")
    return
}
setImageType('FLUORESCENCE')
clearDetections()
importObjectsFromFile(file.getPath())
fireHierarchyUpdate()
println "${getDetectionObjects().size()} cells of ${name}"
"""


def write(folder: str, images: Mapping[str, str], outdir: str | Path, now: float) -> str:
    """Write the project and its script into FOLDER, unless somebody else has changed the project since.

    images   slide -> absolute path of its image
    outdir   that has the slides' results
    now      seconds since 1970
    returns  a line for the log

    Images keep the numbers that they had, by which QuPath finds its data of them. Raises Problems for a file that no
    run wrote.
    """
    path = Path(folder, PROJECT)
    if PROJECT in manifest.changed(folder, PART):
        return f"project    {path} was changed since a run wrote it, and is left as it is"
    ours = PROJECT in manifest.read(folder, PART) and path.exists()
    before = files.read_json(path) if ours else {"images": [], "lastID": 0, "createTimestamp": round(1000 * now)}
    content = files.json_text(_project(path, before, images, now)).encode()
    script = IMPORT % ",\n".join(_entries(folder, images, outdir))
    manifest.put(folder, PART, {PROJECT: content, SCRIPT: script.encode()})
    return f"project    {path} (QuPath)"


def _project(path: Path, before: Mapping[str, Any], images: Mapping[str, str], now: float) -> dict[str, Any]:
    entries = {entry["imageName"]: entry for entry in before["images"]}
    last = before["lastID"]
    for place in images.values():
        name = os.path.basename(place)
        if name not in entries:
            last += 1
            entries[name] = {"serverBuilder": None, "entryID": last, "imageName": name, "metadata": {}}
            entries[name]["randomizedName"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}/{name}"))
        builder = {"builderType": "uri", "providerClassName": BIOFORMATS, "uri": Path(place).as_uri(), "args": []}
        entries[name]["serverBuilder"] = builder
    return {
        "version": FORM,
        "createTimestamp": before["createTimestamp"],
        "modifyTimestamp": round(1000 * now),
        "uri": path.absolute().as_uri(),
        "lastID": last,
        "images": list(entries.values()),
    }


def _entries(folder: str, images: Mapping[str, str], outdir: str | Path) -> list[str]:
    """Lines of a Groovy map: name of an image -> its cells, relative to the project's folder."""
    here = os.path.realpath(folder)
    results = {place: os.path.join(os.path.realpath(outdir), "slides", slide) for slide, place in images.items()}
    pairs = {os.path.basename(p): os.path.relpath(os.path.join(r, "cells.geojson"), here) for p, r in results.items()}
    return [f"    {_quoted(name)}: {_quoted(place)}" for name, place in pairs.items()] or ["    :"]


def _quoted(text: str) -> str:
    """Text as a literal of Groovy, in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
