#!/usr/bin/env python3
"""Tell what became of every slide of a run. Standard library only."""

from idrstream.base import files, head
from idrstream.runs import outcome as runs
from idrstream.tissue import outcome


def main():
    """Write slides.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON)."""
    ended = runs.arguments(main.__doc__, "slides")
    gate = runs.prepare(ended.outdir, outcome.PART, outcome.FILES, ended.run, ended.plan["model"])
    closing = outcome.summarise(ended.plan["requested"], ended.outdir, ended.max_failed, gate, ended.begun)
    files.write_json(ended.out, closing)


if __name__ == "__main__":
    head.run(main)
