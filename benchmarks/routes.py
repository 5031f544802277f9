#!/usr/bin/env python3
"""What the same frames cost by each route, each over a real server on this machine.

    .venvs/acquire/bin/python benchmarks/routes.py SCREEN

SCREEN is a folder like the archive's, with the table `data_to_process.tsv` and the movies below `pub/`, such as
`demo/screen` of `make demo`. Seconds are those of our own work: nothing here is far away, nothing is encrypted.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("bin", "tests")]  # the servers are those of the tests

from routes import ROUTES, Screen  # noqa: E402


def main():
    """Print a line a route."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("screen", type=Path, help="folder with data_to_process.tsv and the movies")
    parser.add_argument("--movies", type=int, help="only the first so many rows of the table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        screen = Screen(given.screen, scratch, given.movies)
        head = ("route", "images", "identical", "asked of the server", "MB travelled", "MB of files", "s per image")
        print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for name in ROUTES:
            brought = screen.bring(name)
            identical = "yes" if brought.same == brought.images else f"no: {brought.images - brought.same} differ"
            sizes = [f"{size / 1e6:.1f}" for size in (brought.travelled, brought.whole)]
            cells = (name, str(brought.images), identical, brought.asked, *sizes)
            print("| " + " | ".join(cells) + f" | {brought.seconds / max(brought.images, 1):.2f} |", flush=True)


if __name__ == "__main__":
    main()
