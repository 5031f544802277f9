#!/usr/bin/env python3
"""Record what a run has warned of. Standard library only."""

import argparse
import json
import sys
from pathlib import Path

from idrstream.base import head
from idrstream.runs import run_warnings


def main():
    """Write the warnings on stdin, a JSON list of sentences, to OUTDIR/pipeline_info/warnings.json, for the report."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("outdir", type=Path, help="the output folder")
    run_warnings.write(parser.parse_args().outdir, json.load(sys.stdin))


if __name__ == "__main__":
    head.run(main)
