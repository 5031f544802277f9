"""The ledger of an output folder: which images are done, and which files are theirs.

One JSON file per committed batch, with one row per image. Results belong to *images*; a batch is only how they were
packed. Tables are found through the ledger's lists of files (`tables_in`), so that no other table is ever counted.
Standard library only, because it runs on the head, where there is no environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs.types import LedgerEntry

FOLDER = "ledger"
PENDING = "pending"  # folder in it: entries of commits that have begun and not ended
NO_FEATURES = "none"  # `features` in the recipe of a run that stops at quality control
SEGMENTED = "segmented"  # status of an image that is ok in a run that stopped at quality control

STAMP = r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"  # name of a folder in stale/


def read(outdir: str | Path) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
    """Entries of OUTDIR, oldest first, as (intact, broken).

    A broken entry has files that were deleted or changed: its images are computed again. An interrupted commit counts
    as `commit.recover` will leave it: as undone, or as complete.

    Raises Problems for an entry with paths outside OUTDIR: if it were trusted, other files could be deleted.
    """
    intact, broken = [], []
    for entry, decided in _entries(outdir):
        unchanged = all(files.unchanged(_path(outdir, file["path"], decided), file) for file in entry["files"])
        (intact if unchanged and entry["committed"] else broken).append(entry)
    return sorted(intact, key=lambda entry: (entry["committed"] or "", entry["batch"])), broken


def pending(outdir: str | Path) -> list[LedgerEntry]:
    """Entries of the commits in OUTDIR that have begun and not ended."""
    return _read_all(outdir, Path(outdir, FOLDER, PENDING))


def tables_in(outdir: str | Path, folder: str | Path) -> list[Path]:
    """The Parquet files of committed batches below a folder of OUTDIR, sorted; no other files."""
    inside, paths = f"{Path(folder).as_posix()}/", {}
    for entry, decided in _entries(outdir):
        names = [file["path"] for file in entry["files"] if entry["committed"]]
        paths |= {name: _path(outdir, name, decided) for name in names if name.startswith(inside)}
    return [paths[name] for name in sorted(paths) if name.endswith(".parquet") and paths[name].exists()]


def _entries(outdir: str | Path) -> list[tuple[LedgerEntry, bool]]:
    """(entry, decided) of every entry. A commit that is decided but not ended already replaces what it supersedes."""
    decided = [entry for entry in pending(outdir) if entry["committed"]]  # read first: they may end meanwhile
    entries = {entry["batch"]: entry for entry in _read_all(outdir, Path(outdir, FOLDER))}
    for entry in decided:
        entries = {batch: other for batch, other in entries.items() if batch not in entry["supersedes"]}
        entries[entry["batch"]] = entry
    return [(entry, entry in decided) for entry in entries.values()]


def _read_all(outdir: str | Path, folder: Path) -> list[LedgerEntry]:
    entries = []
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError):  # its batch is being replaced, or its commit has ended
            entries.append(read_entry(outdir, path))
    return entries


def _path(outdir: str | Path, name: str, decided: bool) -> Path:
    """Path of a batch's file: its hidden name while a DECIDED commit has not renamed it yet."""
    path = Path(outdir, name)
    return files.part(path) if decided and files.part(path).exists() else path


def stopped(entry: LedgerEntry) -> bool:
    """Did the entry's run stop at quality control? Then its cells have no features."""
    return entry["recipe"].get("features") == NO_FEATURES


def finished(stop: bool) -> tuple[str, ...]:
    """Statuses of images that need no more work. STOP: the run stops at quality control."""
    return ("ok", SEGMENTED) if stop else ("ok",)


def rows(entries: Iterable[LedgerEntry]) -> dict[str, Any]:
    """The row that counts for every image, by image id: "ok" counts before "failed", later before earlier.

    An image that is "ok" in a run that stopped at quality control gets the status SEGMENTED. Each is
    a UnitRow with the fields of the workflow.
    """
    latest = {}
    for entry in entries:
        for row in entry["images"]:
            row = row | {"batch": entry["batch"]}
            if row["status"] == "ok" and stopped(entry):
                row["status"] = SEGMENTED
            before = latest.get(row["id"])
            if before is None or row["status"] == "ok" or before["status"] != "ok":
                latest[row["id"]] = row
    return latest


def path_of(outdir: str | Path, batch: str) -> Path:
    """Path of a batch's entry."""
    return Path(outdir, FOLDER, f"{batch}.json")


def read_entry(outdir: str | Path, path: Path) -> LedgerEntry:
    """Read an entry of OUTDIR's ledger. Raises Problems for a file that no commit can have written."""
    try:
        entry = files.read_json(path)
        same = entry["batch"] == path.stem
        entries = [f"{FOLDER}/{batch}.json" for batch in (entry["batch"], *entry.get("supersedes", ()))]
        named = [*entries, *(file["path"] for file in entry["files"]), *entry.get("former", ())]
        outside = files.outside(outdir, named)
        folder = entry.get("stale_folder")
        outside += [folder] if folder is not None and not re.fullmatch(STAMP, folder) else []
    except (ValueError, KeyError, TypeError):
        raise Problems([f"{path}: not a ledger entry; move it away (nothing was deleted)"]) from None
    if not same:
        raise Problems([f"{path}: this entry belongs to another batch; move it away (nothing was deleted)"])
    if outside:
        what = f"this entry names {outside[0]!r}, which is not in the output folder"
        raise Problems([f"{path}: {what}; move the entry away (nothing was deleted)"])
    return entry
