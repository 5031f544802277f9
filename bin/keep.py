#!/usr/bin/env python3
"""Put a folder or a file into the output folder. Standard library only."""

import argparse
import os
import shutil
from pathlib import Path

from idrstream.base import head
from idrstream.runs import manifest


def main():
    """Move FOLDER to PLACE in OUTDIR, instead of what an earlier run put there, and print its path.

    Other files that lie there stay. Ends with 64 where one of them has the name of a new one.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="folder or file to keep")
    parser.add_argument("outdir", type=Path, help="the output folder")
    parser.add_argument("place", type=Path, help="path in the output folder that FOLDER is to have")
    options = parser.parse_args()
    part, done = str(options.place).replace("/", "-"), options.folder.with_name(f".{options.folder.name}.kept")
    if options.folder.exists() or not manifest.intact(options.outdir, part):  # else a kill came after all was there
        manifest.put(options.outdir, part, _sources(options.folder, options.place))
        os.replace(options.folder, done)
    if done.is_dir():
        shutil.rmtree(done)
    done.unlink(missing_ok=True)
    print(options.outdir / options.place, end="")


def _sources(folder, target):
    if not folder.is_dir():
        return {str(target): folder}
    return {str(target / path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    head.run(main)
