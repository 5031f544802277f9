#!/usr/bin/env python3
"""Make the output folder ready for a run. Standard library only."""

import argparse
import json
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import housekeeping


def main():
    """Set stale results aside, delete what a killed run left behind, record what is asked for; print it as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("--outdir", type=Path, required=True, help="the output folder")
    parser.add_argument("--workdir", required=True, help="nothing outside of it is ever deleted")
    options = parser.parse_args()
    plan = files.read_json(options.plan / "plan.json")
    sheet = options.plan / "samplesheet.tsv"
    lines = housekeeping.begin(plan, options.outdir, options.workdir, sheet if sheet.exists() else None)
    print(json.dumps({"lines": lines}))


if __name__ == "__main__":
    head.run(main)
