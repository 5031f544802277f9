"""What is done to the output folder before a run's first task. Standard library only, for it runs on the head."""

import os
from datetime import datetime, timezone
from pathlib import Path

from idrstream.base import files
from idrstream.runs import commit, ledger, manifest

STALE = "stale"
PLAN = Path("pipeline_info", "plan.json")
PART = "plan"  # of the manifest
SHEET = Path("pipeline_info", "samplesheet.tsv")
SHEET_PART = "samplesheet"


def begin(plan, outdir, workdir, sheet=None):
    """Make OUTDIR ready: end or undo what a killed run had begun, set stale results aside, record what is asked for.

    plan     plan.json, read
    workdir  nothing outside of it is deleted
    sheet    the samplesheet that the planner made of a folder of images; None without one
    returns  what there is to say, a sentence each
    """
    said = []
    now = datetime.now(timezone.utc)
    manifest.mark(outdir, plan["workflow"])
    manifest.claim(outdir, PART, [str(PLAN)])
    commit.recover(outdir)
    for batch in plan["stale"] + plan["broken"]:
        target = set_aside(batch, outdir, plan["stamp"])
    if plan["stale"]:
        said.append(f"moved {len(plan['stale'])} committed batches with other settings ({plan['differs']}) to {target}")
    if plan["broken"]:
        said.append(f"moved what is left of {len(plan['broken'])} batches with files changed or deleted to {target}")
    freed, refused = sweep(outdir, workdir)
    if freed:
        said.append(f"{freed / 1e6:.1f} MB deleted that a run which was killed had left of finished batches")
    asked = [{name: image[name] for name in ("id", "key", "batch")} for image in plan["requested"]]
    record = {"begun": now.isoformat(), "stop": plan["stop"], "wells": plan["wells"], "images": asked}
    files.write_json(Path(outdir) / PLAN, record)
    if sheet:
        manifest.put(outdir, SHEET_PART, {str(SHEET): sheet})
    return said + refused


def set_aside(batch, outdir, stamp):
    """Move a batch's files and then its entry to `stale/STAMP/`, as they lie in OUTDIR; returns that folder.

    Killed in between, the entry says where to go on.
    """
    path = ledger.path_of(outdir, batch)
    entry = ledger.read_entry(outdir, path)
    if "aside" not in entry:
        entry["aside"] = stamp
        files.write_json(path, entry)
    target = Path(outdir) / STALE / entry["aside"]
    names = [file["path"] for file in entry["files"] if Path(outdir, file["path"]).exists()]
    for name in [*names, str(path.relative_to(outdir))]:
        there = target / name
        there.parent.mkdir(parents=True, exist_ok=True)
        os.replace(Path(outdir, name), there)
        files.remove_part(outdir, name)
    return target


def sweep(outdir, workdir):
    """Delete work folders of committed batches that are still there.

    returns  bytes freed; and what was not deleted, because it lies elsewhere, a sentence each
    """
    freed, refused = 0, []
    for entry in ledger.read(outdir)[0]:
        left = [folder for folder in entry.get("heavy", ()) if os.path.lexists(folder)]
        try:
            freed += commit.reclaim(left, workdir) if left else 0
        except ValueError as reason:
            refused.append(str(reason))
    return freed, refused
