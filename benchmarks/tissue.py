#!/usr/bin/env python3
"""Nuclei of a made slide by tiles of several sizes, and of the plane in one piece: cost, memory, pixels that differ.

    .venvs/cellpose/bin/python benchmarks/tissue.py FOLDER [--size 4096x4096] [--tile 512 --tile 1024] [--group 7]

FOLDER takes the slide, which $IDRSTREAM_DATA/tissue/make_slide.py makes of real nuclei, and what the steps leave. Each
step is a process of its own: CPU seconds and peak memory are its alone, what starts it included.
"""

import hashlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]

from idrstream.base import files, memory  # noqa: E402
from idrstream.cells import contrast  # noqa: E402
from idrstream.tissue import arrays, levels, tiles  # noqa: E402

MODEL = ROOT / "assets/models/nuclei/nuclei.pth"
DATA = Path(os.environ.get("IDRSTREAM_DATA") or ROOT.parent / "shared" / "data")


class Run:
    """A slide and a tile size; the steps below read and write its folder."""

    def __init__(self, folder, side, group, diameter):
        self.image = np.load(Path(folder, "slide.npy"), mmap_mode="r")
        self.shape, self.side, self.diameter = self.image.shape, side, diameter
        self.folder = Path(folder, f"tile_{side}")
        self.labels = self.folder / "labels.npy"
        self.groups = tiles.groups(self.shape, side, group)

    def read(self, box):
        return np.asarray(self.image[box.y0 : box.y1, box.x0 : box.x1])

    def window(self):
        return files.read_json(self.folder / "statistics.json")

    def scale(self, checkpoint):
        return checkpoint.trained / self.diameter


def statistics(run):
    """The contrast of the slide."""
    found = levels.levels(run.read, run.shape, run.image.dtype)
    files.write_json(run.folder / "statistics.json", contrast.window(found))


def predict(run):
    """Flows of every tile, and where its pixels rest."""
    from idrstream.base import graph
    from idrstream.cells import cpnet, segmentation
    from idrstream.tissue import prediction, steps, view

    checkpoint = cpnet.read(MODEL)
    network = graph.ready(partial(cpnet.cpnet, checkpoint.weights))
    seen = view.shown([(run.read, *run.window())])
    field = prediction.Field(network, checkpoint.widths[0], [seen], run.shape, run.scale(checkpoint))
    rounds = segmentation.ROUNDS / run.scale(checkpoint)
    for task, group in enumerate(run.groups):
        for tile in group:
            steps.predict(run.folder / f"predicted_{task}", field, tile, run.shape, rounds)


def seeds(run):
    """Nuclei of all sinks."""
    from idrstream.tissue import steps

    steps.seeds(run.folder / "nuclei.npz", run.folder.glob("predicted_*"), run.shape)


def label(run):
    """Finished tiles."""
    from idrstream.cells import masks
    from idrstream.tissue import foreground, steps

    nuclei = arrays.read(run.folder / "nuclei.npz", masks.Nuclei)
    pixels = foreground.Foreground(run.folder.glob("predicted_*"), run.shape, run.side)
    for task, group in enumerate(run.groups):
        for tile in group:
            steps.label(run.folder / f"labelled_{task}", pixels, tile, nuclei, masks.Limits())


def number(run):
    """The label image, in a file that others compare theirs with."""
    from idrstream.cells import masks
    from idrstream.tissue import steps

    nuclei, folders = arrays.read(run.folder / "nuclei.npz", masks.Nuclei), list(run.folder.glob("labelled_*"))
    numbers = steps.number(run.folder, folders, nuclei, masks.Limits().smallest)
    tile, labels = steps.Labels(folders, numbers), np.lib.format.open_memmap(run.labels, "w+", np.uint32, run.shape)
    for box in (box for group in run.groups for box in group):
        labels[box.y0 : box.y1, box.x0 : box.x1] = tile(box)


def screen(run):
    """The plane in one piece, as `screen` segments it."""
    from idrstream.cells import segmentation

    labels, _ = segmentation.Segmenter(MODEL, run.diameter, device="cpu").segment(np.asarray(run.image))
    np.save(run.folder / "screen.npy", labels)


def stock(run):
    """The masks alone of cellpose itself, of the flows that the tiles left."""
    import torch

    from cellpose import dynamics
    from idrstream.cells import cpnet, segmentation
    from idrstream.tissue import foreground

    torch.set_num_threads(1)
    torch.Tensor.argsort = lambda sizes: torch.sort(sizes, stable=True).indices  # as ties go here
    store = foreground.Foreground(run.folder.glob("predicted_*"), run.shape, run.side)
    y, x, known, _ = store.window(tiles.Box(0, run.shape[0], 0, run.shape[1]))
    flows, inside = np.zeros((2, *run.shape), np.float32), np.full(run.shape, -1, np.float32)
    flows[:, y, x], inside[y, x] = known, 1
    rounds = segmentation.ROUNDS / run.scale(cpnet.read(MODEL))
    labels = dynamics.compute_masks(flows, inside, niter=int(rounds), min_size=15, max_size_fraction=1.0)
    np.save(run.folder / "stock.npy", labels)


def cellpose(run):
    """The whole of cellpose itself with the same weights: contrast, network and masks of the plane in one piece."""
    import torch

    from cellpose import core, dynamics, transforms
    from idrstream.cells import cpnet, segmentation, torch_cpnet

    torch.set_num_threads(1)
    checkpoint = cpnet.read(MODEL)
    network, scale = torch_cpnet.network(checkpoint), run.scale(checkpoint)
    known = network.forward

    def forward(tiles):  # cellpose has room for 256 styles, whatever the network's are; none is used
        flows, styles, rest = known(tiles)
        return flows, torch.nn.functional.pad(styles, (0, 256 - styles.shape[1])), rest

    network.forward = forward
    image = transforms.normalize99(np.asarray(run.image, np.float32))
    image = transforms.resize_image(image[..., None], rsz=[scale, scale])
    image = np.dstack([image, *[np.zeros_like(image)] * (checkpoint.widths[0] - 1)])
    found, _ = core.run_net(network, image[None], batch_size=8, bsize=224)
    found = transforms.resize_image(found[0], *run.shape)
    flows, inside = np.ascontiguousarray(found[..., :2].transpose(2, 0, 1)), found[..., 2]
    rounds = int(segmentation.ROUNDS / scale)
    np.save(run.folder / "cellpose.npy", dynamics.compute_masks(flows, inside, niter=rounds, min_size=15))


STEPS = {step.__name__: step for step in (statistics, predict, seeds, label, number, screen, stock, cellpose)}
ALONE = ("screen", "stock", "cellpose")  # steps that take the plane in one piece, once a run


def make(folder, size, split):
    """The slide, a plane of uint16 in one file."""
    spec = importlib.util.spec_from_file_location("make_slide", DATA / "tissue/make_slide.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    slide = maker.Slide(DATA / "nuclei", size, split=split)
    pixels = np.lib.format.open_memmap(Path(folder, "slide.npy"), "w+", np.uint16, size)
    for y0, y1, x0, x1 in tiles.grid(tiles.Box(0, size[0], 0, size[1]), 1000):
        pixels[y0:y1, x0:x1] = slide.window(0, y0, y1, x0, x1)


def told(folder):
    """What came of a tile size, in words."""
    from idrstream.tissue import steps

    found = arrays.read(folder, steps.Numbers)
    digest = hashlib.sha256((folder / "labels.npy").read_bytes()).hexdigest()[:16]
    counts = f"{found.labels.max()} nuclei, {found.alone} read alone, {found.uncertified} uncertified"
    return f"{counts}, sha256 {digest}"


def differing(path, wanted):
    """Pixels that are of another nucleus, background among them, once both are numbered by their first pixels."""
    from idrstream.cells import masks

    found, wanted = (masks.in_order(np.load(name).astype(np.int32)) for name in (path, wanted))
    return int((found != wanted).sum())


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--size", default="4096x4096", show_default=True, help="Height x width of the slide, pixels.")
@click.option("--split", default="all", show_default=True, help="Fields that it is made of: all, train, val.")
@click.option("--tile", "sides", multiple=True, type=int, default=[4096, 1024, 512], show_default=True)
@click.option("--group", default=7, show_default=True, help="Tiles that a task takes.")
@click.option("--diameter", default=21.7, show_default=True, help="Of a nucleus, pixels.")
@click.option("--only", type=click.Choice(STEPS), hidden=True)
def main(folder, size, split, sides, group, diameter, only):
    """Run every step for every tile size, and compare."""
    if only:
        STEPS[only](Run(folder, sides[0], group, diameter))
        used = resource.getrusage(resource.RUSAGE_SELF)
        click.echo(json.dumps([used.ru_utime + used.ru_stime, memory.peak() / 2**20]))
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    size = tuple(map(int, size.split("x")))
    if not Path(folder, "slide.npy").exists():
        make(folder, size, split)
    click.echo("| tile | step | CPU s | CPU s per Mpx | peak MB |\n|---|---|---|---|---|")
    for side in sides:
        for step in STEPS if side == sides[0] else [name for name in STEPS if name not in ALONE]:
            command = [sys.executable, __file__, folder, "--tile", str(side), "--group", str(group)]
            command += ["--diameter", str(diameter), "--only", step]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seconds, peak = json.loads(done.stdout.splitlines()[-1])
            click.echo(f"| {side} | {step} | {seconds:.1f} | {seconds / size[0] / size[1] * 1e6:.3f} | {peak:.0f} |")
        click.echo(f"| {side} | {told(Path(folder, f'tile_{side}'))} | | | |")
    folders = [Path(folder, f"tile_{side}") for side in sides]
    first = folders[0] / "labels.npy"
    others = [found / "labels.npy" for found in folders[1:]]
    for other in [*others, *(folders[0] / f"{name}.npy" for name in ALONE)]:
        name = other.relative_to(folder)
        click.echo(f"{differing(other, first)} pixels of {name} differ from tiles of {sides[0]}")


if __name__ == "__main__":
    main()
