"""How a batch becomes final: its files in the output folder, its entry in the ledger, its work folders deleted.

The entry is a journal first, in `ledger/pending/`. While it has no date, the batch's files are being written under
hidden names, and what the batch replaces is untouched: a commit that fails or is killed leaves all as it was. Its date
is the decision. What follows (the replaced files go, the new ones get their names, the entry moves into the ledger)
needs no room on the disk, and is done again by `recover` where a kill cut it short. Standard library only, for it runs
on the head.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import ledger, manifest


@dataclass
class Results:
    """What a unit leaves in the output folder.

    files   path in the output folder -> file that is copied there
    fixed   those of them that never take the place of another file
    rows    what the ledger keeps of each image: list of dicts
    made    what the results were made by, for the entry
    """

    files: dict
    fixed: set
    rows: list
    made: dict


def commit(unit, outdir, results, heavy=()):
    """Copy a unit's results to OUTDIR, in place of those that it supersedes, and enter it into the ledger.

    unit      the planner's JSON of it, read; files that it names as `kept` stay another unit's
    results   function without arguments that gives its Results; called unless a commit that was killed is ended
    heavy     work folders that are to be deleted afterwards, as text: named in the entry, should that not happen
    returns   the ledger entry

    Called again after a kill, it ends what it began. The deepest files come first: an image of many files is seen from
    the last of them on, which says what it is. Raises Problems, before anything is written, for a file that would take
    the place of one that is not ours.
    """
    with files.locked(Path(outdir, ledger.FOLDER)):
        begun = _pending(outdir, unit["id"])
        if begun.exists() and (entry := ledger.read_entry(outdir, begun))["committed"]:
            return _finish(outdir, entry)
        return _commit(unit, outdir, results(), heavy)


def _commit(unit, outdir, results, heavy):
    sources = {path: source for path, source in results.files.items() if path not in unit["kept"]}
    replaced = [ledger.path_of(outdir, name) for name in {*unit["supersedes"], unit["id"]}]
    replaced = [ledger.read_entry(outdir, path) for path in replaced if path.exists()]
    former = {file["path"] for entry in replaced for file in entry["files"]}
    _refuse(outdir, sources, former)
    entry = {"made": results.made, "heavy": list(heavy), "batch": unit["id"], "committed": None}
    entry["files"] = [{"path": path} for path in files.deepest_first(sources)]
    entry |= {name: unit[name] for name in ("number", "session", "recipe", "references")}
    entry["images"] = results.rows
    entry["replaces"] = sorted(known["batch"] for known in replaced)
    in_place = sources.keys() - results.fixed
    entry["former"] = sorted(former - in_place)
    _write_pending(outdir, entry)
    try:
        for file in entry["files"]:
            file |= files.stage(sources[file["path"]], Path(outdir, file["path"]))
        entry["committed"] = datetime.now(timezone.utc).isoformat()
        _write_pending(outdir, entry)
    except OSError:  # a full disk: other batches may find the room that this one did not
        _take_back(outdir, entry)
        raise
    return _finish(outdir, entry)


def recover(outdir):
    """End the commits that a kill cut short: the decided ones as if it had not been, the others as if they had not."""
    with files.locked(Path(outdir, ledger.FOLDER)):  # a commit may outlive the run that began it
        for entry in ledger.pending(outdir):
            if entry["committed"]:
                _finish(outdir, entry)
            else:
                _take_back(outdir, entry)
        for half in Path(outdir, ledger.FOLDER).rglob(".*.json.part"):
            half.unlink()


def reclaim(folders, workdir):
    """Delete a batch's work folders; returns the bytes freed.

    Only folders that really lie inside WORKDIR, links resolved, and no file behind a link. Raises ValueError for any
    other, before anything is deleted.
    """
    root = Path(workdir).resolve(strict=True)
    there = [Path(folder) for folder in folders if os.path.lexists(folder)]
    for folder in there:
        if folder.is_symlink() or root not in folder.resolve().parents:
            raise ValueError(f"{folder}: not a folder inside the work directory {root}; nothing was deleted")
    freed = sum(path.lstat().st_size for folder in there for path in folder.rglob("*") if not path.is_dir())
    for folder in there:
        shutil.rmtree(folder)
    return freed


def _refuse(outdir, sources, former):
    """Raise Problems for files of the batch that would overwrite others, or that a link would lead out of OUTDIR."""
    problems = [
        manifest.taken(outdir, path) for path in sources if path not in former and os.path.lexists(Path(outdir, path))
    ]
    problems += [manifest.led_out(outdir, path) for path in files.outside(outdir, sources)]
    if problems:
        raise Problems(problems)


def _finish(outdir, entry):
    """Do what follows the decision; each step may have been done already."""
    wanted = {file["path"] for file in entry["files"]}
    for path in reversed(files.deepest_first(entry["former"])):
        if path not in wanted:
            files.remove(outdir, path)
        elif files.part(Path(outdir, path)).exists():  # else the new one has its name already
            Path(outdir, path).unlink(missing_ok=True)
    for path in (Path(outdir, file["path"]) for file in entry["files"]):
        if files.part(path).exists():
            files.publish(path)
    for batch in entry["replaces"]:
        if batch != entry["batch"]:
            ledger.path_of(outdir, batch).unlink(missing_ok=True)
    os.replace(_pending(outdir, entry["batch"]), ledger.path_of(outdir, entry["batch"]))
    return entry


def _take_back(outdir, entry):
    """Delete what a commit without a date has written."""
    for file in entry["files"]:
        files.remove_part(outdir, file["path"])
    _pending(outdir, entry["batch"]).unlink(missing_ok=True)


def _write_pending(outdir, entry):
    files.write_json(_pending(outdir, entry["batch"]), entry)


def _pending(outdir, batch):
    return Path(outdir, ledger.FOLDER, ledger.PENDING, f"{batch}.json")
