#!/usr/bin/env python3
"""Tell what became of every slide of a run. Standard library only."""

import time

from idrstream.base import files, head
from idrstream.runs import outcome as runs
from idrstream.tissue import outcome, qupath


def main():
    """Write slides.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON).

    Of a workspace the QuPath project is written too.
    """
    ended = runs.arguments(main.__doc__, "slides")
    gate = runs.prepare(ended.outdir, outcome.PART, outcome.FILES, ended.run, ended.plan["model"])
    closing = outcome.summarise(ended.plan["requested"], ended.outdir, ended.max_failed, gate, ended.begun)
    if project := ended.plan["project"]:
        closing["text"] += "\n" + qupath.write(project["folder"], project["images"], ended.outdir, time.time())
    files.write_json(ended.out, closing)


if __name__ == "__main__":
    head.run(main)
