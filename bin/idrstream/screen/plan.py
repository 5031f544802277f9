"""Everything about a run that can be known before it starts: checked, counted, and cut into batches."""

import json
from datetime import datetime, timezone
from pathlib import Path

from idrstream.base import tables
from idrstream.base.tables import Problems
from idrstream.cells import checkpoints
from idrstream.images.image import REFERENCES
from idrstream.runs import digest, ledger, recipe
from idrstream.screen import (
    arguments,
    batches,
    contradictions,
    deepprofiler,
    first_look,
    inputs,
    places,
    plate_format,
    request,
    streams,
    targets,
)
from idrstream.screen import plates as calibration
from idrstream.screen.folder_input import Sheet
from idrstream.screen.named_files import DEEPPROFILER, GIVEN_A_NETWORK, absent
from idrstream.screen.run_plan import Plan
from idrstream.screen.study import Well

BIN = Path(__file__).resolve().parents[2]
STAGES = ("fetch", "flatfield", "diameter", "segment", "take_labels", "embed", "measure", "merge", "save_images")
COMMANDS = dict.fromkeys(("efficientnet", *GIVEN_A_NETWORK), "embed") | {"deepprofiler": "embed_deepprofiler"}
REQUESTED = ("id", "key", "plate", "well", "well_number", "site", "frame")


def make(values, launch_dir, session, given, schema):
    """Plan a run.

    values      params by name
    launch_dir  what relative paths of the params are relative to
    session     id of the run, which stays the same when it is resumed
    given       name -> Path, for those of input (a table), listing (the names in --input, where that is a folder),
                streams, screens, zarr_index, study, model, dp_config, dp_checkpoint, embed_model, phenotypes, source
                and outdir that exist; and locks, the folder of the environments' locks, where it is not this
                pipeline's own
    schema      nextflow_schema.json, read
    returns     Plan

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
    values = _completed(values, content.study, views or ())
    root = None if samplesheet else root  # its images are named by their own paths
    plan = _decide(values, given, content.study, images, source, root, session)
    plan.views = views
    plan.sheet = next((table for table in content.tables if isinstance(table, Sheet)), None)
    plan.warnings = [
        line for pair in zip(content.tables, per_table, strict=True) for line in request.shared_frames(*pair)
    ]
    if plan.batches:
        places.probe(images, source)
        _look(plan)
    return plan


def _wrong_params(values, given, schema):
    """What is wrong with single params, and with the files of networks that they name, in sentences."""
    problems = request.params_problems(values, schema) + absent(values, given, schema)
    if values["embedder"] == "deepprofiler" and set(DEEPPROFILER) <= given.keys():
        problems += deepprofiler.problems(given["dp_config"], given["dp_checkpoint"])
    if values["embedder"] == "efficientnet-b0" and "embed_model" in given:
        fault = checkpoints.b0_fault(given["embed_model"])
        problems += [f"--embed_model {given['embed_model'].name}: {fault}"] if fault else []
    return problems


def _canonical(values):
    """The params with one spelling for what makes the same results."""
    values = values | {"features": ",".join(sorted(str(values["features"]).split(","), reverse=True))}
    if values["camera_offset"] == "auto" and values["illumination"] != "plate":
        return values | {"camera_offset": 0}  # nuclei of several wells tell it
    return values


def _completed(values, described, views):
    """The params with what the study says of the nuclei's channel, and the streams of outlines."""
    if values.get("nuclear") is None and described.channel is not None:
        values = values | {"nuclear": described.channel + 1}
    if any(view["outlines"] for view in views):
        values = values | {"save": ",".join(sorted(arguments.saved(values) | {"outlines"}))}
    return values


def _look(plan):
    """Let the plan's first images say how large frames are. Raises tables.Problems where they lack what is wanted."""
    todo = [asked for batch in plan.batches for asked in batch["images"]]
    size = None if plan.source else first_look.size(todo, plan.root, _reading(plan.settings))
    if size:
        plan.study = plan.study.with_frames_of(size)


def write(plan, folder):
    """Write `plan.json` and one JSON a batch and a plate; the folder is what the pipeline reads."""
    common = _reading(plan.settings) | {"source": plan.source, "bit_depth": plan.settings["bit_depth"]}
    common |= {"root": plan.root, "session": plan.session, "window": plan.settings["illumination"] == "frames"}
    common |= {"camera_offset": 0 if plan.settings["camera_offset"] == "auto" else plan.settings["camera_offset"]}
    for kind in ("batches", "plates"):
        (folder / kind).mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(_summary(plan), indent=1))
    if plan.sheet:
        tables.write(folder / "samplesheet.tsv", plan.sheet.columns, [row.cells for row in plan.sheet.rows])
    for batch in plan.batches:
        references = {plate: plan.plates[plate] for plate in _plates(batch, plan)}
        content = batch | common | {"recipe": plan.recipe, "references": references}
        content["folders"] = places.folders(batch["images"], plan.root)
        (folder / "batches" / f"{batch['id']}.json").write_text(json.dumps(content, indent=1))
    for plate, images in plan.plates.items():
        packet = {"id": plate, "identity": plan.identities[plate], "images": images, "all": True}
        packet["folders"] = places.folders(images, plan.root)
        (folder / "plates" / f"{plate}.json").write_text(json.dumps(packet | common, indent=1))


def _summary(plan):
    """What `plan.json` holds: the run as a whole, and what the pipeline needs to know of a batch or plate."""
    auto, own = plan.settings["diameter"] == "auto", plan.settings["illumination"] == "frames"
    within = {asked["id"]: batch["id"] for batch in plan.batches for asked in batch["images"]}
    pixels = plan.study.frame["height"] * plan.study.frame["width"]
    size = {"pixels": pixels, "bytes": pixels * plan.study.frame["bits"] // 8}  # of a frame
    largest = max((len(batch["images"]) for batch in plan.batches), default=0)
    references = size["bytes"] * max(map(len, plan.plates.values()), default=0)
    summary = {
        "problems": [],
        "batch_bytes": max(_work(plan, largest), references),
        "text": plan.text(),
        "folders": plan.folders,
        "stages": plan.stages,
        "batches": [
            {"id": b["id"], "number": b["number"], "images": len(b["images"]), "plates": _plates(b, plan)}
            | {"fields": own, "kept": bool(b["kept"]), "work": _work(plan, len(b["images"]))}
            | size
            for b in plan.batches
        ],
        "plates": [
            {"id": plate, "images": len(images), "diameter": auto} | size
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
        "requested": [
            {name: asked[name] for name in (*REQUESTED, "variant") if name in asked}
            | {"batch": within.get(asked["id"])}
            for asked in plan.images
        ],
        "places": plan.places,
        "wells": plan.study.wells,
    }
    return summary | ({"streams": plan.views} if plan.views else {})


def _work(plan, images):
    """Bytes that so many images take in the work folder, about."""
    return batches.estimate(images, plan.study, plan.stop)["work"] + images * plan.saved


def _decide(values, given, described, images, source, root, session):
    """The plan of a request that has nothing wrong in itself; what is left depends on the selection and the ledger."""
    whole, broken = ledger.read(given["outdir"])
    _continued(whole + broken, values["outdir"])
    libraries = recipe.read_locks(given.get("locks", BIN.parent / "containers"))
    wanted, stop = _recipe(values, given, described, libraries), bool(values["stop_after"])
    shaping, earlier = recipe.of_labels(wanted), batches.aside(given["outdir"])
    before = [*(entry for some in earlier.values() for entry in some), *whole]
    frames = _references(values, described, images, before, shaping)
    batches.identify(images, shaping, frames)
    stamp = f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}"
    old = batches.stale(whole, images, wanted)
    for entry in old:  # one that a kill kept from being moved goes where it was to go
        earlier.setdefault(entry.get("aside", stamp), []).append(entry)
    entries = [entry for entry in whole if entry not in old]
    inferred = not (values["study"] or values.get("plate_format"))
    described = plate_format.holding(described, inferred, entries, values["outdir"])
    for asked in images:
        asked["well_number"] = described.well_number(Well.parse(asked["well"]))
    selected, cut, settled = _remaining(values, images, entries, earlier, session)
    todo = [asked for batch in cut for asked in batch["images"]]
    stages = _stages(values, wanted, libraries)
    if conflicts := targets.problems(given["outdir"], values, stages, images, todo, whole + broken):
        raise Problems(conflicts)
    plates = {plate: frames[plate] for plate in sorted({asked["plate"] for asked in todo}) if plate in frames}
    identities = {plate: calibration.identity(own, recipe.of_plates(wanted)) for plate, own in plates.items()}
    differs = batches.differences(old, wanted) if old else ""
    return Plan(
        workflow=values["workflow"],
        images=selected,
        places={asked["id"]: asked["row"] for asked in images},
        batches=cut,
        plates=plates,
        identities=identities,
        settled_plates=calibration.settled(given["outdir"], identities),
        stale=[entry["batch"] for entry in old],
        broken=[entry["batch"] for entry in broken],
        stamp=stamp,
        differs=differs,
        moved=batches.moved(old, differs, cut) if old else "",
        renumbered=batches.renumbered(entries, images, cut, described.wells, stop),
        recipe=wanted,
        settings=values,
        stages=stages,
        source=source,
        root=root,
        folders=places.folders(images, root),
        session=session,
        settled=sum(asked["id"] in settled for asked in selected),
        study=described,
        outdir=values["outdir"],
        stop=stop,
    )


def _remaining(values, images, entries, earlier, session):
    """What is left to do.

    images   of the whole table, identified
    entries  of the ledger, that are not stale
    earlier  time -> entries of batches that lie in stale/, or are to be moved there
    returns  (selected images, their batches that are left to do, ids of images that need no work)
    """
    stop, numbers = bool(values["stop_after"]), set(batches.select(images, values))
    selected = [asked for asked in images if asked["row"] // values["batch_size"] in numbers]
    replacing, kept = [], {}
    if values["redo"]:
        done = [e for e in entries if e["session"] != session or (ledger.stopped(e) and not stop)]
        replacing, selected = batches.replaced(done, images, selected, values["outdir"])
        if stop and not all(map(ledger.stopped, replacing)):
            lost = f"{values['outdir']} holds features of these images, which would be lost; name another --outdir"
            raise Problems([f"--redo: with --stop_after qc, {lost}"])
        entries = [entry for entry in entries if entry not in done]
    else:
        kept = batches.kept(earlier, entries)
    settled = batches.settled_ids(entries, stop)
    cut = batches.cut(selected, values["batch_size"], settled, replacing, kept, "q" if stop else "b")
    return selected, cut, settled


def _continued(entries, outdir):
    """Raise tables.Problems for a ledger of another version of idrstream, with recipes that this one cannot compare."""
    if any(recipe.unknown(entry["recipe"]) for entry in entries):
        whose = "another version of idrstream (0.1.0, or a later one) wrote its ledger, which this one cannot continue"
        raise Problems([f"--outdir {outdir}: {whose}; name another --outdir"])


def _recipe(values, given, described, libraries):
    settings = values | {"streams": bool(values.get("streams"))}
    settings |= dict.fromkeys(recipe.CHECKSUMS) | recipe.checksums(given)
    settings |= {"features": recipe.NO_FEATURES} if values["stop_after"] else {}
    return recipe.of(settings, recipe.read_versions(BIN / "idrstream"), libraries)


def _references(values, described, images, entries, shaping):
    """Frames of each plate for field, diameter and range: those of ENTRIES whose label images are alike."""
    auto = REFERENCES if "auto" in (values["diameter"], values["bit_depth"]) else 0
    count = {"plate": batches.candidates(values, described)}.get(values["illumination"], auto)
    alike = [entry for entry in entries if recipe.of_labels(entry["recipe"]) == shaping]
    return batches.references(streams.frames(images), alike, count) if count else {}


def _stages(values, wanted, libraries):
    """Arguments of each stage's command, with the libraries that it is to find, and the digest of its code."""
    commands = {stage: stage for stage in STAGES} | {"embed": COMMANDS[values["embedder"]]}
    code = {stage: digest.of(BIN / f"{command}.py", BIN) for stage, command in commands.items()}
    return {
        stage: {"args": f"{args} {recipe.option(stage, wanted, libraries)}".strip(), "code": code.get(stage, "")}
        for stage, args in arguments.of(values).items()
    }


def _reading(values):
    """How the files of a run are read, as `fetch` takes it."""
    return {name: values.get(name) for name in ("reader", "nuclear", "z")}


def _plates(batch, plan):
    return sorted({asked["plate"] for asked in batch["images"]} & plan.plates.keys())
