"""Everything about a run on slides that can be known before it starts: checked, counted, and cut into tiles."""

from __future__ import annotations

import hashlib
import json
import math
import os.path
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from idrstream.base.tables import Problems, Table
from idrstream.runs import ledger, params, planning, targets
from idrstream.runs.types import LedgerEntry, Recipe
from idrstream.sources import staged
from idrstream.tissue import (
    arguments,
    looking,
    markers,
    outcome,
    qupath,
    recipe,
    samples,
    searches,
    sheet,
    slides,
    tiles,
    workspace,
)
from idrstream.tissue.header import Channel
from idrstream.tissue.markers import Measured
from idrstream.tissue.run_plan import Plan, Slide
from idrstream.tissue.sheet import Request

OF_WORKSPACE = ("image_filter", "numpy_path", "segmasks_path", "project_path", "reports_path")
OF_CELL_MODEL = {"cell_model": None, "membrane": None, "cell_diameter": "auto"}  # params of --cells model: defaults

Params = Mapping[str, Any]


def make(
    values: Params,
    folder: str,
    session: str,
    given: Mapping[str, Path],
    schema: Mapping[str, Any],
    folders: Path | None = None,
    places: Mapping[str, str | None] | None = None,
    unwritable: Collection[str] = (),
) -> Plan:
    """Plan a run.

    values      params by name
    folder      what relative paths in the table are relative to, an absolute path
    session     id of the run, which stays the same when it is resumed
    given       name -> Path, for those of input, model, cell_model, markers and outdir that exist; of a workspace's
                segmasks, project and reports; and locks, the folder of the environments' locks,
                where it is not this pipeline's own
    schema      nextflow_schema.json, read
    folders     folder of the local folders of the slides, by number, as `staged.folders` of all has them; None: each
                is where it is
    places      folders of the workspace: "images", "numpy", "segmasks", "project", "reports" -> absolute path; None for
                one that nobody names; empty where there is a table
    unwritable  those of "segmasks", "project", "reports" that can be neither written nor made

    Raises tables.Problems with everything that is wrong, not just the first thing.
    """
    places = places or {}
    networks, broken = searches.networks(given)
    problems = params.problems(values, schema) + _named_files(values, given, schema, networks) + broken
    problems += searches.problems(values, networks)
    problems += _workspace(values, given, places, folders, unwritable)
    if problems:
        raise Problems(problems)
    found = _requested(values, given, folder, folders, places)
    table, requests = found.table, found.requests
    by_one = "model" in networks and "cells" in networks["model"].layers
    lacking = values["cells"] == "model" and not values["cell_model"] and not by_one
    if lacking and any("cells" not in row.labels for row in requests):
        table.problems.append("--cells model: name the network that finds cells by --cell_model, a file or cyto3")
    local = samples.folders(places) if places else staged.folders(p for request in requests for p in request.places)
    wanted = _checked(table, requests, values, given, staged.places(local, folders), networks)
    if table.problems:
        raise Problems(dict.fromkeys(table.problems))
    plan = _decide(values, given, wanted, local, session, places)
    plan.notes, plan.unmatched = found.notes + plan.notes, found.unmatched
    plan.workspace = {name: places[name] for name in workspace.FOLDERS if places[name]} if places else None
    plan.project = places.get("project")
    if places:
        _check_workspace(plan, given, places)
    return plan


def _requested(
    values: Params, given: Mapping[str, Path], folder: str, staged_at: Path | None, places: Mapping[str, str | None]
) -> samples.Samples:
    """The slides of a table, or of a workspace. Arguments as of `make`."""
    if places:
        return samples.read(places, staged.places(samples.folders(places), staged_at), values)
    return samples.Samples(*sheet.read(given["input"], values, folder))


def _workspace(
    values: Params,
    given: Mapping[str, Path],
    places: Mapping[str, str | None],
    staged_at: Path | None,
    unwritable: Collection[str],
) -> list[str]:
    """What is wrong with the params of a workspace, a sentence each. Arguments as of `make`."""
    if not places:
        named = [name for name in OF_WORKSPACE if values[name] is not None]
        return [f"--{name} {values[name]}: it goes with a --workspace; name that too" for name in named]
    local = staged.places(samples.folders(places), staged_at)
    if why := samples.absent(places, local):
        return [why]
    problems = ["--input and --workspace: name either a table of slides or a workspace"] if values["input"] else []
    problems += [f"{places[name]}: it cannot be written; name another" for name in unwritable]
    images = local.get(str(places["images"]), str(places["images"]))
    own = [name for name in workspace.NAMES if name in given and os.path.samefile(given[name], images)]
    why = "its files would be taken for images of the workspace; name another folder"
    return problems + [f"{workspace.NAMES[name]}: {places[name]}: {why}" for name in own]


def _named_files(
    values: Params, given: Mapping[str, Path], schema: Mapping[str, Any], networks: searches.Networks
) -> list[str]:
    """What is wrong with the files that params name, a sentence each."""
    problems = params.no_model(values, given, schema) + params.no_outdir(values, given)
    if not (values["input"] or values["workspace"] or values["images_path"]):
        problems.append("--input: name a table of slides, a row each, with the columns slide and image; or --workspace")
    lost = [name for name in ("input", "markers") if values[name] and name not in given]
    problems += [params.no_file(name, values[name]) for name in lost]
    if values["cells"] == "model":
        return problems + (params.no_model(values, given, schema, "cell_model") if values["cell_model"] else [])
    named = [name for name, default in OF_CELL_MODEL.items() if values[name] not in ("", default)]
    if "model" in networks and networks["model"].channels > 1:
        named = [name for name in named if name != "membrane"]  # the network of the nuclei sees it too
    why = f"--cells {values['cells']} uses none; add --cells model"
    return problems + [f"--{name} {values[name]}: {why}" for name in named]


def _checked(
    table: Table,
    requests: list[Request],
    values: Params,
    given: Mapping[str, Path],
    places: dict[str, str],
    networks: searches.Networks,
) -> list[Slide]:
    """The slides, their files read; what is wrong with them is added to the table's problems."""
    common = None
    if "markers" in given:
        try:
            common = markers.read(given["markers"])
        except Problems as found:
            table.problems += found.sentences
    looked = looking.look(requests, places, common)
    made = [slides.make(table, *pair, values, networks) for pair in zip(requests, looked, strict=True)]
    return [slide for slide in made if slide]


def _decide(
    values: Params,
    given: Mapping[str, Path],
    wanted: list[Slide],
    folders: list[str],
    session: str,
    places: Mapping[str, str | None],
) -> Plan:
    """The plan of a valid request; what remains to be done depends on the ledger."""
    intact, broken = ledger.read(given["outdir"])
    shown = values["outdir"]
    if any(recipe.BOOK.unknown(entry["recipe"]) for entry in intact + broken):
        raise Problems([f"--outdir {shown}: another version of idrstream wrote its ledger; name another --outdir"])
    libraries = recipe.BOOK.read_locks(given.get("locks", planning.BIN.parent / "containers"))
    facts = recipe.BOOK.sums(given), recipe.BOOK.read_versions(planning.BIN / "idrstream"), libraries
    for slide in wanted:
        sums, *others = facts
        used = {name: value for name, value in sums.items() if name not in searches.DIAMETERS or name in slide.networks}
        slide.recipe = _recipe(slide.settings, used, *others)
        slide.id = _identity(slide)
    entries = {entry["batch"]: entry for entry in intact}
    stale = [slide for slide in wanted if _other(entries.get(slide.name), slide)]
    done = {slide.name for slide in wanted if slide.name in entries} - {slide.name for slide in stale}
    if values["redo"]:
        done = {name for name in done if entries[name]["session"] == session}
    lost = [s.name for s in wanted if s.name in done and not _in_workspace(s, places, given)]
    done -= {*lost}
    todo = [slide for slide in wanted if slide.name not in done]
    if conflicts := _conflicts(given["outdir"], values, todo, intact + broken):
        raise Problems(conflicts)
    whole = _recipe(values, *facts)
    return Plan(
        slides=wanted,
        todo=todo,
        stale=[slide.name for slide in stale],
        broken=[entry["batch"] for entry in broken],
        stamp=f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}",
        differs=_differences(stale, entries),
        recipe=whole,
        settings=values,
        stages=planning.stages("tissue", arguments.of(values), recipe.BOOK, whole, libraries),
        folders=folders,
        session=session,
        notes=[f"{workspace.INCOMPLETE}: {samples.listed(lost)}"] * bool(lost),
    )


def _in_workspace(slide: Slide, places: Mapping[str, str | None], given: Mapping[str, Path]) -> bool:
    """Has the workspace, if there is one, all files of a slide?"""
    written = {name: given.get(name) for name in workspace.FOLDERS if places.get(name)}
    return workspace.complete(written, slide.name, slide.id, slide.outputs, slide.cells)


def _recipe(
    settings: Params, sums: Mapping[str, str], versions: Mapping[str, int], libraries: Mapping[str, str]
) -> Recipe:
    return recipe.BOOK.of(dict(settings) | dict(sums), versions, libraries)


def _identity(slide: Slide) -> str:
    """Hash, as 16 hexadecimal digits, of what makes the result of a slide; not how it is cut.

    What other columns say of it counts where tables repeat it.
    """
    stated = slide.header
    content = [
        *(slide.name, slide.request.locations, stated.bytes, stated.versions, stated.shape, stated.dtype),
        *([[channel.file, channel.channel, channel.frame] for channel in slide.channels], slide.box, slide.diameter),
        *([channel[1:] for channel in slide.membrane], slide.cell_diameter, slide.expansion, slide.area.rings),
        *(slide.pixel_size, slide.measured, slide.request.metadata if slide.measures else None),
        *([slide.request.npz, slide.planes] if slide.request.npz else []),
        sorted((layer, slide.request.labels[layer], image) for layer, image in slide.labels.items()),
    ]
    if slide.watershed:
        content.append([search.scale for search in slide.searches])
    text = json.dumps([content, slide.recipe], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _other(entry: LedgerEntry | None, slide: Slide) -> bool:
    """Is an entry the result of the same slide with other settings, or of other files?"""
    return entry is not None and [row["id"] for row in entry["images"]] != [slide.id]


def _differences(stale: Iterable[Slide], entries: Mapping[str, LedgerEntry]) -> str:
    """How the recipes of the entries of STALE slides differ from theirs, in words."""
    words = [word for each in stale for word in recipe.BOOK.differences(entries[each.name]["recipe"], each.recipe)]
    return ", ".join(dict.fromkeys(words)) or "another row of the table, or other files"


def _check_workspace(plan: Plan, given: Mapping[str, Path], places: Mapping[str, str | None]) -> None:
    """Raise Problems for files of a workspace that the run would overwrite and that are not its own."""
    wanted = {
        folder: {slide.name: workspace.names(slide.name, folder, slide.outputs, slide.cells) for slide in plan.todo}
        for folder in workspace.FOLDERS
        if folder in given
    }
    if "project" in given:
        wanted["project"] = {qupath.PART: [qupath.PROJECT, qupath.SCRIPT]}
    workspace.conflicts(given, {name: str(place) for name, place in places.items()}, wanted, given["outdir"])


def _conflicts(outdir: Path, values: Params, todo: list[Slide], entries: list[LedgerEntry]) -> list[str]:
    """Sentences about files in OUTDIR that the run would overwrite and that are not its own."""
    if sentences := targets.of_another_workflow(outdir, values):
        return sentences
    parts = targets.COMMON | {outcome.PART: outcome.FILES}
    names = [f"slides/{slide.name}/{name}" for slide in todo for name in outcome.results(slide.name)]
    strange = targets.unentered(outdir, values["outdir"], names, entries)
    return targets.strangers(outdir, values["outdir"], parts) + strange


def write(plan: Plan, folder: Path) -> None:
    """Write `plan.json` and a JSON for each slide that is left to do, which the pipeline reads, into FOLDER."""
    (folder / "slides").mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(_summary(plan), indent=1))
    for number, slide in enumerate(plan.todo):
        packet = _packet(slide, number, plan)
        (folder / "slides" / f"{slide.name}.json").write_text(json.dumps(packet, indent=1))


def _packet(slide: Slide, number: int, plan: Plan) -> dict[str, Any]:
    """What the tasks on a slide need to know of it."""
    box, size, settings = slide.box, slide.pixel_size, plan.settings
    return {
        **{"id": slide.name, "slide": slide.name, "number": number, "session": plan.session, "recipe": slide.recipe},
        **{"references": {}, "supersedes": [], "kept": [], "identity": slide.id},
        "locations": slide.request.locations,
        "folders": staged.folders(slide.request.images),
        "size": slide.shape,
        "region": [box.y0, box.x0, *box.shape] if slide.region else None,
        "polygon": slide.area.relative(),
        "whole_size": slide.header.shape,
        "pixel_size": size and {"y": size.y, "x": size.x, "source": size.source},
        "dtype": slide.header.dtype,
        "npz": {"location": slide.request.npz, "dtype": slide.copied_type} if slide.request.npz else None,
        "workspace": plan.workspace,
        "channels": [channel.name for channel in slide.header.channels],
        "layers": slide.layers,
        "scales": {layer: search.scale for search in slide.searches for layer in search.layers},
        "given": {layer: slide.request.labels.get(layer) for layer in sheet.LAYERS},
        "nuclear": [_numbered(channel, slide) for channel in slide.channels],
        "membrane": [_numbered(channel, slide) for channel in slide.membrane],
        "tile": settings["tile"],
        "groups": tiles.groups(slide.shape, settings["tile"], slide.tiles_a_task),
        "diameter": slide.diameter,
        "cell_diameter": slide.cell_diameter,
        "tissue": settings["tissue"],
        "model": str(settings["model"]),
        "cell_model": settings["cell_model"] and str(settings["cell_model"]),
        "cells": slide.cells,
        "expansion": slide.expansion,
        "measured": [_measured(each) for each in slide.measured],
        "statistics": slide.statistics,
        "compartments": slide.compartments,
        "names": settings["names"],
        "outputs": slide.outputs,
        "metadata": slide.request.metadata,
        "warnings": slide.warnings,
    }


def _numbered(channel: Channel, slide: Slide) -> dict[str, Any]:
    return {**channel._asdict(), "number": slide.number(channel)}


def _measured(each: Measured) -> dict[str, Any]:
    """A channel that is measured; its name is that of the tables."""
    less = each.background and {**each.background.channel._asdict(), "scale": each.background.scale}
    return {**each.channel._asdict(), "number": each.number, "name": each.name, "background": less}


def _summary(plan: Plan) -> dict[str, Any]:
    """What `plan.json` holds: the run as a whole, and what the pipeline needs to know of a slide."""
    left = {slide.name for slide in plan.todo}
    images = {slide.name: slide.request.locations[0] for slide in plan.slides}
    return {
        **{"problems": [], "text": plan.text(), "folders": plan.folders, "stages": plan.stages, "stop": False},
        "batch_bytes": max((slide.need.disk for slide in plan.todo), default=0),
        "slides": [
            {
                "id": slide.name,
                "number": number,
                "parts": len(tiles.groups(slide.shape, plan.settings["tile"], slide.tiles_a_task)),
                "pixels": math.prod(slide.shape),
                "memory": slide.need.memory,
                "work": slide.need.disk,
                "layers": [layer for layer in slide.layers if layer not in slide.watershed],
                "watershed": [search._asdict() for search in slide.searches if search.scale],
                "given": sorted(slide.request.labels),
                "measure": slide.measures,
            }
            for number, slide in enumerate(plan.todo)
        ],
        **{"workflow": plan.settings["workflow"], "stale": plan.stale, "broken": plan.broken, "stamp": plan.stamp},
        **{"differs": plan.differs, "model": plan.recipe["model"]},
        "project": plan.project and {"folder": plan.project, "images": images},
        "requested": [
            {"id": slide.id, "key": slide.name, "batch": slide.name if slide.name in left else None, "line": slide.line}
            for slide in plan.slides
        ]
        + [{"id": f"unmatched/{name}", "key": name, "batch": None, "why": why} for name, why in plan.unmatched.items()],
    }
