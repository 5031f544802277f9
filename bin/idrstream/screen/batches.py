"""Which images are requested, which of them remain to be done, and in which batches they travel."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from idrstream.base import tables, units
from idrstream.base.sampling import spread
from idrstream.runs import ledger
from idrstream.runs.housekeeping import STALE
from idrstream.runs.types import LedgerEntry, Recipe
from idrstream.screen import hcs, recipe, study
from idrstream.screen.types import Batch, PlannedImage, Reference

CANDIDATES = 24  # frames fetched for a plate's flat-field, of which the sparsest are used
MORE_CANDIDATES = 48  # where the camera's offset is unknown and nuclei are few, because they tell it ...
ENOUGH = 2000  # ... and so many tell it well

CELL_BYTES = (1280 + 148) * 4  # a row of the cell table, before compression: both families of features
BARE_BYTES = 100  # one without features

Sizes = dict[str, int]  # bytes
Reusable = dict[str, list[str]]  # image id -> paths of its label image and, if there are any, outlines, saved image


def references(
    images: Sequence[PlannedImage], entries: Iterable[LedgerEntry], count: int
) -> dict[str, list[Reference]]:
    """At most COUNT frames of every plate, for its flat-field and the diameter of its nuclei: plate -> images.

    They are taken from the whole table before any selection, so that an image's result does not depend on which others
    are requested: from wells spread over the plate, at different times. A list already recorded in the ledger is
    reused unchanged.
    """
    plates: dict[str, dict[int, list]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        plates[image["plate"]][image["well_number"]].append(image)
    chosen = {}
    for plate, wells in plates.items():
        numbers = sorted(wells)
        movies = [sorted(wells[numbers[i]], key=_time) for i in spread(len(numbers), count)]
        rounds = range(max(map(len, movies)))
        turns = [
            movie[(i + turn) % len(movie)] for turn in rounds for i, movie in enumerate(movies) if turn < len(movie)
        ]
        chosen[plate] = sorted(turns[:count], key=lambda image: (image["well_number"], *_time(image)))
    current = {image["key"]: image for image in images}
    for entry in entries:
        recorded = {plate: frames for plate, frames in entry["references"].items() if plate in chosen}
        chosen |= {plate: [current.get(frame["key"], frame) for frame in frames] for plate, frames in recorded.items()}
    return {plate: [_in_packet(image) for image in frames] for plate, frames in chosen.items()}


def candidates(values: Mapping[str, Any], described: study.Study) -> int:
    """How many frames of a plate are fetched for its flat-field: more where nuclei are few, or their number unknown.

    values     the params
    described  study.Study
    """
    many = values["study"] and described.frame["nuclei"] * CANDIDATES >= ENOUGH
    return CANDIDATES if many or values["camera_offset"] != "auto" else MORE_CANDIDATES


def identify(
    images: Iterable[PlannedImage], label_recipe: Recipe, references: Mapping[str, Sequence[Reference]]
) -> None:
    """Give every image its id: a hash of what it is, its metadata, the recipe of its labels and its references.

    The id contains the well's name and not its number, which follows from the format of the plates, and so perhaps from
    other wells.

    label_recipe  what affects label images (recipe.of_labels); the rest is in the recipe of its batch
    """
    for image in images:
        keys = [reference["key"] for reference in references.get(image["plate"], [])]
        content = [image["key"], image["file"], image["metadata"], label_recipe, keys]
        image["id"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def select(images: Iterable[PlannedImage], params: Mapping[str, Any]) -> list[int]:
    """Numbers of the batches that --batches names, ascending. Batches are counted from 0 over the rows of the table.

    Raises tables.Problems for a batch that does not exist.
    """
    count = 1 + max(image["row"] for image in images) // params["batch_size"]
    if params["batches"] == "all":
        return list(range(count))
    chosen: set[int] = set()
    problems: list[str] = []
    for part in str(params["batches"]).split(","):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last or count - 1 if dash else first) + 1)
        if int(first) >= count or (numbers and numbers[-1] >= count):
            existing = f"the batches of {params['batch_size']} rows are 0 to {count - 1}"
            problems.append(f"--batches {part}: no such batch; {existing}")
        elif not numbers:
            problems.append(f"--batches {part}: a range begins with its lower number")
        chosen.update(numbers if not problems else ())
    if problems:
        raise tables.Problems(problems)
    return sorted(chosen)


def stale(entries: Iterable[LedgerEntry], images: Iterable[PlannedImage], wanted: Recipe) -> list[LedgerEntry]:
    """Committed batches that this run would compute differently: with another recipe, or from changed rows.

    Not those of a run that stopped at quality control where this one goes on, and not the other way round.
    wanted  the recipe of this run
    """
    ids = {image["key"]: image["id"] for image in images}
    return [
        entry
        for entry in entries
        if (
            entry["recipe"] not in (wanted, recipe.nuclei_recipe(wanted))
            and recipe.nuclei_recipe(entry["recipe"]) != wanted
        )
        or any(ids.get(row["key"], row["id"]) != row["id"] for row in entry["images"])
    ]


def moved_before(outdir: str | Path) -> dict[str, list[LedgerEntry]]:
    """What earlier runs have moved to stale/: its time -> intact entries, of this version of idrstream."""
    read = {folder.name: ledger.read(folder)[0] for folder in sorted(Path(outdir, STALE).glob("*/"))}
    return {stamp: [e for e in entries if not recipe.BOOK.unknown(e["recipe"])] for stamp, entries in read.items()}


def reusable(moved: Mapping[str, Iterable[LedgerEntry]], entries: Iterable[LedgerEntry]) -> Reusable:
    """Label images that need not be computed again.

    moved    time -> entries of batches in stale/, or about to be moved there
    entries  those that count; the label images of runs that stopped at quality control are used
    """
    paths: Reusable = {}
    for stamp, batches in moved.items():
        paths |= _labelled(batches, f"{STALE}/{stamp}/")
    return paths | _labelled(filter(ledger.stopped, entries), "")


def differences(entries: Iterable[LedgerEntry], wanted: Recipe) -> str:
    """How the recipes of ENTRIES differ from the WANTED one, in words."""
    words = []
    for entry in entries:  # having stopped at quality control is no difference
        now = recipe.nuclei_recipe(wanted) if ledger.stopped(entry) else wanted
        words += recipe.BOOK.differences(entry["recipe"], now)
    return ", ".join(dict.fromkeys(words)) or "other rows of the input table"


def moved_text(entries: Sequence[LedgerEntry], differs: str, cut: Sequence[Batch]) -> str:
    """What happens to committed batches that used other settings, in a sentence.

    differs  how they differ, as `differences` says
    cut      the batches that remain to be done
    """
    images = {row["key"] for entry in entries for row in entry["images"]}
    again = sum(image["key"] in images for batch in cut for image in batch["images"])
    count = f"{units.count(len(entries), 'committed batch')} ({units.count(len(images), 'image')})"
    fetched = {0: "; this run fetches none of their images", len(images): " and their images fetched again"}
    words = fetched.get(again, f", and {again} of their images fetched again")
    reused = _reused(cut, f"{STALE}/")
    words += f"; the label images of {reused} are reused" if reused else ""
    return f"{count} used other settings ({differs}): they will be moved to {STALE}/{words}"


def renumbered_text(
    entries: Iterable[LedgerEntry],
    images: Iterable[PlannedImage],
    cut: Iterable[Batch],
    wells: tuple[int, int],
    stop: bool,
) -> str:
    """Which committed images keep well numbers of another plate format, in a sentence; "" if none do.

    entries  those that count
    images   of the whole table
    cut      the batches that remain to be done, which get numbers of this run
    wells    (rows, columns) of the plates of this run
    stop     it stops at quality control
    """
    todo = {image["id"] for batch in cut for image in batch["images"]}
    done = [
        row for id, row in ledger.rows(entries).items() if row["status"] in ledger.finished(stop) and id not in todo
    ]
    other = [row for row in done if row["well_number"] != study.numbered(row["well"], wells)]
    if not other:
        return ""
    well, before = other[0]["well"], other[0]["well_number"]
    example = f"{well} is {before} there and {study.numbered(well, wells)} in this run"
    listed = {image["id"] for image in images}
    redo = ", or renumber them by --redo" * all(row["id"] in listed for row in other)
    tables = f"the cell tables of {units.count(len(other), 'committed image')}"
    what = "keep the Metadata_WellNumber of another plate format"
    return f"{tables} {what} ({example}); join by Metadata_Well{redo}"


def reused(cut: Iterable[Batch]) -> int:
    """How many label images are taken from the results."""
    return _reused(cut, "labels/")


def replaced(
    entries: Iterable[LedgerEntry],
    images: Sequence[PlannedImage],
    selected: Iterable[PlannedImage],
    outdir: str | Path,
) -> tuple[list[LedgerEntry], list[PlannedImage]]:
    """For --redo: the batches that the selection replaces, and the selection widened to all of their images.

    Raises tables.Problems where that would lose images.
    """
    keys = {image["key"] for image in selected}
    touched = [entry for entry in entries if any(row["key"] in keys for row in entry["images"])]
    keys |= {row["key"] for entry in touched for row in entry["images"]}
    lost = keys - {image["key"] for image in images}
    if lost:
        others = (
            f"{units.count(len(lost), 'image')} that --input does not have, such as {min(lost)}, which would be lost"
        )
        raise tables.Problems([f"--redo: the same batches of {outdir} hold {others}"])
    return touched, [image for image in images if image["key"] in keys]


def cut(
    selected: Iterable[PlannedImage],
    batch_size: int,
    done: Collection[str],
    replacing: Sequence[LedgerEntry],
    reusable: Reusable,
    letter: str,
) -> list[Batch]:
    """Cut the images that remain to be done into batches.

    selected    requested images
    batch_size  rows of the table per batch
    done        ids of images that need no work
    replacing   committed batches that are replaced
    reusable    label images that are not computed again; their images get batches of their own
    letter      first letter of the batches' ids
    """
    packets: dict[Any, list[PlannedImage]] = defaultdict(list)
    together = _together(replacing)
    for image in selected:
        if image["id"] not in done:
            alone = (image["row"] // batch_size, image["id"] in reusable)
            packets[together.get(image["key"], alone)].append(image)
    batches: list[Batch] = []
    for images in packets.values():
        number = images[0]["row"] // batch_size
        content = hashlib.sha256("".join(sorted(image["id"] for image in images)).encode()).hexdigest()
        keys = {image["key"] for image in images}
        batches.append(
            {
                "id": f"{letter}{number:04d}-{content[:10]}",
                "number": number,
                "images": [_in_packet(image) for image in images],
                "supersedes": [e["batch"] for e in replacing if keys & {row["key"] for row in e["images"]}],
                "kept": sorted(path for image in images for path in reusable.get(image["id"], ())),
            }
        )
    return batches


def _together(replacing: Iterable[LedgerEntry]) -> dict[str, frozenset[str]]:
    """Image key -> keys in the same batch: a replaced batch goes only when all of its images are computed anew."""
    groups: dict[str, frozenset[str]] = {}
    for entry in replacing:
        keys = {row["key"] for row in entry["images"]}
        for key in list(keys):
            keys |= groups.get(key, frozenset())
        groups |= dict.fromkeys(keys, frozenset(keys))
    return groups


def estimate(images: int, described: study.Study, stop: bool = False) -> Sizes:
    """Estimated cost of a number of images: bytes to fetch, bytes in the work folder, bytes of results.

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


def saved(described: study.Study) -> int:
    """Estimated bytes per image of --save images: frame and label image as OME-Zarr, a third more for levels."""
    pixels = described.frame["height"] * described.frame["width"]
    packed = min(described.frame["bytes"], pixels * described.frame["bits"] // 8)  # as it travels, if that is known
    return 4 * (packed + pixels // 20) // 3


def done_ids(entries: Iterable[LedgerEntry], stop: bool = False) -> set[str]:
    """Ids of images that need no work: finished, or failed in a way that another try does not change.

    stop  of a run that stops at quality control
    """
    rows = ledger.rows(entries).items()
    failed = {id for id, row in rows if row["status"] == "failed" and not row.get("retryable")}
    return failed | {id for id, row in rows if row["status"] in ledger.finished(stop)}


def _time(image: Mapping[str, Any]) -> tuple[int, int]:
    return image["site"], image["frame"]


def _in_packet(image: Mapping[str, Any]) -> Any:
    """An image as the stages get it: without its place in the table, which changes no result."""
    return {name: value for name, value in image.items() if name not in ("row", "line", "file")}


def _labelled(entries: Iterable[LedgerEntry], folder: str) -> Reusable:
    """Image id -> paths, in FOLDER, of the label image, the outlines and the saved image that ENTRIES name."""
    reusable: Reusable = {}
    for entry in entries:
        paths: dict[str | None, list[str]] = defaultdict(list)
        fields = {} if folder else {hcs.field(row): row["key"] for row in entry["images"]}
        for path in (file["path"] for file in entry["files"]):
            if path.startswith(("labels/", "outlines/")):
                paths[PurePath(path).stem].append(folder + path)
            elif path.startswith(f"{hcs.FOLDER}/"):
                paths[fields.get("/".join(path.split("/")[:5]))].append(path)
        ids = {row["key"]: row["id"] for row in entry["images"]}
        labels = {key: own for key, own in paths.items() if any(path.endswith(".tif") for path in own)}
        reusable |= {ids[key]: own for key, own in labels.items() if key in ids}
    return reusable


def _reused(cut: Iterable[Batch], folder: str) -> int:
    paths = [path for batch in cut for path in batch["kept"]]
    return sum(path.startswith(folder) and path.endswith(".tif") for path in paths)
