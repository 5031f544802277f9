#!/usr/bin/env python3
"""Move a folder or a file into a folder. Standard library only."""

import argparse
from pathlib import Path

from idrstream import files


def main():
    """Move FOLDER into PLACE, instead of the one of its name there, and print where it lies now."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what is to be kept")
    parser.add_argument("place", type=Path, help="the folder it is to lie in")
    options = parser.parse_args()
    target = options.place / options.folder.name
    target.parent.mkdir(exist_ok=True)
    if options.folder.is_dir():
        files.move_folder(options.folder, target)
    else:
        files.copy(options.folder, target)
        options.folder.unlink()
    print(target, end="")


if __name__ == "__main__":
    main()
