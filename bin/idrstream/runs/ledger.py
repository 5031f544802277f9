"""The ledger of an output folder: which images are finished, and which files are theirs.

One JSON file a committed batch, one row an image. Truth is kept by *image*; a batch is only the packet in which it
travelled. Tables are read by the ledger's lists of files (`tables_in`), so that no cell counts that it does not know.
Standard library only, for it runs on the head, where no environment is.
"""

import re
from contextlib import suppress
from pathlib import Path

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import recipe

FOLDER = "ledger"
PENDING = "pending"  # folder in it: entries of commits that have begun and not ended
SEGMENTED = "segmented"  # status of an image that is ok as far as a run went that stopped at quality control

STAMP = r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"  # of a folder in stale/


def read(outdir):
    """Entries of OUTDIR, oldest first, as (whole, broken).

    Broken is an entry whose files are gone or changed: its images are computed again. A commit that was killed counts
    as it will once `commit.recover` has been there: not at all, or as ended.

    Raises Problems for an entry that names what is not in OUTDIR: trusted, it could have anything deleted.
    """
    whole, broken = [], []
    for entry, decided in _entries(outdir):
        intact = all(files.unchanged(_place(outdir, file["path"], decided), file) for file in entry["files"])
        (whole if intact and entry["committed"] else broken).append(entry)
    return sorted(whole, key=lambda entry: (entry["committed"], entry["batch"])), broken


def pending(outdir):
    """Entries of the commits that were begun in OUTDIR and have not ended."""
    return _read_all(outdir, Path(outdir, FOLDER, PENDING))


def tables_in(outdir, folder):
    """The Parquet files of finished batches below a folder of OUTDIR, sorted: no others that lie there."""
    inside, found = f"{Path(folder).as_posix()}/", {}
    for entry, decided in _entries(outdir):
        names = [file["path"] for file in entry["files"] if entry["committed"]]
        found |= {name: _place(outdir, name, decided) for name in names if name.startswith(inside)}
    return [found[name] for name in sorted(found) if name.endswith(".parquet") and found[name].exists()]


def _entries(outdir):
    """(entry, decided) of every entry: a commit that has been decided and has not ended replaces what it will."""
    decided = [entry for entry in pending(outdir) if entry["committed"]]  # first: meanwhile they may become entries
    entries = {entry["batch"]: entry for entry in _read_all(outdir, Path(outdir, FOLDER))}
    for entry in decided:
        entries = {batch: known for batch, known in entries.items() if batch not in entry["replaces"]}
        entries[entry["batch"]] = entry
    return [(entry, entry in decided) for entry in entries.values()]


def _read_all(outdir, folder):
    found = []
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError):  # its batch is being replaced, or its commit has ended
            found.append(read_entry(outdir, path))
    return found


def _place(outdir, name, decided):
    """Where a file of a batch lies: under its name, or, of a commit that is DECIDED and has not ended, hidden still."""
    path = Path(outdir, name)
    return files.part(path) if decided and files.part(path).exists() else path


def stopped(entry):
    """Is it the entry of a run that stopped at quality control? Then its cells have no features."""
    return recipe.stopped(entry["recipe"])


def finished(stop):
    """The statuses of images that need no more work; STOP: of a run that stops at quality control."""
    return ("ok", SEGMENTED) if stop else ("ok",)


def rows(entries):
    """The last word on every image, by image id: a finished one beats a failed one, a later one an earlier one.

    What is ok in the entry of a run that stopped is only SEGMENTED. `batch` says whose word it is.
    """
    known = {}
    for entry in entries:
        for row in entry["images"]:
            row = row | {"batch": entry["batch"]}
            if row["status"] == "ok" and stopped(entry):
                row["status"] = SEGMENTED
            before = known.get(row["id"])
            if before is None or row["status"] == "ok" or before["status"] != "ok":
                known[row["id"]] = row
    return known


def path_of(outdir, batch):
    """Where the entry of a batch lies."""
    return Path(outdir, FOLDER, f"{batch}.json")


def read_entry(outdir, path):
    """An entry of OUTDIR's ledger, read. Raises Problems for what no commit wrote."""
    try:
        entry = files.read_json(path)
        own = entry["batch"] == path.stem
        entries = [f"{FOLDER}/{batch}.json" for batch in (entry["batch"], *entry.get("replaces", ()))]
        named = [*entries, *(file["path"] for file in entry["files"]), *entry.get("former", ())]
        outside = files.outside(outdir, named)
        outside += [entry["aside"]] if "aside" in entry and not re.fullmatch(STAMP, entry["aside"]) else []
    except (ValueError, KeyError, TypeError):
        raise Problems([f"{path}: this is no entry of a ledger; nothing was deleted. Move it away"]) from None
    if outside or not own:
        what = f"it names {outside[0]!r}, which is" if outside else "it is of another batch, or"
        raise Problems([f"{path}: {what} not in the output folder; nothing was deleted. Move the entry away"])
    return entry
