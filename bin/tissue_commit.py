#!/usr/bin/env python3
"""Make a slide final: results and ledger entry in the output folder, work folders deleted. Standard library only."""

import argparse
import json
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import commit
from idrstream.tissue import outcome, workspace


def main():
    """Commit the results of the SLIDE to --outdir, and to its workspace if it has one; then delete --heavy.

    Prints what is there as JSON.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("slide", help="the planner's JSON of the slide")
    parser.add_argument("assembled", type=Path, help="folder of ASSEMBLE")
    parser.add_argument("tables", type=Path, nargs="?", help="folder of TABLES, if anything was measured")
    options = commit.arguments(parser)
    slide = files.read_json(options.slide)
    results = lambda: _results(slide, options.assembled, options.tables, options.outdir)  # noqa: E731
    entry = commit.commit(slide, options.outdir, results, options.heavy)
    freed = commit.reclaim(options.heavy, options.workdir)
    (row,) = entry["images"]
    cells = row["counts"] and row["counts"]["cells"]
    print(json.dumps({"nuclei": row["cells"], "cells": cells, "uncertified": row["uncertified"], "freed": freed}))


def _results(slide, assembled, tables, outdir):
    folders = [folder / "results" for folder in (assembled, tables) if folder]
    made = [(folder, path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    sources = {f"{outcome.FOLDER}/{slide['id']}/{path.relative_to(folder)}": path for folder, path in made}
    if slide["workspace"]:
        workspace.publish(slide, assembled, tables, outdir)
    return commit.Results(sources, set(), [files.read_json(assembled / "row.json")], {})


if __name__ == "__main__":
    head.run(main)
