"""Which images are asked for, which of them are left to do, and in which batches they travel."""

import ast
import hashlib
import json
from collections import defaultdict
from pathlib import Path, PurePath

from idrstream import files, image, ledger, tables

PACKAGE = "idrstream"
CANDIDATES = 24  # frames fetched for a plate's flat-field, of which the sparsest are used

# What of the params shapes a result; the others may change without anything being computed again.
SHAPING = (
    "reader",
    "illumination",
    "camera_offset",
    "diameter",
    "flow_threshold",
    "cellprob_threshold",
    "remove_edge_masks",
    "features",
    "embedder",
    "embed_input",
    "crop_rule",
    "crop_mask",
)

# What of a recipe shapes features alone: that of a run which stops at quality control is without it.
FEATURES = (
    "features",
    "embedder",
    "embed_input",
    "crop_rule",
    "crop_mask",
    "dp_config",
    "dp_checkpoint",
    "embed_model",
)
FEATURES_CODE = ("embed", "measure")

CELL_BYTES = (1280 + 148) * 4  # a row of the cell table, before compression: both families of features
UNVALUED = ("model", "dp_config", "dp_checkpoint", "embed_model", "streams")  # whose value would tell nobody anything
BARE_BYTES = 100  # one without features


def recipe(params, channel, weights, code):
    """What makes a result what it is, beside the image itself: parameters, channel, files' sha256, digests of code.

    weights  name -> path, of the models and their configuration
    """
    making = {name: params[name] for name in SHAPING}
    return making | {"channel": channel, "code": code} | {name: files.sha256(path) for name, path in weights.items()}


def until_qc(making):
    """The recipe of the same run, did it stop at quality control: what makes nuclei what they are."""
    code = {stage: digest for stage, digest in making["code"].items() if stage not in FEATURES_CODE}
    return {name: value for name, value in making.items() if name not in FEATURES} | {"code": code}


def digest(source, root):
    """Digest (12 hexadecimal digits) of a file and of every module under ROOT that it imports, however deep.

    Nextflow hashes the script a task names, not what that script imports. Given to a process as an input, this digest
    makes a change in `segmentation.py` void segmentations, and a change in the planner void nothing. A package counts
    whole: it may load its members by name.
    """
    found = {}
    _collect(Path(source), Path(root), found)
    content = hashlib.sha256()
    for name in sorted(found):
        content.update(f"{name}\0".encode() + found[name].read_bytes() + b"\0")
    return content.hexdigest()[:12]


def references(images, entries, count):
    """At most COUNT frames of every plate, for its flat-field and the diameter of its nuclei: plate -> list of images.

    Taken from the whole table before any selection, so that an image's result does not depend on what else is asked
    for: wells spread over the plate, at different times. A list that stands in the ledger stays as it is.
    """
    plates = defaultdict(lambda: defaultdict(list))
    for asked in images:
        plates[asked["plate"]][asked["well_number"]].append(asked)
    chosen = {}
    for plate, wells in plates.items():
        numbers = sorted(wells)
        movies = [sorted(wells[numbers[i]], key=_time) for i in image.spread(len(numbers), count)]
        rounds = range(max(map(len, movies)))
        turns = [
            movie[(i + turn) % len(movie)] for turn in rounds for i, movie in enumerate(movies) if turn < len(movie)
        ]
        chosen[plate] = sorted(turns[:count], key=lambda asked: (asked["well_number"], *_time(asked)))
    now = {asked["key"]: asked for asked in images}
    for entry in entries:
        kept = {plate: frames for plate, frames in entry["references"].items() if plate in chosen}
        chosen |= {plate: [now.get(frame["key"], frame) for frame in frames] for plate, frames in kept.items()}
    return {plate: [_travelling(asked) for asked in frames] for plate, frames in chosen.items()}


def identify(images, making, frames):
    """Give every image its id: a hash of what it is, its row's metadata, the making, and its plate's references.

    making  of its nuclei (until_qc): which features they are given, the recipe of their batch says
    """
    for asked in images:
        own = [reference["key"] for reference in frames.get(asked["plate"], [])]
        content = [asked["key"], asked["file"], asked["metadata"], making, own]
        asked["id"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def select(images, params):
    """Numbers of the batches asked for. Batches are counted from 0 over the rows of the table, as IDR_stream does.

    Raises tables.Problems for a batch that does not exist.
    """
    count = 1 + max(asked["row"] for asked in images) // params["batch_size"]
    wanted = range(count)
    if params["batch_nums"] not in (None, "all"):
        wanted = sorted({int(number) for number in str(params["batch_nums"]).split(",")})
    there = f"there are {count} batches of {params['batch_size']} rows, 0 to {count - 1}"
    problems = [f"--batch_nums {number}: {there}" for number in wanted if number >= count]
    if params["start_batch"] >= count:
        problems.append(f"--start_batch {params['start_batch']}: {there}")
    chosen = [number for number in wanted if number >= params["start_batch"]]
    if not chosen and not problems:
        problems.append(f"--start_batch {params['start_batch']}: none of --batch_nums {params['batch_nums']} is left")
    if problems:
        raise tables.Problems(problems)
    return chosen


def stale(entries, images, making):
    """Committed batches that this run would not make again as they are: another recipe, or another row.

    Not those that stopped on the way to where this run goes, and not those that went on from where it will stop.
    """
    ids = {asked["key"]: asked["id"] for asked in images}
    return [
        entry
        for entry in entries
        if (entry["recipe"] not in (making, until_qc(making)) and until_qc(entry["recipe"]) != making)
        or any(ids.get(row["key"], row["id"]) != row["id"] for row in entry["images"])
    ]


def kept(entries):
    """What runs that stopped at quality control have left: image key -> its label image and its outlines, if any."""
    found = {}
    for entry in filter(ledger.stopped, entries):
        for path in (file["path"] for file in entry["files"]):
            if path.startswith(("labels/", "outlines/")):
                found.setdefault(PurePath(path).stem, []).append(path)
    return found


def differences(before, now):
    """What differs between two recipes, in words; of features nothing if the one before has none."""
    now = now if "features" in before else until_qc(now)
    flat = [r | {f"code of {stage}": digest for stage, digest in r["code"].items()} for r in (before, now)]
    gone = {name: None for name in flat[0] if not name.startswith("code")}  # code that is not wanted tells nothing
    flat[1] = gone | flat[1]
    names = [name for name in flat[1] if name != "code" and flat[0].get(name) != flat[1][name]]
    words = [
        name if name in UNVALUED or name.startswith("code") else f"{name} {flat[0].get(name)} (now {flat[1][name]})"
        for name in names
    ]
    return ", ".join(words) or "other rows of the input table"


def replaced(entries, images, selected, outdir):
    """For --redo: the batches that the selection replaces, and the selection widened to all of their images.

    Raises tables.Problems where that would lose images.
    """
    keys = {asked["key"] for asked in selected}
    touched = [entry for entry in entries if any(row["key"] in keys for row in entry["images"])]
    keys |= {row["key"] for entry in touched for row in entry["images"]}
    lost = keys - {asked["key"] for asked in images}
    if lost:
        others = f"{len(lost)} images that are not in --input, {min(lost)} among them"
        raise tables.Problems([f"--redo: {outdir} holds, in the same batches, {others}"])
    return touched, [asked for asked in images if asked["key"] in keys]


def cut(selected, batch_size, settled, replacing, kept, letter):
    """Cut what is left to do into batches.

    selected    images asked for
    batch_size  rows of the table a batch
    settled     ids that need no work
    replacing   committed batches that are replaced
    kept        image key -> paths of its label image and outlines, which are there: such images travel by themselves
    letter      that the ids begin with
    returns     list of dicts: id, number, images, supersedes, kept (paths)
    """
    packets = defaultdict(list)
    for asked in selected:
        if asked["id"] not in settled:
            packets[asked["row"] // batch_size, asked["key"] in kept].append(asked)
    made = []
    for (number, _), images in sorted(packets.items()):
        content = hashlib.sha256("".join(sorted(asked["id"] for asked in images)).encode()).hexdigest()
        keys = {asked["key"] for asked in images}
        supersedes = [e["batch"] for e in replacing if keys & {row["key"] for row in e["images"]}]
        made.append(
            {
                "id": f"{letter}{number:04d}-{content[:10]}",
                "number": number,
                "images": [_travelling(asked) for asked in images],
                "supersedes": supersedes,
                "kept": sorted(path for key in keys for path in kept.get(key, ())),
            }
        )
    return made


def estimate(images, study, stop=False):
    """About what a number of images costs: bytes that travel, bytes in the work folder, bytes of results.

    stop  at quality control: then the label images are results, and there are no features
    """
    frame, nuclei = study.frame, study.frame["nuclei"]
    pixels = frame["height"] * frame["width"]
    cells, labels = nuclei * (BARE_BYTES if stop else CELL_BYTES), pixels // 20
    return {
        "fetch": images * frame["bytes"],
        "work": images * (pixels + labels + 2 * cells),
        "results": images * (cells + (labels if stop else 0)),
    }


def saved(study):
    """About how many bytes --save_images costs an image: frame and label image as OME-Zarr, a third more for levels."""
    return 4 * (study.frame["bytes"] + study.frame["height"] * study.frame["width"] // 20) // 3


def settled_ids(entries, stop=False):
    """Ids of images that need no work: finished, or failed in a way that time does not heal.

    stop  of a run that stops at quality control
    """
    known = ledger.rows(entries).items()
    failed = {id for id, row in known if row["status"] == "failed" and not row.get("heals")}
    return failed | {id for id, row in known if row["status"] in ledger.finished(stop)}


def _time(asked):
    return asked["site"], asked["frame"]


def _travelling(asked):
    """An image as the stages see it: without its place in the table, which changes no result."""
    return {name: value for name, value in asked.items() if name not in ("row", "line", "file")}


def _collect(source, root, found):
    name = str(source.relative_to(root))
    if name in found:
        return
    found[name] = source
    if source.name == "__init__.py" and source.parent != root / PACKAGE:
        for member in source.parent.glob("*.py"):
            _collect(member, root, found)
    for module in _imports(source):
        path = root.joinpath(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                _collect(candidate, root, found)


def _imports(source):
    """Names of the package's modules that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == PACKAGE)
