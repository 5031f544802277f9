#!/usr/bin/env python3
"""Say of the OME-Zarr plates in an output folder what they hold. Standard library only."""

import argparse
from pathlib import Path

from idrstream.base import head
from idrstream.screen import hcs


def main():
    """Write what the plates and wells in OUTDIR hold, from its ledger, and print their folder if there are any."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("outdir", type=Path, help="an output folder; one below its stale/ too")
    outdir = parser.parse_args().outdir
    if hcs.describe(outdir):
        print(outdir / hcs.FOLDER, end="")


if __name__ == "__main__":
    head.run(main)
