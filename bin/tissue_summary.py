#!/usr/bin/env python3
"""Tell what became of every slide of a run. Standard library only."""

import argparse
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import housekeeping
from idrstream.runs import outcome as runs
from idrstream.tissue import outcome


def main():
    """Write slides.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("out", help="where the closing lines go")
    parser.add_argument("--outdir", required=True, help="the output folder")
    parser.add_argument("--max_failed", type=float, required=True, help="share of the slides that may fail")
    parser.add_argument("--provenance", required=True, help="JSON of the run: params, versions, model")
    options = parser.parse_args()
    plan, run = files.read_json(options.plan / "plan.json"), files.read_json(options.provenance)
    gate = runs.prepare(options.outdir, outcome.PART, outcome.FILES, run, plan["model"])
    begun = files.read_json(Path(options.outdir, housekeeping.PLAN))["begun"]
    closing = outcome.summarise(plan["requested"], options.outdir, options.max_failed, gate, begun)
    files.write_json(options.out, closing)


if __name__ == "__main__":
    head.run(main)
