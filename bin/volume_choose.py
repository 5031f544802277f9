#!/usr/bin/env python3
"""Choose the checkpoint of a run on volumes, and so what is to be done of them. Standard library only."""

import argparse
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import commit
from idrstream.volume import closing


def main():
    """Write what is to be done into the folder CHOSEN: plan.json, and a JSON for each slab and volume."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("chosen", type=Path, help="folder that is made")
    parser.add_argument("--outdir", required=True, help="the output folder")
    options = parser.parse_args()
    commit.recover(options.outdir)  # of this run: nothing is being committed now
    closing.close(files.read_json(options.plan / "regions.json"), options.outdir, options.chosen)


if __name__ == "__main__":
    head.run(main)
