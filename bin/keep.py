#!/usr/bin/env python3
"""Put a folder or a file into the output folder. Standard library only."""

import argparse
import shutil
from pathlib import Path

from idrstream import head, manifest


def main():
    """Move FOLDER to PLACE in OUTDIR, instead of what an earlier run put there, and print where it lies now.

    Other files that lie there stay. Ends with 64 where one of them has the name of a new one.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="folder or file to keep")
    parser.add_argument("outdir", type=Path, help="the output folder")
    parser.add_argument("place", type=Path, help="folder in it that is to hold FOLDER; . is the output folder itself")
    options = parser.parse_args()
    target = options.place / options.folder.name
    sources = {str(target): options.folder}
    if options.folder.is_dir():
        paths = [path for path in options.folder.rglob("*") if path.is_file()]
        sources = {str(target / path.relative_to(options.folder)): path for path in paths}
    manifest.put(options.outdir, str(target).replace("/", "-"), sources)
    if options.folder.is_dir():  # only now: a command that is killed is run again
        shutil.rmtree(options.folder)
    else:
        options.folder.unlink()
    print(options.outdir / target, end="")


if __name__ == "__main__":
    head.run(main)
