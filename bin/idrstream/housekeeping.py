"""What is done to the output folder before a run's first task. Standard library only, for it runs on the head."""

import os
from datetime import datetime, timezone
from pathlib import Path

from idrstream import files, ledger

STALE = "stale"
PLAN = Path("pipeline_info", "plan.json")


def begin(plan, outdir, workdir):
    """Set stale results aside, delete what a killed commit left in the work folder, and record what is asked for.

    plan     plan.json, read
    workdir  nothing outside of it is deleted
    returns  what there is to say, a sentence each
    """
    said = []
    now = datetime.now(timezone.utc)
    for batch in plan["stale"]:
        target = set_aside(batch, outdir, plan["stamp"])
    if plan["stale"]:
        said.append(f"{len(plan['stale'])} batches of another making ({plan['differs']}) now lie in {target}")
    freed, refused = sweep(outdir, workdir)
    if freed:
        said.append(f"{freed / 1e6:.1f} MB deleted that a run which was killed had left of finished batches")
    asked = [{name: image[name] for name in ("id", "key", "batch")} for image in plan["requested"]]
    files.write_json(Path(outdir) / PLAN, {"begun": now.isoformat(), "stop": plan["stop"], "images": asked})
    return said + refused


def set_aside(batch, outdir, stamp):
    """Move a batch's files and then its entry to `stale/STAMP/`, as they lie in OUTDIR; returns that folder.

    Killed in between, the entry says where to go on.
    """
    path = Path(outdir) / ledger.FOLDER / f"{batch}.json"
    entry = ledger.read_entry(outdir, batch)
    if "aside" not in entry:
        entry["aside"] = stamp
        files.write_json(path, entry)
    target = Path(outdir) / STALE / entry["aside"]
    moved = [Path(outdir) / file["path"] for file in entry["files"]]
    for source in [*(source for source in moved if source.exists()), path]:
        there = target / source.relative_to(outdir)
        there.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, there)
    return target


def sweep(outdir, workdir):
    """Delete work folders of committed batches that are still there.

    returns  bytes freed; and what was not deleted, because it lies elsewhere, a sentence each
    """
    freed, refused = 0, []
    for entry in ledger.read(outdir)[0]:
        left = [folder for folder in entry.get("heavy", ()) if os.path.lexists(folder)]
        try:
            freed += ledger.reclaim(left, workdir) if left else 0
        except ValueError as reason:
            refused.append(str(reason))
    return freed, refused
