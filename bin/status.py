#!/usr/bin/env python3
"""Tell how far a run is, while it runs or afterwards. Standard library only."""

import argparse
from datetime import datetime, timezone
from pathlib import Path

from idrstream.base import files, units
from idrstream.runs import housekeeping, ledger, manifest

# Workflow -> what it works on, and what it finds there, if not images and cells.
NOUNS = {"tissue": ("slide", "nuclei"), "volume": ("slab result", None)}


def main():
    """Print what is done, failed and left of the last run into OUTDIR, and about how long it will take."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("outdir", type=Path, help="the output folder of a run")
    outdir = parser.parse_args().outdir
    if not (outdir / housekeeping.PLAN).exists():
        parser.error(f"{outdir}: no run has begun there ({housekeeping.PLAN} is missing)")
    print(status(outdir, datetime.now(timezone.utc)))


def status(outdir, now):
    """The lines, as of NOW."""
    plan = files.read_json(outdir / housekeeping.PLAN)
    begun = datetime.fromisoformat(plan["begun"])
    entries, _ = ledger.read(outdir)
    latest = ledger.rows(entries)
    rows = [latest.get(image["id"]) for image in plan["images"]]
    finished = ledger.finished(plan["stop"])
    done = sum(row is not None and row["status"] in finished for row in rows)
    failed = sum(row is not None and row["status"] == "failed" for row in rows)
    remaining = len(rows) - done - failed
    cells = sum(row["cells"] or 0 for row in rows if row and row["status"] in finished)
    item, found = NOUNS.get(manifest.workflow(outdir), ("image", "cells"))
    what = f" ({cells} {found})" if found else ""
    lines = [f"{units.count(len(rows), item)}: {done} done{what}, {failed} failed, {remaining} left"]
    ids = {image["id"] for image in plan["images"]}
    commits = [(datetime.fromisoformat(entry["committed"]), entry) for entry in entries]
    counts = [(time, sum(row["id"] in ids for row in entry["images"])) for time, entry in commits if time > begun]
    recent = [(time, count) for time, count in counts if count]
    if recent and remaining:
        seconds, images = (max(time for time, _ in recent) - begun).total_seconds(), sum(count for _, count in recent)
        rest = seconds / images * remaining - (now - max(time for time, _ in recent)).total_seconds()
        lines.append(
            f"{60 * images / seconds:.1f} {item}s a minute since {begun:%Y-%m-%d %H:%M} UTC; about {_time(rest)} left"
        )
    for row in [row for row in rows if row and row["status"] == "failed"][-5:]:
        lines.append(f"  {row['key']}: {row['reason']}")
    return "\n".join(lines)


def _time(seconds):
    minutes = max(1, round(seconds / 60))
    return (
        f"{minutes} min"
        if minutes < 100
        else f"{minutes / 60:.0f} h"
        if minutes < 6000
        else f"{minutes / 1440:.0f} days"
    )


if __name__ == "__main__":
    main()
