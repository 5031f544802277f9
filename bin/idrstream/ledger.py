"""What is finished, and how a batch becomes so: files in the output folder, a line in the ledger, work folders gone.

One JSON file a committed batch, one row an image. An entry counts only when it is dated, which is the last step of a
commit: so what it says is there, is there. Truth is kept by *image*; a batch is only the packet in which it travelled.
Standard library only, for it runs on the head, where no environment is.
"""

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

from idrstream import files, image, recipe, tables

FOLDER = "ledger"
SEGMENTED = "segmented"  # status of an image that is ok as far as a run went that stopped at quality control

# What of an image's row is kept; where it lay and what its row said beside can be read from the input table.
KEPT = ("id", "key", "plate", "well", "well_number", "site", "frame", "status", "reason", "heals", "cells", "bytes")
KEPT += ("field_bytes", "seconds", "flatfield", "focus", "saturation", "background")
COLUMNS = ("row", "plate", "well", "well_number", "site", "frame", "status", "reason", "cells", "flatfield", "bytes")
COLUMNS += ("field_bytes", "seconds", "focus", "saturation", "background")
SHOWN = 10  # failures named in the closing lines; all are in failures.tsv


def read(outdir):
    """Entries of OUTDIR, oldest first, as (whole, broken).

    Broken is an entry that was begun and never ended (a commit was killed), or whose files are gone or changed: its
    images are computed again, and whoever commits them takes back what is left of it.

    Raises tables.Problems for an entry that names what is not in OUTDIR: trusted, it could have anything deleted.
    """
    whole, broken = [], []
    for path in sorted((Path(outdir) / FOLDER).glob("*.json")):
        entry = read_entry(outdir, path.stem)
        intact = entry["committed"] and all(files.unchanged(Path(outdir) / f["path"], f) for f in entry["files"])
        (whole if intact else broken).append(entry)
    return sorted(whole, key=lambda entry: (entry["committed"], entry["batch"])), broken


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


def write(outdir, entry):
    """Write ENTRY: first with `committed` None, before any file; then with the time, after all of them."""
    files.write_json(Path(outdir) / FOLDER / f"{entry['batch']}.json", entry)


def withdraw(outdir, batch):
    """Take back a batch: its files, whole or begun, then its entry, till then a broken one."""
    path = Path(outdir) / FOLDER / f"{batch}.json"
    if not path.exists():
        return
    for file in reversed(read_entry(outdir, batch)["files"]):
        _remove(Path(outdir) / file["path"])
    path.unlink(missing_ok=True)


def commit(batch, merged, labels, outdir, save_labels=False, images=None, heavy=()):
    """Copy a batch's results to OUTDIR and enter it into the ledger.

    batch        the planner's JSON of it, read; files that it names as `kept` stay another batch's
    merged       MERGE's folder: `results/`, laid out as the output folder is, the images' rows, and image.MADE
    labels       SEGMENT's folder: label images, kept if save_labels, and outlines, kept if there are any
    images       SAVE_IMAGES' folder, laid out as the output folder is; None if images are not kept
    heavy        work folders that are to be deleted afterwards, as text: named in the entry, should that not happen
    returns      the ledger entry

    Idempotent. Each file is whole before it gets its name, and the deepest come first: an image of many files is seen
    from the last of them on, which says what it is; when it is taken back, that one goes first. What the batch replaces
    is taken back first, so that no cell is ever there twice; a commit that is killed leaves an undated entry, by which
    the next run finds what to take back.
    """
    rows = image.read_rows(merged)
    parts = {path: Path(images) / path for path in _below(Path(images))} if images else {}
    wanted = parts | {path: Path(merged) / "results" / path for path in _below(Path(merged) / "results")}
    for row in rows:
        for folder, suffix in (("labels", "tif"),) * save_labels + (("outlines", "geojson"),):
            source = Path(labels) / f"{row['key']}.{suffix}"
            if source.exists():
                wanted[f"{folder}/plate={row['plate']}/{source.name}"] = source
    for path in batch["kept"]:
        wanted.pop(path, None)
    entry = {"made": files.read_json(Path(merged) / image.MADE), "heavy": list(heavy)}
    entry |= {"batch": batch["id"], "committed": None, "files": [{"path": path} for path in _ordered(wanted)]}
    entry |= {name: batch[name] for name in ("number", "session", "recipe", "references")}
    entry["images"] = [{name: row.get(name) for name in KEPT} | _about(row) for row in rows]
    for path in wanted:
        if not _inside(outdir, path):
            raise tables.Problems([f"{outdir}/{path}: a link leads out of the output folder; link the whole folder"])
    for replaced in batch["supersedes"]:
        if replaced != batch["id"]:
            withdraw(outdir, replaced)
    own = Path(outdir) / FOLDER / f"{batch['id']}.json"
    former = {file["path"] for file in read_entry(outdir, batch["id"])["files"]} if own.exists() else set()
    former -= wanted.keys() - parts.keys()  # a file can take another's place; the many of an image cannot
    entry["files"] += [{"path": path} for path in _ordered(former - wanted.keys())]
    write(outdir, entry)
    try:
        for path in reversed(_ordered(former)):
            _remove(Path(outdir) / path)
        entry["files"] = [{"path": path} | files.copy(wanted[path], Path(outdir) / path) for path in _ordered(wanted)]
        entry["committed"] = datetime.now(timezone.utc).isoformat()
        write(outdir, entry)
    except OSError:  # a full disk: other batches may find the room that this one did not
        withdraw(outdir, batch["id"])
        raise
    return entry


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


def read_entry(outdir, batch):
    """The entry of a batch, read. Raises tables.Problems for what no commit wrote."""
    path = Path(outdir) / FOLDER / f"{batch}.json"
    try:
        entry = files.read_json(path)
        named = [f"{FOLDER}/{entry['batch']}.json", *(file["path"] for file in entry["files"])]
        outside = [name for name in named if not _inside(outdir, name)]
        own = entry["batch"] == batch
    except (ValueError, KeyError, TypeError):
        raise tables.Problems([f"{path}: this is no entry of a ledger; nothing was deleted. Move it away"]) from None
    if outside or not own:
        what = f"it names {outside[0]!r}, which is" if outside else "it is of another batch, or"
        raise tables.Problems([f"{path}: {what} not in the output folder; nothing was deleted. Move the entry away"])
    return entry


def _inside(outdir, name):
    """Does NAME, relative to OUTDIR, lie in it, with no link on the way?"""
    root = Path(outdir).resolve()
    path = root / name
    return root in path.parents and path.resolve() == path


def _ordered(paths):
    return sorted(paths, key=lambda path: (-path.count("/"), path))


def _below(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def summarise(requested, places, outdir, max_failed, gate, stop=False):
    """Write the two tables and word the end of the run.

    requested   the images of this run's selection, from the plan
    places      image id -> place of its row in the input table, from 0, of all images of the table
    outdir      the output folder
    max_failed  share of the requested images that may fail
    gate        what became of the batches: lost (id of a batch or plate -> process, exit, log), stopped, and what the
                stream came to: inflight (batches at most), slots, disk (bytes at most)
    stop        the run stops at quality control
    returns     {"text": closing lines, "error": why the run counts as failed, or None}
    """
    entries, _ = read(outdir)
    known, done = rows(entries), finished(stop)
    settled = {id: row for id, row in known.items() if row["status"] in (*done, "failed")}
    asked = {image["id"]: settled.get(image["id"]) or image | _unfinished(image, gate) for image in requested}
    table = [row | {"row": places.get(id)} for id, row in (known | asked).items()]
    table.sort(key=lambda row: (*(row[n] for n in ("plate", "well_number", "site", "frame")), row.get("variant", "")))
    columns = COLUMNS + ("variant",) * any(row.get("variant") for row in table)
    tables.write(Path(outdir) / "images.tsv", columns, table)
    tables.write(Path(outdir) / "failures.tsv", columns, [row for row in table if row["status"] not in finished(True)])
    failed = [row for row in asked.values() if row["status"] not in done]
    cells = sum(row["cells"] for row in asked.values() if row["status"] in done)
    text = [
        f"{len(asked) - len(failed)} of {len(asked)} images done, {cells} cells",
        f"labels     {outdir}/labels"
        if stop
        else f"cells      {outdir}/profiles/single_cells (Parquet, a folder a plate)",
        f"images     {outdir}/images.tsv",
        f"failures   {outdir}/failures.tsv ({len(failed)} of this run's images)",
        f"reports    {outdir}/pipeline_info",
    ]
    if gate["inflight"]:
        fuller = f"the work folder's disk was fuller by {gate['disk'] / 1e9:.2f} GB at most"
        text.append(f"stream     {gate['inflight']} of {gate['slots']} batches at a time; {fuller}")
    return {"text": "\n".join(text), "error": _error(failed, len(asked), max_failed, gate)}


def place(row):
    """Where an image is, for people: ``DM0001_02 B16 frame 1``, with the site where it is not the first."""
    site = f" site {row['site']}" if int(row["site"]) != 1 else ""
    return f"{row['plate']} {row['well']}{site} frame {row['frame']}"


def _about(row):
    """What is kept of an image beside KEPT: for its well's role nothing else tells, should it have no cell."""
    said = {"control_type": row["metadata"]["Control_Type"], "gene": row["metadata"]["Gene"]}
    return said | ({"variant": row["variant"]} if row.get("variant") else {})


def _unfinished(asked, gate):
    """Status and reason of an image that is in no ledger entry; the next run takes it up."""
    lost = gate["lost"].get(asked["batch"]) or gate["lost"].get(asked["plate"])
    if lost:
        last = next((line.strip() for line in reversed(lost["log"]) if line.strip()), "it said nothing")
        return {"status": "lost", "reason": f"{lost['process']} ended with exit code {lost['exit']}: {last}"}
    why = "the run was stopped before its batch began" if gate["stopped"] else "its batch was not finished"
    return {"status": "missing", "reason": why}


def _error(failed, asked, max_failed, gate):
    missing = sum(row["status"] in ("missing", "lost") for row in failed)
    if not missing and len(failed) <= max_failed * asked:
        return None
    lines = [f"{len(failed)} of {asked} images failed, more than --max_failed {max_failed:g} allows"]
    if missing:
        lines = [f"{missing} of {asked} images were not finished; the next run takes them up"]
        given_up = gate["lost"].items()
        lines += [f"  {id}: {lost['process']} ended with exit code {lost['exit']}" for id, lost in given_up]
    lines += [f"  {place(row)}: {row['reason']}" for row in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more, in failures.tsv")
    return "\n".join(lines)


def _remove(path):
    path.unlink(missing_ok=True)
    path.with_name(path.name + files.PART).unlink(missing_ok=True)
