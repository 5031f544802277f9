#!/usr/bin/env python3
"""Tell what became of every image of a run. Standard library only."""

import argparse
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import housekeeping, manifest
from idrstream.runs import outcome as runs
from idrstream.screen import outcome


def main():
    """Write images.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("out", help="where the closing lines go")
    parser.add_argument("--outdir", required=True, help="the output folder")
    parser.add_argument("--max_failed", type=float, required=True, help="share of the images that may fail")
    parser.add_argument("--provenance", required=True, help="JSON of the run: params, versions, model")
    options = parser.parse_args()
    plan, run = files.read_json(options.plan / "plan.json"), files.read_json(options.provenance)
    former = manifest.read(options.outdir, outcome.PART)
    streams = [outcome.STREAMS] if "streams" in plan else []
    gate = runs.prepare(options.outdir, outcome.PART, [*outcome.FILES, *streams], run, plan["model"])
    if streams:
        files.write_json(Path(options.outdir, outcome.STREAMS), plan["streams"])  # what the export makes of the cells
    elif outcome.STREAMS in former:
        Path(options.outdir, outcome.STREAMS).unlink(missing_ok=True)
    begun = files.read_json(Path(options.outdir) / housekeeping.PLAN)["begun"]
    allowed = options.max_failed
    closing = outcome.summarise(
        plan["requested"], plan["places"], plan["wells"], options.outdir, allowed, gate, plan["stop"], begun
    )
    files.write_json(options.out, closing)


if __name__ == "__main__":
    head.run(main)
