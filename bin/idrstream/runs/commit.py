"""How a batch is committed: its files in the output folder, its entry in the ledger, its work folders deleted.

The entry is written first as a journal, in `ledger/pending/`. As long as it has no date, the batch's files are being
written under hidden names, and what the batch supersedes is untouched: a commit that fails or is killed leaves no
trace. The date decides. The steps after it (superseded files are deleted, new ones get their names, the entry moves
into the ledger) need no disk space, and `recover` repeats them after a kill. Standard library only, because it runs on
the head.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import ledger, manifest
from idrstream.runs.types import LedgerEntry, Unit, UnitRow


@dataclass
class Results:
    """What a unit leaves in the output folder.

    files       path in the output folder -> file that is copied there
    fixed       those of them that never replace another file
    rows        the ledger's row of each image
    provenance  stage -> its model, device and settings
    """

    files: dict[str, Path]
    fixed: set[str]
    rows: list[UnitRow]
    provenance: dict[str, Any]


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line of what commits: PARSER has the arguments of its own.

    Beside them: outdir; workdir; heavy, folders to delete, none where intermediates are kept.
    """
    parser.add_argument("--outdir", required=True, help="where results are kept")
    parser.add_argument("--workdir", required=True, help="nothing outside of it is ever deleted")
    parser.add_argument("--heavy", nargs="*", default=[], help="folders to delete once all is committed")
    parser.add_argument("--keep_intermediates", action="store_true", help="delete nothing")
    options = parser.parse_args()
    if options.keep_intermediates:
        options.heavy = []
    return options


def commit(
    unit: Unit, outdir: str | Path, results: Callable[[], Results], work_folders: Sequence[str] = ()
) -> LedgerEntry:
    """Copy a unit's results to OUTDIR, in place of those that it supersedes, and enter it into the ledger.

    unit          the planner's JSON of it
    results       function that gives its Results; not called where a commit that was killed is completed
    work_folders  to be deleted afterwards; the entry names them, in case that does not happen
    returns       the ledger entry

    Called again after a kill, it completes the commit. The deepest files come first: an image of many files becomes
    visible with the last of them, the one that describes it. Raises Problems, before anything is written, for a file
    that would replace one that is not ours.
    """
    with files.locked(Path(outdir, ledger.FOLDER)):
        pending = _pending(outdir, unit["id"])
        if pending.exists() and (entry := ledger.read_entry(outdir, pending))["committed"]:
            return _finish(outdir, entry)
        done = ledger.path_of(outdir, unit["id"])
        if done.exists() and _same_commit(entry := ledger.read_entry(outdir, done), unit, work_folders):
            return entry
        return _commit(unit, outdir, results(), work_folders)


def _commit(unit: Unit, outdir: str | Path, results: Results, work_folders: Sequence[str]) -> LedgerEntry:
    sources = {path: source for path, source in results.files.items() if path not in unit["kept"]}
    paths = [ledger.path_of(outdir, name) for name in {*unit["supersedes"], unit["id"]}]
    superseded = [ledger.read_entry(outdir, path) for path in paths if path.exists()]
    former = {file["path"] for entry in superseded for file in entry["files"]}
    _refuse(outdir, sources, former)
    entry: LedgerEntry = {
        "provenance": results.provenance,
        "work_folders": list(work_folders),
        "batch": unit["id"],
        "committed": None,
        "files": [{"path": path} for path in files.deepest_first(sources)],
        "number": unit["number"],
        "session": unit["session"],
        "recipe": unit["recipe"],
        "references": unit["references"],
        "images": results.rows,
        "supersedes": sorted(other["batch"] for other in superseded),
        "former": sorted(former - (sources.keys() - results.fixed)),
    }
    _write_pending(outdir, entry)
    try:
        for file in entry["files"]:
            file.update(files.stage(sources[file["path"]], Path(outdir, file["path"])))
        entry["committed"] = datetime.now(timezone.utc).isoformat()
        _write_pending(outdir, entry)
    except OSError:  # a full disk: a smaller batch may still fit
        _undo(outdir, entry)
        raise
    return _finish(outdir, entry)


def _same_commit(entry: LedgerEntry, unit: Unit, work_folders: Sequence[str]) -> bool:
    """Is an entry that of this very commit? It was killed while it deleted its work folders."""
    made = entry["session"], entry["recipe"], [*entry["work_folders"]]
    return bool(work_folders) and made == (unit["session"], unit["recipe"], [*work_folders])


def recover(outdir: str | Path) -> None:
    """Complete the interrupted commits that have a date, and undo the others."""
    with files.locked(Path(outdir, ledger.FOLDER)):  # a commit may outlive its run
        for entry in ledger.pending(outdir):
            if entry["committed"]:
                _finish(outdir, entry)
            else:
                _undo(outdir, entry)
        for half in Path(outdir, ledger.FOLDER).rglob(".*.json.part"):
            half.unlink()


def reclaim(folders: Iterable[str], workdir: str | Path) -> int:
    """Delete a batch's work folders; returns the bytes freed.

    Only folders that lie inside WORKDIR once links are resolved, and no file behind a link. Raises ValueError for any
    other folder, before anything is deleted.
    """
    root = Path(workdir).resolve(strict=True)
    present = [Path(folder) for folder in folders if os.path.lexists(folder)]
    for folder in present:
        if folder.is_symlink() or root not in folder.resolve().parents:
            raise ValueError(f"{folder}: not a folder inside the work directory {root}; nothing was deleted")
    freed = sum(path.lstat().st_size for folder in present for path in folder.rglob("*") if not path.is_dir())
    for folder in present:
        shutil.rmtree(folder)
    return freed


def _refuse(outdir: str | Path, sources: Mapping[str, Path], former: set[str]) -> None:
    """Raise Problems for files that would overwrite others, or that a link would lead out of OUTDIR."""
    problems = [
        manifest.foreign(outdir, path) for path in sources if path not in former and os.path.lexists(Path(outdir, path))
    ]
    problems += [manifest.linked_out(outdir, path) for path in files.outside(outdir, sources)]
    if problems:
        raise Problems(problems)


def _finish(outdir: str | Path, entry: LedgerEntry) -> LedgerEntry:
    """The steps after the decision; each may have been done already."""
    wanted = {file["path"] for file in entry["files"]}
    for path in reversed(files.deepest_first(entry["former"])):
        if path not in wanted:
            files.remove(outdir, path)
        elif files.part(Path(outdir, path)).exists():  # otherwise the new file has its name already
            Path(outdir, path).unlink(missing_ok=True)
    for path in (Path(outdir, file["path"]) for file in entry["files"]):
        if files.part(path).exists():
            files.publish(path)
    for batch in entry["supersedes"]:
        if batch != entry["batch"]:
            ledger.path_of(outdir, batch).unlink(missing_ok=True)
    os.replace(_pending(outdir, entry["batch"]), ledger.path_of(outdir, entry["batch"]))
    return entry


def _undo(outdir: str | Path, entry: LedgerEntry) -> None:
    """Delete what a commit without a date has written."""
    for file in entry["files"]:
        files.remove_part(outdir, file["path"])
    _pending(outdir, entry["batch"]).unlink(missing_ok=True)


def _write_pending(outdir: str | Path, entry: LedgerEntry) -> None:
    files.write_json(_pending(outdir, entry["batch"]), entry)


def _pending(outdir: str | Path, batch: str) -> Path:
    return Path(outdir, ledger.FOLDER, ledger.PENDING, f"{batch}.json")
