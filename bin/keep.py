#!/usr/bin/env python3
"""Move a folder into the output folder. Standard library only."""

import argparse
from pathlib import Path

from idrstream import files


def main():
    """Move FOLDER into OUTDIR, in place of the one of its name, and print where it lies now."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what is to be kept")
    parser.add_argument("outdir", type=Path, help="the output folder")
    options = parser.parse_args()
    target = options.outdir / options.folder.name
    files.move_folder(options.folder, target)
    print(target, end="")


if __name__ == "__main__":
    main()
