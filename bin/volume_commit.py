#!/usr/bin/env python3
"""Make a slab or a volume final: results, ledger entries, work folders deleted. Standard library only."""

import argparse
import json
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import commit
from idrstream.volume import results


def main():
    """Commit what the folders hold of the slab or volume to --outdir; then delete --heavy. Prints JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("packet", help="JSON of the slab or volume")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of PREDICT and LABEL, or of ASSEMBLE")
    options = commit.arguments(parser)
    packet = files.read_json(options.packet)
    for kind, unit in packet["units"].items():
        make = lambda kind=kind, unit=unit: results.of_folders(kind, unit["row"], options.folders)  # noqa: E731
        commit.commit(unit, options.outdir, make, options.heavy)
    freed = commit.reclaim(options.heavy, options.workdir)
    print(json.dumps({"results": [*packet["units"]], "freed": freed}))


if __name__ == "__main__":
    head.run(main)
