"""What is done to the output folder before a run's first task. Standard library only, because it runs on the head."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from idrstream.base import files, units
from idrstream.runs import commit, ledger, manifest
from idrstream.runs.types import RunPlan, RunRecord

STALE = "stale"
PLAN = Path("pipeline_info", "plan.json")
PART = "plan"  # of the manifest
SHEET = Path("pipeline_info", "samplesheet.tsv")
SHEET_PART = "samplesheet"


def begin(plan: RunPlan, outdir: str | Path, workdir: str | Path, sheet: Path | None = None) -> list[str]:
    """Prepare OUTDIR: recover interrupted commits, move stale results away, record what is requested.

    plan     the planner's plan.json
    workdir  nothing outside it is deleted
    sheet    the samplesheet that the planner made of a folder of images; None without one
    returns  lines for the log
    """
    lines, target = [], None
    now = datetime.now(timezone.utc)
    manifest.mark(outdir, plan["workflow"])
    manifest.claim(outdir, PART, [str(PLAN)])
    commit.recover(outdir)
    for batch in plan["stale"] + plan["broken"]:
        target = set_aside(batch, outdir, plan["stamp"])
    if plan["stale"]:
        count = units.count(len(plan["stale"]), "committed batch")
        lines.append(f"moved {count} with other settings ({plan['differs']}) to {target}")
    if plan["broken"]:
        count = units.count(len(plan["broken"]), "committed batch")
        lines.append(f"moved the remains of {count} with changed or deleted files to {target}")
    freed, refused = sweep(outdir, workdir)
    if freed:
        lines.append(f"deleted {freed / 1e6:.1f} MB of work folders that a killed run left behind")
    requested = [{name: image[name] for name in ("id", "key", "batch")} for image in plan["requested"]]
    record: RunRecord = {"begun": now.isoformat(), "stop": plan["stop"], "images": requested}
    files.write_json(Path(outdir) / PLAN, {**record, **plan.get("record", {})})
    if sheet:
        manifest.put(outdir, SHEET_PART, {str(SHEET): sheet})
    return lines + refused


def set_aside(batch: str, outdir: str | Path, stamp: str) -> Path:
    """Move a batch's files and then its entry to `stale/STAMP/`, with their paths in OUTDIR; returns that folder.

    If this is killed, the entry tells the next run which folder it was.
    """
    path = ledger.path_of(outdir, batch)
    entry = ledger.read_entry(outdir, path)
    if "stale_folder" not in entry:
        entry["stale_folder"] = stamp
        files.write_json(path, entry)
    folder = Path(outdir) / STALE / entry["stale_folder"]
    names = [file["path"] for file in entry["files"] if Path(outdir, file["path"]).exists()]
    for name in [*names, str(path.relative_to(outdir))]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(Path(outdir, name), target)
        files.remove_part(outdir, name)
    return folder


def sweep(outdir: str | Path, workdir: str | Path) -> tuple[int, list[str]]:
    """Delete work folders of committed batches that are still on disk.

    returns  bytes freed; and a sentence for each batch whose folders were not deleted because they lie elsewhere
    """
    freed, refused = 0, []
    for entry in ledger.read(outdir)[0]:
        remaining = [folder for folder in entry.get("work_folders", ()) if os.path.lexists(folder)]
        try:
            freed += commit.reclaim(remaining, workdir) if remaining else 0
        except ValueError as reason:
            refused.append(str(reason))
    return freed, refused
