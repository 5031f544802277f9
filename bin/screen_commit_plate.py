#!/usr/bin/env python3
"""Keep what was learnt of a plate in the output folder; delete its frames. Standard library only."""

import argparse
import json

from idrstream.base import files, head
from idrstream.runs import commit
from idrstream.screen import plates


def main():
    """Copy the CALIBRATION of the plate of PACKET to --outdir, delete --heavy; print where it lies now as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("packet", help="the planner's JSON of the plate")
    parser.add_argument("calibration", help="folder of FLATFIELD's folder and DIAMETER's estimate")
    parser.add_argument("--outdir", required=True, help="where results are kept")
    parser.add_argument("--workdir", required=True, help="nothing outside of it is ever deleted")
    parser.add_argument("--heavy", nargs="*", default=[], help="folders to delete afterwards")
    parser.add_argument("--keep_intermediates", action="store_true", help="delete nothing")
    options = parser.parse_args()
    print(
        json.dumps({"folder": str(plates.commit(files.read_json(options.packet), options.calibration, options.outdir))})
    )
    if not options.keep_intermediates:
        commit.reclaim(options.heavy, options.workdir)


if __name__ == "__main__":
    head.run(main)
