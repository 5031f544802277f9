"""Which images are asked for, which of them are left to do, and in which batches they travel."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path, PurePath

from idrstream.base import tables
from idrstream.base.sampling import spread
from idrstream.runs import ledger, recipe
from idrstream.runs.housekeeping import STALE
from idrstream.screen import hcs, study

CANDIDATES = 24  # frames fetched for a plate's flat-field, of which the sparsest are used
MORE_CANDIDATES = 48  # where the camera's offset is unknown and nuclei are few, for nuclei tell it ...
ENOUGH = 2000  # ... so many well

CELL_BYTES = (1280 + 148) * 4  # a row of the cell table, before compression: both families of features
BARE_BYTES = 100  # one without features


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
        movies = [sorted(wells[numbers[i]], key=_time) for i in spread(len(numbers), count)]
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


def candidates(values, described):
    """How many frames of a plate are fetched for its flat-field: more where nuclei are few, or nobody says how many.

    values     the params
    described  study.Study
    """
    many = values["study"] and described.frame["nuclei"] * CANDIDATES >= ENOUGH
    return CANDIDATES if many or values["camera_offset"] != "auto" else MORE_CANDIDATES


def identify(images, shaping, frames):
    """Give every image its id: a hash of what it is, its metadata and recipe, its plate's references.

    Its well is told by name: the well's number follows from the plates' format, and that perhaps from other wells.

    shaping  what shapes its label image (recipe.of_labels): more than that, the recipe of its batch says
    """
    for asked in images:
        own = [reference["key"] for reference in frames.get(asked["plate"], [])]
        content = [asked["key"], asked["file"], asked["metadata"], shaping, own]
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


def stale(entries, images, wanted):
    """Committed batches that this run would not make again as they are: another recipe, or another row.

    Not those that stopped on the way to where this run goes, and not those that went on from where it will stop.
    wanted  the recipe of this run
    """
    ids = {asked["key"]: asked["id"] for asked in images}
    return [
        entry
        for entry in entries
        if (
            entry["recipe"] not in (wanted, recipe.nuclei_recipe(wanted))
            and recipe.nuclei_recipe(entry["recipe"]) != wanted
        )
        or any(ids.get(row["key"], row["id"]) != row["id"] for row in entry["images"])
    ]


def aside(outdir):
    """What earlier runs have moved to stale/: its time -> whole entries, of this version of idrstream."""
    read = {folder.name: ledger.read(folder)[0] for folder in sorted(Path(outdir, STALE).glob("*/"))}
    return {stamp: [e for e in entries if not recipe.unknown(e["recipe"])] for stamp, entries in read.items()}


def kept(aside, entries):
    """Label images that may be taken: image id -> paths of its label image and, if there are any, its outlines.

    aside    time -> entries of batches that lie in stale/, or are to be moved there
    entries  those that count; of them what a run which stopped at quality control has left
    """
    found = {}
    for stamp, some in aside.items():
        found |= _labelled(some, f"{STALE}/{stamp}/")
    return found | _labelled(filter(ledger.stopped, entries), "")


def differences(entries, wanted):
    """In what the recipes of ENTRIES differ from the one that is WANTED, in words."""
    words = []
    for before in (entry["recipe"] for entry in entries):  # that a run stopped on the way is no difference
        words += recipe.differences(before, recipe.nuclei_recipe(wanted) if recipe.stopped(before) else wanted)
    return ", ".join(dict.fromkeys(words)) or "other rows of the input table"


def moved(entries, differs, cut):
    """What becomes of committed batches that used other settings, in a sentence.

    differs  in what, as `differences` says
    cut      the batches that are left to do
    """
    images = {row["key"] for entry in entries for row in entry["images"]}
    again = sum(asked["key"] in images for batch in cut for asked in batch["images"])
    count = f"{len(entries)} committed batch{'es' * (len(entries) > 1)} ({len(images)} images)"
    fetched = {0: "; this run fetches none of their images", len(images): " and their images fetched again"}
    words = fetched.get(again, f", and {again} of their images fetched again")
    reused = _taken(cut, f"{STALE}/")
    words += f"; the label images of {reused} are reused" if reused else ""
    return f"{count} used other settings ({differs}): they will be moved to {STALE}/{words}"


def renumbered(entries, images, cut, wells, stop):
    """Which committed images keep numbers of wells by another format of plates, in a sentence; "" if none do.

    entries  those that count
    images   of the whole table
    cut      the batches that are left to do, which get numbers of this run
    wells    (rows, columns) of the plates of this run
    stop     it stops at quality control
    """
    todo = {asked["id"] for batch in cut for asked in batch["images"]}
    done = [
        row for id, row in ledger.rows(entries).items() if row["status"] in ledger.finished(stop) and id not in todo
    ]
    other = [row for row in done if row["well_number"] != study.numbered(row["well"], wells)]
    if not other:
        return ""
    example = f"{other[0]['well']} is {other[0]['well_number']} there and {study.numbered(other[0]['well'], wells)} now"
    what = "keep their Metadata_WellNumber in the tables of cells, by another format of plates"
    listed = {asked["id"] for asked in images}
    redo = ", or renumber by --redo" * all(row["id"] in listed for row in other)
    return f"{len(other)} committed images {what} ({example}); join by Metadata_Well{redo}"


def taken(cut):
    """How many label images are taken that lie among the results."""
    return _taken(cut, "labels/")


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
    kept        image id -> paths of its label image and outlines, which are there: such images travel by themselves
    letter      that the ids begin with
    returns     list of dicts: id, number, images, supersedes, kept (paths)
    """
    packets, together = defaultdict(list), _together(replacing)
    for asked in selected:
        if asked["id"] not in settled:
            own = (asked["row"] // batch_size, asked["id"] in kept)
            packets[together.get(asked["key"], own)].append(asked)
    made = []
    for images in packets.values():
        number = images[0]["row"] // batch_size
        content = hashlib.sha256("".join(sorted(asked["id"] for asked in images)).encode()).hexdigest()
        keys = {asked["key"] for asked in images}
        supersedes = [e["batch"] for e in replacing if keys & {row["key"] for row in e["images"]}]
        made.append(
            {
                "id": f"{letter}{number:04d}-{content[:10]}",
                "number": number,
                "images": [_travelling(asked) for asked in images],
                "supersedes": supersedes,
                "kept": sorted(path for asked in images for path in kept.get(asked["id"], ())),
            }
        )
    return made


def _together(replacing):
    """Image key -> keys that travel with it: a replaced batch goes when all of its images are there anew."""
    groups = {}
    for entry in replacing:
        keys = {row["key"] for row in entry["images"]}
        for key in list(keys):
            keys |= groups.get(key, set())
        groups |= dict.fromkeys(keys, frozenset(keys))
    return groups


def estimate(images, described, stop=False):
    """About what a number of images costs: bytes that travel, bytes in the work folder, bytes of results.

    stop  at quality control: then the label images are results, and there are no features
    """
    frame, nuclei = described.frame, described.frame["nuclei"]
    pixels = frame["height"] * frame["width"]
    stored = pixels * frame["bits"] // 8
    cells, labels = nuclei * (BARE_BYTES if stop else CELL_BYTES), pixels // 20
    return {
        "fetch": images * frame["bytes"],
        "work": images * (stored + labels + 2 * cells),
        "results": images * (cells + (labels if stop else 0)),
    }


def saved(described):
    """About how many bytes --save_images costs an image: frame and label image as OME-Zarr, a third more for levels."""
    pixels = described.frame["height"] * described.frame["width"]
    packed = min(described.frame["bytes"], pixels * described.frame["bits"] // 8)  # as it travels, if that is known
    return 4 * (packed + pixels // 20) // 3


def settled_ids(entries, stop=False):
    """Ids of images that need no work: finished, or failed in a way that time does not heal.

    stop  of a run that stops at quality control
    """
    known = ledger.rows(entries).items()
    failed = {id for id, row in known if row["status"] == "failed" and not row.get("retryable")}
    return failed | {id for id, row in known if row["status"] in ledger.finished(stop)}


def _time(asked):
    return asked["site"], asked["frame"]


def _travelling(asked):
    """An image as the stages see it: without its place in the table, which changes no result."""
    return {name: value for name, value in asked.items() if name not in ("row", "line", "file")}


def _labelled(entries, place):
    """Image id -> paths, in PLACE, of the label image, the outlines and the saved image that ENTRIES name."""
    found = {}
    for entry in entries:
        paths = defaultdict(list)
        saved = {} if place else {hcs.field(row): row["key"] for row in entry["images"]}
        for path in (file["path"] for file in entry["files"]):
            if path.startswith(("labels/", "outlines/")):
                paths[PurePath(path).stem].append(place + path)
            elif path.startswith(f"{hcs.FOLDER}/"):
                paths[saved.get("/".join(path.split("/")[:5]))].append(path)
        images = {row["key"]: row["id"] for row in entry["images"]}
        labels = {name: some for name, some in paths.items() if any(path.endswith(".tif") for path in some)}
        found |= {images[name]: some for name, some in labels.items() if name in images}
    return found


def _taken(cut, place):
    paths = [path for batch in cut for path in batch["kept"]]
    return sum(path.startswith(place) and path.endswith(".tif") for path in paths)
