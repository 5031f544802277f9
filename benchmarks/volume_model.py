#!/usr/bin/env python3
"""The small network for mitochondria that idrstream ships, assets/models/volume/mito.pt: train, measure."""

import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "assets/demo")]

import drawn_cell  # noqa: E402
import make_volume  # noqa: E402
from idrstream.volume import checkpoint, counts, grey, network, prediction, scores, unet_torch  # noqa: E402
from idrstream.volume.box import Box  # noqa: E402
from idrstream.volume.unet import Unet  # noqa: E402

MODEL = ROOT / "assets/models/volume/mito.pt"
BUILD = ROOT / "build/volume"

NETWORK = Unet(maps=16, factors=((2, 2, 2),) * 2)
SEEDS = range(100, 104)  # of the volumes to train on; the demo has 1 and 2
HELD = 1001, 1002
SIDE = 128  # voxels of a volume's edge
INPUT = 84  # voxels of an edge that the network is given in training
STEPS = 420
# Of Adam, after as many steps; it falls to 0 as a cosine. At four times the rate the coarsest maps die, and what is
# left of the network takes lysosomes for mitochondria.
RATE, WARMING = 4e-4, 50
SCALED, SHIFTED = 0.05, 0.05  # grey levels of -1 to 1: at most, either way; more would be another microscope's
KEPT = 100, 200, 300  # steps after which a checkpoint is left in BUILD
BLURS = 0, 1, 2, 3, 4  # voxels


@click.group()
def main():
    """Train or measure the shipped network of volumes."""


def draw(cells, step):
    """A training block: grey levels (1, 1, z, y, x) and classes (1, z, y, x); a function of the step."""
    rng = np.random.default_rng((0, step))
    raw, labels = cells[rng.integers(len(cells))]
    first = rng.integers(0, SIDE - INPUT + 1, 3)
    edge = NETWORK.context[0]
    given = raw[tuple(slice(start, start + INPUT) for start in first)]
    wanted = labels[tuple(slice(start + edge, start + INPUT - edge) for start in first)]
    axes, flipped = rng.permutation(3), np.flatnonzero(rng.random(3) < 0.5)
    given, wanted = (np.flip(block.transpose(axes), flipped) for block in (given, wanted))
    given = grey.normalized(given) * rng.uniform(1 - SCALED, 1 + SCALED) + rng.uniform(-SHIFTED, SHIFTED)
    return torch.from_numpy(given.astype(np.float32))[None, None], torch.from_numpy(wanted.astype(np.int64))[None]


def start(net):
    for name, weights in net.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(weights, nonlinearity="relu")
        else:
            torch.nn.init.zeros_(weights)


def rate(step):
    """The share of RATE at a step."""
    return min(1, (step + 1) / WARMING) * (1 + math.cos(math.pi * step / STEPS)) / 2


def save(net, path, step):
    """A checkpoint with incasem's keys, and the network's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"model_state_dict": net.state_dict(), "iteration": step, "network": NETWORK.to_keys()}
    torch.save(content, path)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=MODEL)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def train(out, threads):
    """Train on drawn cells and write the weights to OUT; checkpoints on the way go to build/volume."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    drawn = [drawn_cell.draw((SIDE,) * 3, seed, edge=seed % 2 == 0) for seed in SEEDS]
    cells = [(cell.raw, cell.mitochondria > 0) for cell in drawn]
    net = unet_torch.module(NETWORK).train()
    start(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    losses = []
    for step in range(STEPS):
        given, wanted = draw(cells, step)
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(given), wanted)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            click.echo(f"{step + 1}: loss {np.mean(losses[-50:]):.4f}, {time.process_time():.0f} CPU s")
        if step + 1 in KEPT:
            save(net, BUILD / f"model_checkpoint_{step + 1}", step + 1)
    save(net, out, STEPS)


class Whole(NamedTuple):
    """A raw volume in memory, as `prediction.predict` takes it."""

    raw: np.ndarray

    @property
    def box(self):
        return Box((0, 0, 0), self.raw.shape)

    def read(self, box):
        return self.raw[box.within(self.box)]


def show(name, probabilities, cell):
    """Print the scores of probabilities, or of grey levels to be thresholded, of a cell."""
    scored = cell.sample & (make_volume.scored(cell.mitochondria) > 0)
    found = counts.count(probabilities, (cell.mitochondria > 0).astype(np.int16), cell.sample, scored)
    for kind, levels in scores.named(found)["1"].items():
        half, best = (choice(scores.of(levels)) for choice in (scores.half, scores.best))
        shares = f"precision {half.precision:.3f}, recall {half.recall:.3f}"
        click.echo(f"{name}, {kind}: F1 {half.f1:.3f} at 0.5 ({shares}), {best.f1:.3f} at {best.threshold:.3f}")


@main.command()
@click.option("--model", type=click.Path(exists=True), default=MODEL, show_default=True)
def measure(model):
    """Score a network on held cells of both microscopes, beside the best threshold on blurred grey levels."""
    read = checkpoint.read(model)
    unet, _ = checkpoint.fit(read)
    tile = (SIDE,) * 3
    net = network.load(unet, read.weights, unet.given(tile))
    for seed in HELD:
        for name, microscope in (("first", drawn_cell.FIRST), ("other", drawn_cell.OTHER)):
            cell, title = drawn_cell.draw(tile, seed, microscope, edge=seed % 2 == 0), f"cell {seed}, {name} microscope"
            whole = Whole(cell.raw)
            ((_, probabilities),) = prediction.predict(whole, whole.box, tile, net, unet)
            show(f"{title}: network", probabilities, cell)
            for blur in BLURS:
                dark = 255 - ndimage.gaussian_filter(cell.raw.astype(np.float32), blur)
                show(f"{title}: grey, blur {blur}", np.rint(dark).astype(np.uint8)[None], cell)


if __name__ == "__main__":
    main()
