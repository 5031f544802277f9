"""Everything about a run that can be known before it starts: checked, counted, and cut into batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from idrstream.base import tables
from idrstream.base.tables import Problems
from idrstream.cells import checkpoints
from idrstream.images.calibration import REFERENCES
from idrstream.runs import ledger, params, planning
from idrstream.runs.planning import BIN
from idrstream.runs.types import LedgerEntry, Recipe
from idrstream.screen import (
    arguments,
    batches,
    contradictions,
    deepprofiler,
    first_look,
    inputs,
    places,
    plate_format,
    recipe,
    request,
    streams,
    targets,
)
from idrstream.screen import plates as calibration
from idrstream.screen.folder_input import Sheet
from idrstream.screen.named_files import DEEPPROFILER, absent
from idrstream.screen.run_plan import Plan
from idrstream.screen.study import Study, Well
from idrstream.screen.types import (
    Batch,
    BatchPacket,
    PlannedImage,
    PlanSummary,
    PlatePacket,
    Reading,
    Reference,
    RequestedImage,
    Source,
    StreamView,
)

COMMANDS = dict.fromkeys(recipe.ENGINES, "embed") | {"deepprofiler": "embed_deepprofiler"}
REQUESTED = ("id", "key", "plate", "well", "well_number", "site", "frame")

Params = Mapping[str, Any]


def make(values: Params, launch_dir: str, session: str, given: Mapping[str, Path], schema: Mapping[str, Any]) -> Plan:
    """Plan a run.

    values      params by name
    launch_dir  what relative paths of the params are relative to
    session     id of the run, which stays the same when it is resumed
    given       name -> Path, for those of input (a table), listing (the names in --input, where that is a folder),
                streams, screens, zarr_index, study, model, dp_config, dp_checkpoint, embed_model, phenotypes, source
                and outdir that exist; and locks, the folder of the environments' locks, where it is not this
                pipeline's own
    schema      nextflow_schema.json, read

    Raises tables.Problems with everything that is wrong, not just the first thing.
    """
    problems = _wrong_params(values, given, schema)
    values = _canonical(values)
    content = inputs.read(values, given, launch_dir)
    problems += content.problems + contradictions.of(values, content)
    samplesheet = "samplesheet" in content.kinds
    base = inputs.attempt(problems, places.base, values, launch_dir, content.study, samplesheet)
    source, root = base or (None, None)
    per_table = inputs.attempt(problems, content.images, source, root)
    if problems:
        raise Problems(dict.fromkeys(problems))
    images, views = streams.union(content.streams, per_table) if content.streams else (per_table[0], None)
    if unseen := request.unseen_control(values.get("negative_control"), images):
        raise Problems([unseen])
    values = _completed(values, content.study, views)
    root = None if samplesheet else root  # its images are named by their own paths
    plan = _decide(values, given, content.study, images, source, root, session)
    plan.views = views
    plan.sheet = next((table for table in content.tables if isinstance(table, Sheet)), None)
    plan.warnings = [
        line for pair in zip(content.tables, per_table, strict=True) for line in request.shared_frames(*pair)
    ]
    plan.warnings += plan.sheet.warnings if plan.sheet else []
    if plan.batches:
        places.probe(images, source)
        _look(plan)
    return plan


def _wrong_params(values: Params, given: Mapping[str, Path], schema: Mapping[str, Any]) -> list[str]:
    """What is wrong with single params, and with the network files that they name, in sentences."""
    problems = params.problems(values, schema) + absent(values, given, schema)
    if values["embedder"] == "deepprofiler" and set(DEEPPROFILER) <= given.keys():
        problems += deepprofiler.problems(given["dp_config"], given["dp_checkpoint"])
    if values["embedder"] == "efficientnet-b0" and "embed_model" in given:
        fault = checkpoints.b0_fault(given["embed_model"])
        problems += [f"--embed_model {given['embed_model'].name}: {fault}"] if fault else []
    return problems


def _canonical(values: Params) -> dict[str, Any]:
    """The params, with one spelling for values that make the same results."""
    values = dict(values) | {"features": ",".join(sorted(str(values["features"]).split(","), reverse=True))}
    if values["camera_offset"] == "auto" and values["illumination"] != "plate":
        return values | {"camera_offset": 0}  # estimating it takes the nuclei of several wells
    return values


def _completed(values: dict[str, Any], described: Study, views: list[StreamView] | None) -> dict[str, Any]:
    """The params, with the nuclei's channel from the study, and outlines if a stream wants them."""
    if values.get("nuclear") is None and described.channel is not None:
        values = values | {"nuclear": described.channel + 1}
    if any(view["outlines"] for view in views or ()):
        values = values | {"save": ",".join(sorted(arguments.saved(values) | {"outlines"}))}
    return values


def _look(plan: Plan) -> None:
    """Take the size of frames from the plan's first images. Raises tables.Problems where they lack a wanted plane.

    Of a folder of images one frame a file is read: a warning where the file that was opened has more, and a note where
    none could be opened, as in a container, which has no images.
    """
    todo = [image for batch in plan.batches for image in batch["images"]]
    size = None if plan.source else first_look.size(todo, plan.root, _reading(plan.settings))
    only = "only frame 1 of each file is read; for others write a samplesheet"
    if size:
        plan.study = plan.study.with_frames_of(size)
        if plan.sheet and size["frames"] > 1:
            plan.warnings.append(f"{size['seen']}: this file has {size['frames']:,} frames, and {only}")
    elif plan.sheet:
        plan.sheet.notes.append(f"no image could be opened yet: if files have several frames, {only}")


def write(plan: Plan, folder: Path) -> None:
    """Write `plan.json` and a JSON per batch and plate, which the pipeline reads, into FOLDER."""
    for kind in ("batches", "plates"):
        (folder / kind).mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(_summary(plan), indent=1))
    if plan.sheet:
        tables.write(folder / "samplesheet.tsv", plan.sheet.columns, [row.cells for row in plan.sheet.rows])
    for batch in plan.batches:
        (folder / "batches" / f"{batch['id']}.json").write_text(json.dumps(_batch_packet(batch, plan), indent=1))
    for plate in plan.plates:
        (folder / "plates" / f"{plate}.json").write_text(json.dumps(_plate_packet(plate, plan), indent=1))


def _batch_packet(batch: Batch, plan: Plan) -> BatchPacket:
    references = {plate: plan.plates[plate] for plate in _plates(batch, plan)}
    folders = places.folders(batch["images"], plan.root)
    return {**batch, **_source(plan), "recipe": plan.recipe, "references": references, "folders": folders}


def _plate_packet(plate: str, plan: Plan) -> PlatePacket:
    images = plan.plates[plate]
    folders = places.folders(images, plan.root)
    identity = plan.identities[plate]
    return {"id": plate, "identity": identity, "images": images, "all": True, "folders": folders, **_source(plan)}


def _source(plan: Plan) -> Source:
    offset = plan.settings["camera_offset"]
    return {
        **_reading(plan.settings),
        "source": plan.source,
        "root": plan.root,
        "session": plan.session,
        "window": plan.settings["illumination"] == "frames",
        "bit_depth": plan.settings["bit_depth"],
        "camera_offset": 0 if offset == "auto" else offset,
    }


def _summary(plan: Plan) -> PlanSummary:
    """What `plan.json` holds: the run as a whole, and what the pipeline needs to know of a batch or plate."""
    auto, fields = plan.settings["diameter"] == "auto", plan.settings["illumination"] == "frames"
    pixels = plan.study.frame["height"] * plan.study.frame["width"]
    stored = pixels * plan.study.frame["bits"] // 8
    largest = max((len(batch["images"]) for batch in plan.batches), default=0)
    references = stored * max(map(len, plan.plates.values()), default=0)
    summary: PlanSummary = {
        "problems": [],
        "batch_bytes": max(_work(plan, largest), references),
        "text": plan.text(),
        "folders": plan.folders,
        "stages": plan.stages,
        "batches": [
            {
                "id": batch["id"],
                "number": batch["number"],
                "images": len(batch["images"]),
                "plates": _plates(batch, plan),
                "fields": fields,
                "kept": bool(batch["kept"]),
                "work": _work(plan, len(batch["images"])),
                "pixels": pixels,
                "bytes": stored,
            }
            for batch in plan.batches
        ],
        "plates": [
            {"id": plate, "images": len(images), "diameter": auto, "pixels": pixels, "bytes": stored}
            for plate, images in plan.plates.items()
            if plate not in plan.settled_plates
        ],
        "settled_plates": sorted(plan.settled_plates),
        "stop": plan.stop,
        "workflow": plan.workflow,
        "stale": plan.stale,
        "broken": plan.broken,
        "stamp": plan.stamp,
        "differs": plan.differs,
        "model": plan.recipe["model"],
        "requested": _requested(plan),
        "places": plan.places,
        "record": {"wells": list(plan.study.wells)},  # rows and columns of the plates
    }
    if plan.views:
        summary["streams"] = plan.views
    return summary


def _requested(plan: Plan) -> list[RequestedImage]:
    batch_of = {image["id"]: batch["id"] for batch in plan.batches for image in batch["images"]}
    requested = (
        {name: image[name] for name in (*REQUESTED, "variant") if name in image} | {"batch": batch_of.get(image["id"])}
        for image in plan.images
    )
    return [cast(RequestedImage, image) for image in requested]


def _work(plan: Plan, images: int) -> int:
    """Estimated bytes of a number of images in the work folder."""
    return batches.estimate(images, plan.study, plan.stop)["work"] + images * plan.saved


def _decide(
    values: dict[str, Any],
    given: Mapping[str, Path],
    described: Study,
    images: list[PlannedImage],
    source: str | None,
    root: str | None,
    session: str,
) -> Plan:
    """The plan of a valid request; what remains to be done depends on the selection and the ledger."""
    intact, broken = ledger.read(given["outdir"])
    _check_continuable(intact + broken, values["outdir"])
    libraries = recipe.BOOK.read_locks(given.get("locks", BIN.parent / "containers"))
    wanted, stop = _recipe(values, given, libraries), bool(values["stop_after"])
    label_recipe, moved = recipe.of_labels(wanted), batches.moved_before(given["outdir"])
    earlier = [*(entry for entries in moved.values() for entry in entries), *intact]
    references = _references(values, described, images, earlier, label_recipe)
    batches.identify(images, label_recipe, references)
    stamp = f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}"
    stale = _stale(intact, images, wanted, moved, stamp)
    entries = [entry for entry in intact if entry not in stale]
    inferred = not (values["study"] or values.get("plate_format"))
    described = plate_format.holding(described, inferred, entries, values["outdir"])
    for image in images:
        image["well_number"] = described.well_number(Well.parse(image["well"]))
    selected, cut, done = _remaining(values, images, entries, moved, session)
    todo = [image for batch in cut for image in batch["images"]]
    commands = {"embed": COMMANDS[values["embedder"]]}
    stages = planning.stages("screen", arguments.of(values), recipe.BOOK, wanted, libraries, commands)
    if conflicts := targets.problems(given["outdir"], values, stages, images, todo, intact + broken):
        raise Problems(conflicts)
    plates = {p: references[p] for p in sorted({image["plate"] for image in todo}) if p in references}
    identities = {p: calibration.identity(frames, recipe.of_plates(wanted)) for p, frames in plates.items()}
    differs = batches.differences(stale, wanted) if stale else ""
    return Plan(
        workflow=values["workflow"],
        images=selected,
        places={image["id"]: image["row"] for image in images},
        batches=cut,
        plates=plates,
        identities=identities,
        settled_plates=calibration.complete(given["outdir"], identities),
        stale=[entry["batch"] for entry in stale],
        broken=[entry["batch"] for entry in broken],
        stamp=stamp,
        differs=differs,
        moved=batches.moved_text(stale, differs, cut) if stale else "",
        renumbered=batches.renumbered_text(entries, images, cut, described.wells, stop),
        recipe=wanted,
        settings=values,
        stages=stages,
        source=source,
        root=root,
        folders=places.folders(images, root),
        session=session,
        done=sum(image["id"] in done for image in selected),
        study=described,
        outdir=values["outdir"],
        stop=stop,
    )


def _stale(
    intact: list[LedgerEntry],
    images: list[PlannedImage],
    wanted: Recipe,
    moved: dict[str, list[LedgerEntry]],
    stamp: str,
) -> list[LedgerEntry]:
    """Entries of batches that used other settings; they join MOVED, by the time of their folder in stale/."""
    stale = batches.stale(intact, images, wanted)
    for entry in stale:  # after a kill some may already have their folder
        moved.setdefault(entry.get("stale_folder", stamp), []).append(entry)
    return stale


def _remaining(
    values: Params,
    images: list[PlannedImage],
    entries: list[LedgerEntry],
    moved: Mapping[str, list[LedgerEntry]],
    session: str,
) -> tuple[list[PlannedImage], list[Batch], set[str]]:
    """What remains to be done.

    images   of the whole table, with their ids
    entries  of the ledger, that are not stale
    moved    time -> entries of batches in stale/, or about to be moved there
    returns  (selected images, the batches of those that remain, ids of images that need no work)
    """
    stop, numbers = bool(values["stop_after"]), set(batches.select(images, values))
    selected = [image for image in images if image["row"] // values["batch_size"] in numbers]
    replacing: list[LedgerEntry] = []
    reusable: batches.Reusable = {}
    if values["redo"]:
        before = [e for e in entries if e["session"] != session or (ledger.stopped(e) and not stop)]
        replacing, selected = batches.replaced(before, images, selected, values["outdir"])
        if stop and not all(map(ledger.stopped, replacing)):
            lost = f"{values['outdir']} has features of these images, which would be lost; name another --outdir"
            raise Problems([f"--redo: with --stop_after qc, {lost}"])
        entries = [entry for entry in entries if entry not in before]
    else:
        reusable = batches.reusable(moved, entries)
    done = batches.done_ids(entries, stop)
    cut = batches.cut(selected, values["batch_size"], done, replacing, reusable, "q" if stop else "b")
    return selected, cut, done


def _check_continuable(entries: Iterable[LedgerEntry], outdir: str) -> None:
    """Raise tables.Problems for a ledger of another version of idrstream, with recipes that this one cannot compare."""
    if any(recipe.BOOK.unknown(entry["recipe"]) for entry in entries):
        what = "another version of idrstream (0.1.0, or a later one) wrote its ledger, and this one cannot continue it"
        raise Problems([f"--outdir {outdir}: {what}; name another --outdir"])


def _recipe(values: Params, given: Mapping[str, Path], libraries: Mapping[str, str]) -> Recipe:
    settings = dict(values) | {"streams": bool(values.get("streams"))}
    settings |= dict.fromkeys(recipe.CHECKSUMS) | recipe.BOOK.sums(given)
    settings |= {"features": ledger.NO_FEATURES} if values["stop_after"] else {}
    return recipe.BOOK.of(settings, recipe.BOOK.read_versions(BIN / "idrstream"), libraries)


def _references(
    values: Params,
    described: Study,
    images: Sequence[PlannedImage],
    entries: Iterable[LedgerEntry],
    label_recipe: Recipe,
) -> dict[str, list[Reference]]:
    """Frames of each plate for field, diameter and range; recorded ones of ENTRIES with the same label recipe."""
    auto = REFERENCES if "auto" in (values["diameter"], values["bit_depth"]) else 0
    count = {"plate": batches.candidates(values, described)}.get(values["illumination"], auto)
    alike = [entry for entry in entries if recipe.of_labels(entry["recipe"]) == label_recipe]
    return batches.references(streams.frames(images), alike, count) if count else {}


def _reading(values: Params) -> Reading:
    """How the files of a run are read, as `fetch` takes it."""
    return {"reader": values["reader"], "nuclear": values.get("nuclear"), "z": values.get("z")}


def _plates(batch: Batch, plan: Plan) -> list[str]:
    return sorted({image["plate"] for image in batch["images"]} & plan.plates.keys())
