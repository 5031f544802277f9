#!/usr/bin/env python3
"""Tell what became of every image of a run. Standard library only."""

from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import manifest
from idrstream.runs import outcome as runs
from idrstream.screen import outcome


def main():
    """Write images.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON)."""
    ended = runs.arguments(main.__doc__, "images")
    plan, outdir = ended.plan, ended.outdir
    former = manifest.read(outdir, outcome.PART)
    streams = [outcome.STREAMS] if "streams" in plan else []
    gate = runs.prepare(outdir, outcome.PART, [*outcome.FILES, *streams], ended.run, plan["model"])
    if streams:
        files.write_json(Path(outdir, outcome.STREAMS), plan["streams"])  # what the export makes of the cells
    elif outcome.STREAMS in former:
        Path(outdir, outcome.STREAMS).unlink(missing_ok=True)
    wells = plan["record"]["wells"]
    closing = outcome.summarise(
        plan["requested"], plan["places"], wells, outdir, ended.max_failed, gate, plan["stop"], ended.begun
    )
    files.write_json(ended.out, closing)


if __name__ == "__main__":
    head.run(main)
