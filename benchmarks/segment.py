#!/usr/bin/env python3
"""What segmentation costs, beside stock cellpose with the same network and the same diameter, on the same images.

    .venvs/cellpose/bin/python benchmarks/segment.py IMAGES... [--diameter 20]

IMAGES are TIFFs of one plane each. CPU seconds of one thread, the best of three; both start with normalised images.
"""

import subprocess
import sys
import time
from pathlib import Path

import click
import cv2
import numpy as np
import tifffile
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

from cellpose import core, dynamics  # noqa: E402
from idrstream.cells import masks, segmentation, torch_cpnet  # noqa: E402

STYLE = 256  # length that run_net expects of a network's style


class Stock(segmentation.Segmenter):
    """The same network as cellpose 3 runs it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.net = net = torch_cpnet.network(self.checkpoint).to(memory_format=torch.contiguous_format)
        forward = net.forward

        def styled(tiles):
            output, style, _ = forward(tiles)
            return output, torch.nn.functional.pad(style, (0, STYLE - style.shape[1]))

        net.forward = styled

    def _in_tiles(self, channels, count):
        return core.run_net(self.net, channels.transpose(1, 2, 0)[None], batch_size=count)[0][0].transpose(2, 0, 1)

    def assemble(self, flows, probability, scale):
        rounds = segmentation.ROUNDS / scale
        return dynamics.compute_masks(flows, probability, niter=rounds, min_size=segmentation.MIN_SIZE), 0


@click.command(help=__doc__)
@click.argument("images", type=click.Path(exists=True), nargs=-1, required=True)
@click.option("--model", default=ROOT / "assets/models/nuclei/nuclei.pth", show_default=True)
@click.option("--diameter", type=float, default=20, show_default=True, help="Pixels.")
def main(images, model, diameter):
    """Print a line an image, and what starting costs."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    ours, stock = segmentation.Segmenter(model, diameter), Stock(model, diameter)
    for segmenter in (ours, stock):
        segmenter(tifffile.imread(images[0]))  # compiled, and warm
    heads = ("image", "nuclei", "pixels that differ", "stock: network", "masks", "ours: network", "masks", "ratio")
    click.echo("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    total = np.zeros((2, 2))
    for path in images:
        image = tifffile.imread(path)
        labels, costs = zip(*(_best(segmenter, image) for segmenter in (stock, ours)), strict=True)
        total += costs
        differ = f"{(labels[0] != labels[1]).sum()}"
        click.echo(_line(Path(path).stem, f"{labels[1].max()}", differ, np.array(costs)))
    click.echo(_line("all", "", "", total))
    for name, modules in (("stock", "cellpose.core, cellpose.dynamics"), ("ours", "idrstream.cells.segmentation")):
        started = time.process_time() + _children()
        subprocess.run([sys.executable, "-c", f"import {modules}"], env={"PYTHONPATH": str(ROOT / "bin")}, check=True)
        click.echo(f"starting {name}: {time.process_time() + _children() - started:.1f} CPU seconds (import {modules})")


def _best(segmenter, image):
    """(labels, CPU seconds of network and masks), the best of three."""
    costs = []
    for _ in range(3):
        start = time.process_time()
        prediction = segmenter.predict(image)
        middle = time.process_time()
        labels, _ = segmenter.assemble(*prediction)
        costs.append((middle - start, time.process_time() - middle))
    return masks.in_order(labels), min(costs, key=sum)


def _line(name, nuclei, differ, costs):
    figures = [f"{seconds:.2f}" for seconds in costs.ravel()]
    return "| " + " | ".join((name, nuclei, differ, *figures, f"{costs[0].sum() / costs[1].sum():.2f}")) + " |"


def _children():
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
