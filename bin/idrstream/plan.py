"""Everything about a run that can be known before it starts: checked, counted, and cut into batches."""

import json
from datetime import datetime, timezone
from pathlib import Path

from idrstream import (
    arguments,
    batches,
    checkpoints,
    deepprofiler,
    digest,
    ledger,
    places,
    recipe,
    request,
    rules,
    streams,
    study,
    targets,
    units,
)
from idrstream import plates as known
from idrstream.image import REFERENCES, WINDOW
from idrstream.named_files import DEEPPROFILER, GIVEN_A_NETWORK, absent
from idrstream.tables import Problems

BIN = Path(__file__).resolve().parents[1]
STAGES = ("fetch", "flatfield", "diameter", "segment", "take_labels", "embed", "measure", "merge", "save_images")
COMMANDS = dict.fromkeys(("efficientnet", *GIVEN_A_NETWORK), "embed") | {"deepprofiler": "embed_deepprofiler"}
REQUESTED = ("id", "key", "plate", "well", "well_number", "site", "frame")


class Plan:
    """A run's plan, made by `make`.

    images    every image of the selection
    places    image id -> place of its row in the input table, of all images of the table
    batches   what is left to do (batches.cut)
    plates    plate -> images to which its flat-field is fitted and its diameter estimated; empty if neither is wanted
    identities      plate -> what that is made of
    settled_plates  those of which the output folder holds it
    workflow  that the output folder belongs to
    stale     ids of committed batches that used other settings, which are moved to stale/STAMP
    broken    ids of committed batches whose files were changed or deleted since, which are moved there too
    stamp     the time of this plan, in UTC
    differs   in what their settings differ, in words
    moved     what becomes of those that used other settings, in a sentence; "" without any
    recipe    what makes a result what it is (recipe.of)
    settings  the params by name, what a recipe leaves out because it has its default too
    stages    stage -> {"args": its command's arguments, "code": digest of its code}
    source    address that locations are relative to, or None
    root      local folder that they are relative to, or None
    folders   local folders that hold the images
    session   id of the run
    settled   how many images of the selection need no work
    views     what each stream holds (streams.union); None in a run without
    warnings  what may be a mistake in the input, a sentence each; nothing is stopped by it
    stop      the run stops at quality control
    saved     bytes an image that are kept for looking at; 0 if none are
    """

    def __init__(self, **parts):
        self.__dict__.update(parts)

    def text(self):
        """What the user sees before anything starts."""
        wells = {(asked["plate"], asked["well"]) for asked in self.images}
        plates = sorted({plate for plate, _ in wells})
        over = f"{len(wells)} well{'s' * (len(wells) > 1)} on {len(plates)} plate{'s' * (len(plates) > 1)}"
        todo = sum(len(batch["images"]) for batch in self.batches)
        lines = [
            f"{len(self.images)} images of {over} ({', '.join(plates[:4])}{', ...' * (len(plates) > 4)}), "
            f"{self.settled} of them settled"
        ]
        lines += [f"warning: {sentence}" for sentence in self.warnings]
        if self.moved:
            lines.append(self.moved)
        if self.broken:
            lines.append(
                f"{len(self.broken)} committed batches have files that were changed or deleted since; "
                "what is left of them will be moved to stale/"
            )
        if not todo:
            return "\n".join([*lines, f"Nothing to do: every image of the selection is settled in {self.outdir}"])
        if self.views:
            lines.append(streams.text(self.views))
        left = [asked for batch in self.batches for asked in batch["images"]]
        new = [frames for plate, frames in self.plates.items() if plate not in self.settled_plates]
        fetched = len(streams.frames(left)) + sum(map(len, new))
        fetched *= WINDOW if self.settings["illumination"] == "frames" else 1
        whole = batches.estimate(fetched + todo - len(streams.frames(left)), self.study, self.stop)
        whole |= {"fetch": batches.estimate(fetched, self.study)["fetch"]}
        whole = {name: size + (todo * self.saved if name != "fetch" else 0) for name, size in whole.items()}
        place = self.source or places.text(self.folders)
        fetched, worked, kept = (units.size(whole[what]) for what in ("fetch", "work", "results"))
        lines += [
            f"{todo} images to do in {len(self.batches)} batches, from {place}",
            f"to fetch about {fetched}; at most about {worked} in the work folder, and {kept} of results "
            "(an estimate from the study description)",
            *[f"of these {units.size(todo * self.saved)} are images to look at, {units.size(self.saved)} each"]
            * bool(self.saved),
            f"model sha256 {self.recipe['model'][:12]}, diameter {self.settings['diameter']}"
            + (f" (estimated from {REFERENCES} frames a plate)" if self.settings["diameter"] == "auto" else " pixels"),
            _illumination(self.settings, self.study),
        ]
        if taken := batches.taken(self.batches):
            lines.append(f"{taken} label images are taken from labels/, where --stop_after qc left them")
        if self.stop:
            lines.append("it stops at quality control, before features; without --stop_after it goes on from there")
        return "\n".join(lines)


def make(values, launch_dir, session, given, schema):
    """Plan a run.

    values      params by name
    launch_dir  what relative paths of the params are relative to
    session     id of the run, which stays the same when it is resumed
    given       name -> Path, for those of input, streams, screens, zarr_index, study, model, dp_config, dp_checkpoint,
                embed_model, phenotypes, source and outdir that exist; and locks, the folder of the environments' locks,
                where it is not this pipeline's own
    schema      nextflow_schema.json, read
    returns     Plan

    Raises tables.Problems with everything that is wrong, not just the first thing.
    """
    problems = request.params_problems(values, schema) + absent(values, given, schema)
    if values["embedder"] == "deepprofiler" and set(DEEPPROFILER) <= given.keys():
        problems += deepprofiler.problems(given["dp_config"], given["dp_checkpoint"])
    if values["embedder"] == "efficientnet-b0" and "embed_model" in given:
        fault = checkpoints.b0_fault(given["embed_model"])
        problems += [f"--embed_model {given['embed_model'].name}: {fault}"] if fault else []
    values = values | {"features": ",".join(sorted(str(values["features"]).split(","), reverse=True))}  # one name
    if values["camera_offset"] == "auto" and values["illumination"] != "plate":
        values = values | {"camera_offset": 0}  # nuclei of several wells tell it
    families = {"DP": "deep", "CP": "cp"}
    for shape in filter(families.get, arguments.shapes(values)):
        if families[shape] not in values["features"]:
            problems.append(f"--csv {shape}: its files hold {families[shape]} features; add them: --features deep,cp")
    if "qc_rules" in given:
        _attempt(problems, rules.read, given["qc_rules"])
    described = _attempt(problems, _study, given)
    named = (_attempt(problems, streams.read, given["streams"]) or []) if "streams" in given else None
    paths = [given["input"]] if "input" in given else [stream["table"] for stream in named or ()]
    read = [_attempt(problems, request.read, path, "samplesheet", "wells") for path in paths]
    read = [table for table in read if table]
    screens = _attempt(problems, request.read_screens, given["screens"]) if "screens" in given else None
    kinds = {table.kind for table in read}
    samplesheet = "samplesheet" in kinds
    if len(kinds) > 1:
        problems.append(f"{given['streams'].name}: some of its tables are samplesheets; all must be of one kind")
    if "wells" in kinds:
        problems += _needed_for_wells(values, described)
    problems += _unfit_for_streams(values, named or ())
    labelled = _attempt(problems, request.read, given["phenotypes"], "phenotypes") if "phenotypes" in given else None
    if values["phenotypes"] and not values.get("outlines") and not any(stream["outlines"] for stream in named or ()):
        problems.append("--phenotypes: a point lies in a nucleus's outline; add --outlines")
    if samplesheet and values.get("zarr_index"):
        problems.append("--zarr_index: a samplesheet names its images itself, OME-Zarr too: plate.zarr/B/3/0")
    source, root = _attempt(problems, places.base, values, launch_dir, described, samplesheet) or (None, None)
    index = _attempt(problems, request.read, given["zarr_index"], "zarr_index") if "zarr_index" in given else None
    stores = _attempt(problems, request.stores, index, root) if index else None
    problems += [sentence for table in (*read, screens, labelled, index) if table for sentence in table.problems]
    images = []
    if samplesheet and described:
        images = [_attempt(problems, request.from_samplesheet, table, described, source or root) for table in read]
    elif read and screens and described and described.locations:
        images = [_attempt(problems, request.from_wells, table, screens, described, stores) for table in read]
    if problems:
        raise Problems(dict.fromkeys(problems))
    warnings = [line for table, own in zip(read, images, strict=True) for line in request.shared_frames(table, own)]
    images, views = streams.union(named, images) if named else (images[0], None)
    root = None if samplesheet else root  # its images are named by their own paths
    values = (
        values | {"outlines": values.get("outlines") or any(view["outlines"] for view in views)} if views else values
    )
    plan = _decide(values, given, described, images, source, root, session)
    plan.views, plan.warnings = views, warnings
    if plan.batches:
        places.probe(images, source)
    return plan


def write(plan, folder):
    """Write `plan.json` and one JSON a batch and a plate; the folder is what the pipeline reads."""
    auto, own = plan.settings["diameter"] == "auto", plan.settings["illumination"] == "frames"
    common = {"source": plan.source, "channel": plan.study.channel, "session": plan.session, "window": own}
    common |= {"reader": plan.settings["reader"], "root": plan.root}
    common |= {"camera_offset": 0 if plan.settings["camera_offset"] == "auto" else plan.settings["camera_offset"]}
    within = {asked["id"]: batch["id"] for batch in plan.batches for asked in batch["images"]}
    pixels = plan.study.frame["height"] * plan.study.frame["width"]
    largest = max((len(batch["images"]) for batch in plan.batches), default=0)
    work = batches.estimate(largest, plan.study, plan.stop)["work"] + largest * plan.saved
    learnt = pixels * max(map(len, plan.plates.values()), default=0)
    summary = {
        "problems": [],
        "batch_bytes": max(work, learnt),
        "text": plan.text(),
        "folders": plan.folders,
        "stages": plan.stages,
        "batches": [
            {"id": b["id"], "number": b["number"], "images": len(b["images"]), "plates": _plates(b, plan)}
            | {"fields": own, "pixels": pixels, "kept": bool(b["kept"])}
            for b in plan.batches
        ],
        "plates": [
            {"id": plate, "images": len(images), "pixels": pixels, "diameter": auto}
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
    }
    if plan.views:
        summary["streams"] = plan.views
    for kind in ("batches", "plates"):
        (folder / kind).mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(summary, indent=1))
    for batch in plan.batches:
        references = {plate: plan.plates[plate] for plate in _plates(batch, plan)}
        content = batch | common | {"recipe": plan.recipe, "references": references}
        content["folders"] = places.folders(batch["images"], plan.root)
        (folder / "batches" / f"{batch['id']}.json").write_text(json.dumps(content, indent=1))
    for plate, images in plan.plates.items():
        packet = {"id": plate, "identity": plan.identities[plate], "images": images, "all": True}
        packet["folders"] = places.folders(images, plan.root)
        (folder / "plates" / f"{plate}.json").write_text(json.dumps(packet | common, indent=1))


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
    numbers = set(batches.select(images, values))
    selected = [asked for asked in images if asked["row"] // values["batch_size"] in numbers]
    old = batches.stale(whole, images, wanted)
    entries = [entry for entry in whole if entry not in old]
    stamp = f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}"
    for entry in old:  # one that a kill kept from being moved goes where it was to go
        earlier.setdefault(entry.get("aside", stamp), []).append(entry)
    kept = {} if values["redo"] else batches.kept(earlier, entries)
    replacing, settled = [], batches.settled_ids(entries, stop)
    if values["redo"]:
        done = [e for e in entries if e["session"] != session or (ledger.stopped(e) and not stop)]
        touched, selected = batches.replaced(done, images, selected, values["outdir"])
        if stop and not all(map(ledger.stopped, touched)):
            lost = f"{values['outdir']} holds features of these images, which would be lost; name another --outdir"
            raise Problems([f"--redo: with --stop_after qc, {lost}"])
        replacing, settled = touched, batches.settled_ids([e for e in entries if e not in done], stop)
    cut = batches.cut(selected, values["batch_size"], settled, replacing, kept, "q" if stop else "b")
    todo = [asked for batch in cut for asked in batch["images"]]
    stages = _stages(values, wanted, libraries)
    if conflicts := targets.problems(given["outdir"], values, stages, images, todo, whole + broken):
        raise Problems(conflicts)
    plates = {asked["plate"] for asked in todo}
    identities = {plate: known.identity(frames[plate], shaping) for plate in sorted(plates) if plate in frames}
    differs = batches.differences(old, wanted) if old else ""
    return Plan(
        workflow=values["workflow"],
        images=selected,
        places={asked["id"]: asked["row"] for asked in images},
        batches=cut,
        plates={plate: frames[plate] for plate in sorted(plates) if plate in frames},
        identities=identities,
        settled_plates=known.settled(given["outdir"], identities),
        stale=[entry["batch"] for entry in old],
        broken=[entry["batch"] for entry in broken],
        stamp=stamp,
        differs=differs,
        moved=batches.moved(old, differs, cut) if old else "",
        recipe=wanted,
        settings=values,
        stages=stages,
        source=source,
        root=root,
        folders=places.folders(images, root),
        session=session,
        settled=sum(asked["id"] in settled for asked in selected),
        study=described,
        saved=batches.saved(described) if values["save_images"] else 0,
        outdir=values["outdir"],
        stop=stop,
    )


def _continued(entries, outdir):
    """Raise tables.Problems for a ledger of another version of idrstream, with recipes that this one cannot compare."""
    if any(recipe.unknown(entry["recipe"]) for entry in entries):
        whose = "another version of idrstream (0.1.0, or a later one) wrote its ledger, which this one cannot continue"
        raise Problems([f"--outdir {outdir}: {whose}; name another --outdir"])


def _recipe(values, given, described, libraries):
    settings = values | {"channel": described.channel, "streams": bool(values.get("streams"))}
    settings |= dict.fromkeys(recipe.CHECKSUMS) | recipe.checksums(given)
    settings |= {"features": recipe.NO_FEATURES} if values["stop_after"] else {}
    return recipe.of(settings, recipe.read_versions(BIN / "idrstream"), libraries)


def _references(values, described, images, entries, shaping):
    """Frames of each plate for its flat-field and its diameter: those of ENTRIES whose label images are alike."""
    auto = REFERENCES if values["diameter"] == "auto" else 0
    count = {"plate": _candidates(values, described)}.get(values["illumination"], auto)
    alike = [entry for entry in entries if recipe.of_labels(entry["recipe"]) == shaping]
    return batches.references(streams.frames(images), alike, count) if count else {}


def _illumination(values, described):
    """What is done about it, in words."""
    if values["illumination"] == "none":
        return "no flat-field"
    if values["illumination"] == "frames":
        return f"a flat-field an image, fitted to {WINDOW} frames of its movie"
    words = f"a flat-field a plate, fitted to the sparsest of at most {_candidates(values, described)} frames of it"
    return f"{words}, and the camera's offset estimated" if values["camera_offset"] == "auto" else words


def _candidates(values, described):
    """How many frames of a plate are fetched for its flat-field: more where nuclei are few, or nobody says how many."""
    many = values["study"] and described.frame["nuclei"] * batches.CANDIDATES >= batches.ENOUGH
    return batches.CANDIDATES if many or values["camera_offset"] != "auto" else batches.MORE_CANDIDATES


def _stages(values, wanted, libraries):
    """Arguments of each stage's command, with the libraries that it is to find, and the digest of its code."""
    commands = {stage: stage for stage in STAGES} | {"embed": COMMANDS[values["embedder"]]}
    code = {stage: digest.of(BIN / f"{command}.py", BIN) for stage, command in commands.items()}
    return {
        stage: {"args": f"{args} {recipe.option(stage, wanted, libraries)}".strip(), "code": code.get(stage, "")}
        for stage, args in arguments.of(values).items()
    }


def _attempt(problems, function, *arguments):
    """Call FUNCTION and return its result; what it finds wrong joins PROBLEMS, and there is no result."""
    try:
        return function(*arguments)
    except Problems as found:
        problems += found.sentences
        return None


def _study(given):
    if "study" not in given:
        return study.SAMPLESHEET
    return study.load(given["study"], request.SCHEMAS["study"])


def _needed_for_wells(values, described):
    """What a table of wells needs beside itself."""
    problems = []
    if not values["study"]:
        problems.append("--study: a table of wells needs a study that says where a well's file lies, such as idr0013")
    if not values["screens"]:
        problems.append("--screens: a table of wells needs the table of screens (short plate name, long plate name)")
    if values["study"] and values["source"] is None and described and described.source is None:
        problems.append(
            f"--source: study {described.name} has no address of its own; name its files' folder or address"
        )
    if described and values.get("zarr_index") and not described.stored:
        problems.append(
            f"--zarr_index: study {described.name} has no location in OME-Zarr, which begins with {{store}}"
        )
    if described and described.locations and not values.get("zarr_index") and described.stored == described.locations:
        problems.append(f"--zarr_index: study {described.name} needs the table of its plates' OME-Zarr: plate, store")
    return problems


def _unfit_for_streams(values, named):
    """What of the params does not go with streams, in which every cell may be there twice."""
    problems = []
    corrected = [stream["name"] for stream in named if "ic" in stream["variants"]]
    if corrected and values["illumination"] == "none":
        problems.append(f"--illumination none: stream {corrected[0]} wants ic; say plate or frames")
    if named and values["normalize_cells"]:
        problems.append("--normalize_cells: not with --streams, for it would take both variants of a cell together")
    return problems


def _plates(batch, plan):
    return sorted({asked["plate"] for asked in batch["images"]} & plan.plates.keys())
