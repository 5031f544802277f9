#!/usr/bin/env python3
"""Deep watershed of the same maps, by tiles and by scikit-image on the whole: cost, memory, pixels that differ.

    .venvs/cellpose/bin/python benchmarks/watershed.py FOLDER [--side 4096] [--alone 8192] [--tile 4096]

The maps are those of real nuclei, as a network gives them, which $IDRSTREAM_DATA/tissue/make_slide.py draws; those of
the larger slide are the same, mirrored. Default parameters of nuclei. Each way, and each step of ours, is a process of
its own: CPU seconds and peak memory are its alone, what starts it included.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]

from idrstream.base import memory  # noqa: E402
from idrstream.cells.postprocessing import DEFAULTS  # noqa: E402
from idrstream.tissue import tiles  # noqa: E402

LAYER = "nuclei"
SETTINGS = DEFAULTS[LAYER]


class Run:
    """The maps of a slide of SIDE pixels, in a file, and the tiles in which it is flooded."""

    def __init__(self, folder, side, tile):
        self.folder, self.path = Path(folder, str(side)), Path(folder, f"{side}.npy")
        self.every = tiles.grid(tiles.Box(0, side, 0, side), tile)
        self.shape = side, side
        self.folder.mkdir(parents=True, exist_ok=True)

    def maps(self, box):
        """What a network sees in a Box; nothing more of the file stays in memory."""
        return {LAYER: np.array(np.load(self.path, mmap_mode="r")[:, box.y0 : box.y1, box.x0 : box.x1])}


def scikit_image(run):
    """The whole, as deepcell-toolbox's postprocessing calls scikit-image."""
    import scikit_watershed

    distance, interior = np.load(run.path)
    start = time.process_time()
    labels = scikit_watershed.objects(distance, interior, SETTINGS, ranked=False)
    seconds = time.process_time() - start
    np.save(run.folder / "whole.npy", scikit_watershed.finished(labels, SETTINGS))
    print(f"of this {seconds:.1f} CPU s before objects are finished", file=sys.stderr)


def flood(run):
    """Keys of every tile."""
    from idrstream.tissue import deep_watershed

    place = deep_watershed.Place(run.shape, run.shape)
    for tile in run.every:
        deep_watershed.flood(run.folder, run.maps, tile, place, {LAYER: SETTINGS})


def count(run):
    """Objects of the slide."""
    from idrstream.tissue import deep_watershed

    deep_watershed.count(run.folder, [run.folder], LAYER)


def finish(run):
    """Labels of every tile."""
    from idrstream.tissue import deep_watershed

    flooded = deep_watershed.Flooded([run.folder], LAYER, run.every, run.folder)
    for tile in run.every:
        deep_watershed.finish(run.folder, flooded, tile, SETTINGS)


def number(run):
    """The label image, in a file."""
    from idrstream.cells import masks
    from idrstream.tissue import arrays, deep_watershed, steps

    nuclei = arrays.read(run.folder / deep_watershed.NUCLEI, masks.Nuclei)
    numbers = steps.number(run.folder, [run.folder], nuclei, 1)
    print(f"{numbers.labels.max():,} objects, {numbers.uncertified} uncertified", file=sys.stderr)
    labels = steps.Labels([run.folder], numbers)
    for tile in run.every:
        image = np.lib.format.open_memmap(
            run.folder / "tiles.npy", "w+" if tile == run.every[0] else "r+", np.uint32, run.shape
        )
        image[tile.y0 : tile.y1, tile.x0 : tile.x1] = labels(tile)


STEPS = {step.__name__: step for step in (flood, count, finish, number, scikit_image)}


def make(folder, side, alone):
    """The maps of both slides, (2, Y, X) float32 each."""
    import maps

    if not Path(folder, f"{side}.npy").exists():
        np.save(Path(folder, f"{side}.npy"), np.stack(maps.real((side, side))))
    if alone and not Path(folder, f"{alone}.npy").exists():
        small = np.load(Path(folder, f"{side}.npy"))
        large = np.lib.format.open_memmap(Path(folder, f"{alone}.npy"), "w+", np.float32, (2, alone, alone))
        for y in range(0, alone, side):
            for x in range(0, alone, side):
                part = small[:, :: -1 if y // side % 2 else 1, :: -1 if x // side % 2 else 1]
                large[:, y : y + side, x : x + side] = part[:, : alone - y, : alone - x]


def told(folder, side, tile, steps):
    """Run steps, each in a process, and print a row each, and one of all."""
    total, most = 0, 0
    for step in steps:
        command = [sys.executable, __file__, folder, "--side", str(side), "--tile", str(tile), "--only", step]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds, peak = json.loads(done.stdout.splitlines()[-1])
        total, most = total + seconds, max(most, peak)
        click.echo(f"| {side} x {side} | {step} | {seconds:.1f} | {peak:.0f} |")
    if len(steps) > 1:
        click.echo(f"| {side} x {side} | all of ours | {total:.1f} | {most:.0f} |")


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--side", default=4096, show_default=True, help="Pixels of the slide that both ways take.")
@click.option("--alone", default=8192, show_default=True, help="Of the one that ours takes alone; 0: none.")
@click.option("--tile", default=4096, show_default=True, help="Pixels of a tile.")
@click.option("--only", type=click.Choice(STEPS), hidden=True)
def main(folder, side, alone, tile, only):
    """Run every step of both ways, and compare."""
    if only:
        STEPS[only](Run(folder, side, tile))
        used = resource.getrusage(resource.RUSAGE_SELF)
        click.echo(json.dumps([used.ru_utime + used.ru_stime, memory.peak() / 1e6]))
        return
    import scikit_watershed

    Path(folder).mkdir(parents=True, exist_ok=True)
    make(folder, side, alone)
    click.echo("| slide | step | CPU s | peak MB |\n|---|---|---|---|")
    told(folder, side, tile, ["scikit_image"])
    ours = [step for step in STEPS if step != "scikit_image"]
    told(folder, side, tile, ours)
    labels, wanted = (np.load(Path(folder, str(side), name)).astype(np.int64) for name in ("tiles.npy", "whole.npy"))
    differing, objects = scikit_watershed.differing(labels, wanted), len(np.unique(wanted)) - 1
    click.echo(f"{differing} pixels are of another object than by scikit-image, which finds {objects:,} objects")
    if alone:
        told(folder, alone, tile, ours)


if __name__ == "__main__":
    main()
