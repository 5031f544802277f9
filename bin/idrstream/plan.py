"""Everything about a run that can be known before it starts: checked, counted, and cut into batches."""

import json
from datetime import datetime, timezone
from pathlib import Path

from idrstream import (
    arguments,
    batches,
    bit_depth,
    checkpoints,
    contradictions,
    deepprofiler,
    digest,
    first_look,
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
from idrstream.readers import planes
from idrstream.tables import Problems

BIN = Path(__file__).resolve().parents[1]
STAGES = ("fetch", "flatfield", "diameter", "segment", "take_labels", "embed", "measure", "merge", "save_images")
COMMANDS = dict.fromkeys(("efficientnet", *GIVEN_A_NETWORK), "embed") | {"deepprofiler": "embed_deepprofiler"}
REQUESTED = ("id", "key", "plate", "well", "well_number", "site", "frame")


class Plan:
    """A run's plan, made by `make`.

    images    every image of the selection
    places    image id -> place of its row in the input table and its well's number, of all images of the table
    batches   what is left to do (batches.cut)
    plates    plate -> images that tell its flat-field, diameter and range of grey levels; empty if none is wanted
    identities      plate -> what that is made of
    settled_plates  those of which the output folder holds it
    workflow  that the output folder belongs to
    stale     ids of committed batches that used other settings, which are moved to stale/STAMP
    broken    ids of committed batches whose files were changed or deleted since, which are moved there too
    stamp     the time of this plan, in UTC
    differs   in what their settings differ, in words
    moved     what becomes of those that used other settings, in a sentence; "" without any
    renumbered  which committed images number their wells otherwise, in a sentence; "" if none do
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
        if not (self.settings["study"] or self.settings.get("plate_format")):
            lines.append(self.study.format_text)
        lines += [f"warning: {sentence}" for sentence in self.warnings]
        lines += filter(None, [self.moved, self.renumbered])
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
            f"(an estimate from {first_look.text(self.study.frame)})",
            *[f"of these {units.size(todo * self.saved)} are images to look at, {units.size(self.saved)} each"]
            * bool(self.saved),
            *planes.in_words(self.settings),
            f"model sha256 {self.recipe['model'][:12]}, diameter {self.settings['diameter']}"
            + (f" (estimated from {REFERENCES} frames a plate)" if self.settings["diameter"] == "auto" else " pixels"),
            _illumination(self.settings, self.study),
            bit_depth.text(self.settings["bit_depth"]),
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
        problems += contradictions.of_wells(values, described)
    problems += contradictions.of_streams(values, named or ())
    labelled = _attempt(problems, request.read, given["phenotypes"], "phenotypes") if "phenotypes" in given else None
    if values["phenotypes"] and not values.get("outlines") and not any(stream["outlines"] for stream in named or ()):
        problems.append("--phenotypes: a point lies in a nucleus's outline; add --outlines")
    if values.get("plate_format") and values["study"]:
        problems.append(f"--plate_format: not with --study, whose wells say how large plates are ({values['study']})")
    if samplesheet and values.get("zarr_index"):
        problems.append("--zarr_index: a samplesheet names its images itself, OME-Zarr too: plate.zarr/B/3/0")
    source, root = _attempt(problems, places.base, values, launch_dir, described, samplesheet) or (None, None)
    index = _attempt(problems, request.read, given["zarr_index"], "zarr_index") if "zarr_index" in given else None
    stores = _attempt(problems, request.stores, index, root) if index else None
    problems += [sentence for table in (*read, screens, labelled, index) if table for sentence in table.problems]
    if samplesheet and "study" not in given:
        wells = (study.Well.parse(row.cells["well"]) for table in read for row in table.rows)
        described = study.fitted(described, wells, values.get("plate_format"))
    images = []
    if samplesheet and described:
        images = [_attempt(problems, request.from_samplesheet, table, described, source or root) for table in read]
    elif read and screens and described and described.locations:
        images = [_attempt(problems, request.from_wells, table, screens, described, stores) for table in read]
    if problems:
        raise Problems(dict.fromkeys(problems))
    warnings = [line for table, own in zip(read, images, strict=True) for line in request.shared_frames(table, own)]
    images, views = streams.union(named, images) if named else (images[0], None)
    if unseen := request.unseen_control(values.get("negative_control"), images):
        raise Problems([unseen])
    root = None if samplesheet else root  # its images are named by their own paths
    if values.get("nuclear") is None and described.channel is not None:
        values = values | {"nuclear": described.channel + 1}
    values = (
        values | {"outlines": values.get("outlines") or any(view["outlines"] for view in views)} if views else values
    )
    plan = _decide(values, given, described, images, source, root, session)
    plan.views, plan.warnings = views, warnings
    if plan.batches:
        places.probe(images, source)
        wrong = None if source else first_look.plane_problem(plan.batches[0]["images"][0], root, _reading(values))
        if wrong:
            raise Problems([wrong])
    return plan


def write(plan, folder):
    """Write `plan.json` and one JSON a batch and a plate; the folder is what the pipeline reads."""
    auto, own = plan.settings["diameter"] == "auto", plan.settings["illumination"] == "frames"
    common = _reading(plan.settings) | {"source": plan.source, "bit_depth": plan.settings["bit_depth"]}
    common |= {"root": plan.root, "session": plan.session, "window": own}
    common |= {"camera_offset": 0 if plan.settings["camera_offset"] == "auto" else plan.settings["camera_offset"]}
    within = {asked["id"]: batch["id"] for batch in plan.batches for asked in batch["images"]}
    pixels = plan.study.frame["height"] * plan.study.frame["width"]
    size = {"pixels": pixels, "bytes": pixels * plan.study.frame["bits"] // 8}  # of a frame
    largest = max((len(batch["images"]) for batch in plan.batches), default=0)
    learnt = size["bytes"] * max(map(len, plan.plates.values()), default=0)
    summary = {
        "problems": [],
        "batch_bytes": max(_work(plan, largest), learnt),
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
    learnt = {plate: frames[plate] for plate in sorted(plates) if plate in frames}
    identities = {plate: known.identity(own, recipe.of_plates(wanted)) for plate, own in learnt.items()}
    size = None if source else first_look.size(todo, root, _reading(values))
    described = described.with_frames_of(size) if size else described
    differs = batches.differences(old, wanted) if old else ""
    return Plan(
        workflow=values["workflow"],
        images=selected,
        places={asked["id"]: {name: asked[name] for name in ("row", "well_number")} for asked in images},
        batches=cut,
        plates=learnt,
        identities=identities,
        settled_plates=known.settled(given["outdir"], identities),
        stale=[entry["batch"] for entry in old],
        broken=[entry["batch"] for entry in broken],
        stamp=stamp,
        differs=differs,
        moved=batches.moved(old, differs, cut) if old else "",
        renumbered=batches.renumbered(entries, images),
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


def _illumination(values, described):
    """What is done about it, in words."""
    if values["illumination"] == "none":
        return "no flat-field"
    if values["illumination"] == "frames":
        return f"a flat-field an image, fitted to {WINDOW} frames of its movie"
    words = (
        f"a flat-field a plate, fitted to the sparsest of at most {batches.candidates(values, described)} frames of it"
    )
    return f"{words}, and the camera's offset estimated" if values["camera_offset"] == "auto" else words


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


def _reading(values):
    """How the files of a run are read, as `fetch` takes it."""
    return {name: values.get(name) for name in ("reader", "nuclear", "z")}


def _plates(batch, plan):
    return sorted({asked["plate"] for asked in batch["images"]} & plan.plates.keys())
