#!/usr/bin/env python3
"""How fast voxels are counted for scores, and that memory does not depend on how many: volumes of 1 and 64 blocks."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "assets/demo")]

import drawn_cell  # noqa: E402
from idrstream.base import memory  # noqa: E402
from idrstream.volume import counts, scores, truth  # noqa: E402
from idrstream.volume.box import Box  # noqa: E402

SIDE, EDGE = 64, 256  # voxels: of the cell whose mirror images are the volume, and of a block


@click.command(help=__doc__)
@click.option("--only", type=int, hidden=True, help="Blocks to count in this process.")
def main(only):
    """Count in a process a volume, and print a row each."""
    if only:
        click.echo(json.dumps(run(only)))
        return
    click.echo("| blocks of 256³ | Mvox | Mvox a CPU-second | peak MB |\n|---|---|---|---|")
    for blocks in (1, 64):
        command = [sys.executable, __file__, "--only", str(blocks)]
        rate, peak = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        click.echo(f"| {blocks} | {blocks * EDGE**3 / 1e6:.0f} | {rate:.0f} | {peak:.0f} |")


def run(blocks):
    """(Mvox a CPU-second that counting takes, MB that the process had at most)."""
    cell = drawn_cell.draw((SIDE,) * 3, 0)
    whole = Box((0, 0, 0), (EDGE, EDGE, blocks * EDGE))
    slabs, seconds = zip(*(counted(cell, block) for block in whole.parts((EDGE,) * 3)), strict=True)
    if sum(map(sum, scores.add(slabs)["1"]["all"])) != whole.voxels:
        raise SystemExit("some voxels were not counted")
    return whole.voxels / sum(seconds) / 1e6, memory.peak() / 1e6


def counted(cell, block):
    """(Counts of a block, CPU seconds that counting took)."""
    labels, probabilities = (drawn_cell.mirrored(array, block) for array in (cell.mitochondria, 255 - cell.raw))
    classes, inside = truth.merged([(1, labels, block)], block), truth.inside([], block)
    scored = probabilities > 0
    start = time.process_time()
    found = counts.count(probabilities[None], classes, inside, scored)
    return scores.named(found), time.process_time() - start


if __name__ == "__main__":
    main()
