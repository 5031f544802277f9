#!/usr/bin/env python3
"""Make a batch final: results and ledger entry in the output folder, work folders deleted. Standard library only."""

import argparse
import json

from idrstream.base import files, head
from idrstream.runs import commit
from idrstream.screen import results


def main():
    """Commit BATCH from TABLES, LABELS and --images to --outdir, then delete --heavy; print what is there as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("batch", help="the planner's JSON of the batch")
    parser.add_argument("tables", help="folder of MERGE")
    parser.add_argument("labels", help="folder of SEGMENT")
    parser.add_argument("--save_labels", action="store_true", help="keep the label images too")
    parser.add_argument("--images", help="folder of SAVE_IMAGES, kept too")
    options = commit.arguments(parser)
    folders = options.tables, options.labels
    saved = {"save_labels": options.save_labels, "images": options.images}
    batch = files.read_json(options.batch)
    entry = results.commit(batch, *folders, options.outdir, work_folders=options.heavy, **saved)
    freed = commit.reclaim(options.heavy, options.workdir)
    images = entry["images"]
    done = {
        "images": len(images),
        "failed": sum(row["status"] != "ok" for row in images),
        "cells": sum(row["cells"] or 0 for row in images),
        "freed": freed,
    }
    print(json.dumps(done))


if __name__ == "__main__":
    head.run(main)
