#!/usr/bin/env python3
"""Tell what became of every volume of a run. Standard library only."""

from idrstream.base import files, head
from idrstream.runs import outcome as runs
from idrstream.volume import outcome


def main():
    """Write tables of volumes, slabs, scores and failures to --outdir, and the closing lines to OUT (JSON)."""
    ended = runs.arguments(main.__doc__, "slabs")
    chosen = ended.plan["chosen"]
    gate = runs.prepare(ended.outdir, outcome.PART, outcome.FILES, ended.run, chosen and chosen["sha256"])
    files.write_json(ended.out, outcome.summarise(ended.plan, ended.outdir, ended.max_failed, gate))


if __name__ == "__main__":
    head.run(main)
