#!/usr/bin/env python3
"""List the files of a folder of images. Standard library only."""

import argparse
import json

from idrstream.base import head, listing


def main():
    """Print the names of the files below FOLDER as JSON; no file is opened."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", help="the folder")
    parser.add_argument("--without", nargs="*", default=[], help="folders that are not entered")
    options = parser.parse_args()
    print(json.dumps(listing.read(options.folder, options.without)))  # a name that is no text has \\udc.. in it


if __name__ == "__main__":
    head.run(main)
