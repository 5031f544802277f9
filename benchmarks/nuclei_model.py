#!/usr/bin/env python3
"""The small Cellpose network that idrstream ships, assets/models/nuclei/nuclei.pth: train it, and measure it."""

import csv
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import numpy as np
import tifffile
import torch
import torch.distributed as dist
from cellpose.metrics import average_precision
from cellpose.resnet_torch import CPnet
from cellpose.transforms import normalize99

from cellpose import dynamics, utils

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("IDRSTREAM_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT / "bin"))

from idrstream.base.task import device_name  # noqa: E402
from idrstream.cells.segmentation import Segmenter, plate_area  # noqa: E402
from mosaics import EMPTY, WELLS, read_mosaic  # noqa: E402

MODEL = ROOT / "assets/models/nuclei/nuclei.pth"

WIDTHS = [1, 8, 16, 48, 96]  # input channels, then features at 1, 1/2, 1/4, 1/8 of the resolution
DIAMETER = 16.0  # pixels: every training image is brought to this median diameter before it is augmented
BATCH = 8  # crops a step, shared by the workers
WARM_UP = 100  # steps of linear warm-up
AVERAGE = 0.998  # what is kept of the running mean of the weights at every step


class Stage(NamedTuple):
    """A part of the training. It begins with the running mean of the weights of the part before."""

    steps: int
    crop: int  # pixels, a multiple of 8 (three poolings)
    rate: float  # AdamW
    decay: float  # share of the steps in which the rate falls to 0
    wide: float  # share of the crops whose scale is far off, as in a first pass
    mosaics: float  # share of the crops that are mosaics
    rough: float  # how often, and how strongly, grey levels are disturbed


# First anything that a microscope may do, then mostly what the data is like.
STAGES = (
    Stage(steps=2400, crop=144, rate=2e-3, decay=0.5, wide=0.3, mosaics=0.24, rough=1.0),
    Stage(steps=2400, crop=192, rate=1.5e-3, decay=0.7, wide=0.15, mosaics=0.12, rough=0.4),
    Stage(steps=400, crop=192, rate=1e-3, decay=0.7, wide=0.1, mosaics=0.08, rough=0.3),
)


def read_split(folder, split):
    """(image, int32 label image) of every image of one split of the DSB2018 folder."""
    with open(folder / "index.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == split]
    for row in rows:
        image, labels = (tifffile.imread(folder / f"{row['id']}{end}.tif") for end in ("", "_labels"))
        yield image, labels.astype(np.int32)


def read_images(folder, split):
    """Images of one split of the DSB2018 folder, at the network's scale.

    returns  list of (Y, X, 4) float32: grey level (0 = 1st, 1 = 99th percentile), nucleus or not, flow y, flow x;
             and the median of the images' own median diameters in pixels
    """
    images, own = [], []
    for image, labels in read_split(folder, split):
        grey = normalize99(image.astype(np.float32))
        own.append(utils.diameters(labels)[0])
        scale = DIAMETER / own[-1]
        size = [round(side * scale) for side in labels.shape[::-1]]
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST).astype(int)
        labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        planes = (cv2.resize(grey, size), labels > 0, *dynamics.masks_to_flows(labels))
        images.append(np.stack(planes, axis=-1).astype(np.float32))
    return images, float(np.median(own))


def crop_to_image(turn, scale, source, target):
    """(2, 3) float32, as OpenCV takes it: from (x, y) in a crop to (x, y) in its image; the other four as in `warp`."""
    inverse = turn.T / scale
    matrix = np.zeros((2, 3), np.float32)
    matrix[:, :2] = inverse[::-1, ::-1]  # OpenCV counts (x, y)
    matrix[:, 2] = (source - inverse @ target)[::-1]
    return matrix


def warp(image, turn, scale, source, target, crop_size):
    """The crop in which `source` (y, x) of the image falls on `target` (y, x), turned and scaled; flows turn along."""
    matrix = crop_to_image(turn, scale, source, target)
    crop = cv2.warpAffine(image, matrix, (crop_size, crop_size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    crop[..., 1] = crop[..., 1] > 0.5
    crop[..., 2:] = crop[..., 2:] @ turn.T.astype(np.float32)
    return crop


def draw_scale(stage, rng):
    """Mostly near the right scale (the estimate of the diameter errs by some 10 %), else far off: a first pass."""
    return math.exp(rng.uniform(math.log(0.5), math.log(2.4)) if rng.random() < stage.wide else rng.normal(0, 0.12))


def draw_view(inside, stage, rng):
    """Turn, scale, source and target of a crop, as `warp` takes them: in any direction, three times in four around a
    nucleus.

    inside  (Y, X) bool, nucleus or not
    """
    angle = rng.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turn = turn @ np.diag([1, rng.choice([-1, 1])])
    source = rng.random(2) * inside.shape
    if rng.random() < 0.75:
        places = np.argwhere(inside)
        source = places[rng.integers(len(places))]
    return turn, draw_scale(stage, rng), source, stage.crop * rng.uniform(0.2, 0.8, 2)


def field_crop(images, stage, rng):
    """A crop of one image."""
    image = images[rng.integers(len(images))]
    return warp(image, *draw_view(image[..., 1] > 0, stage, rng), stage.crop)


def mosaic_crop(images, stage, rng):
    """Four images of different brightness that meet in one point, as in a stitched well."""
    crop = np.zeros((stage.crop, stage.crop, 4), np.float32)
    seam = np.round(stage.crop * rng.uniform(0.2, 0.8, 2))
    for down, right in np.ndindex(2, 2):
        image = images[rng.integers(len(images))]
        turn = np.eye(2)[:: rng.choice([-1, 1])] @ np.diag(rng.choice([-1, 1], 2))
        inward = turn.T @ np.array([2 * down - 1, 2 * right - 1])
        corner = np.where(inward > 0, 0, np.array(image.shape[:2]) - 1)
        y = slice(int(seam[0]), None) if down else slice(0, int(seam[0]))
        x = slice(int(seam[1]), None) if right else slice(0, int(seam[1]))
        piece = warp(image, turn, draw_scale(stage, rng), corner, seam - (1 - np.array([down, right])), stage.crop)
        piece[..., 0] = piece[..., 0] * math.exp(rng.normal(-0.4, 0.6)) + rng.normal(0, 0.03)
        crop[y, x] = piece[y, x]
    return crop


def empty_crop(stage, rng):
    """Noise of any grain between its own percentiles: what an empty well looks like once it is normalised."""
    crop = np.zeros((stage.crop, stage.crop, 4), np.float32)
    noise = rng.normal(0, 1, crop.shape[:2]).astype(np.float32)
    crop[..., 0] = normalize99(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.3, 3)) if rng.random() < 0.7 else noise)
    return crop


def disturb(grey, rough, rng):
    """Grey levels as another microscope would have given them: optics, illumination, detector, normalisation."""
    if rng.random() < 0.3 * rough:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.3 * rough:
        grey = np.sign(grey) * np.abs(grey) ** rng.uniform(0.7, 1.4)
    if rng.random() < 0.5 * rough:  # a piece of a vignette, and stray light
        y, x = np.mgrid[0 : len(grey), 0 : len(grey)].astype(np.float32) / len(grey)
        centre, depth = rng.uniform(-1.5, 2.5, 2), rng.uniform(0, 0.6)
        distance = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
        light = 1 - depth * distance / distance.max()
        grey = grey * light + rng.uniform(0, 0.3) * (light - light.mean())
    if rng.random() < 0.5 * rough:
        spread = rng.uniform(0, 0.08) + rng.uniform(0, 0.1) * np.sqrt(np.clip(grey, 0, 4))
        grey = grey + spread * rng.normal(0, 1, grey.shape)
    return grey * math.exp(rng.normal(-0.05, 0.35) * rough) + rng.normal(0, 0.04) * rough


def draw_batch(images, stage, size, rng):
    """returns (B, 1, Y, X) grey levels and (B, 3, Y, X) targets: nucleus or not, flow y, flow x; float32 tensors."""
    crops = []
    for _ in range(size):
        kind = rng.random()
        if kind < 0.04:
            crop = empty_crop(stage, rng)
        else:
            crop = (mosaic_crop if kind < 0.04 + stage.mosaics else field_crop)(images, stage, rng)
        crop[..., 0] = disturb(crop[..., 0], stage.rough, rng)
        crops.append(crop)
    planes = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    return planes[:, :1].contiguous(memory_format=torch.channels_last), planes[:, 1:].contiguous()


def loss_of(output, target):
    """Cellpose's loss (cellpose.train._loss_fn_seg): squared error of 5 x flow, cross-entropy of nucleus or not."""
    flow = torch.nn.functional.mse_loss(output[:, :2], 5 * target[:, 1:]) / 2
    return flow + torch.nn.functional.binary_cross_entropy_with_logits(output[:, 2], target[:, 0])


def rate_at(step, stage):
    """Learning rate: warm-up, constant, then linear to zero."""
    return stage.rate * min(1, (step + 1) / WARM_UP, (stage.steps - step) / (stage.decay * stage.steps))


def work(rank, workers, rendezvous, data, out, first, seed):
    """One of the workers: its share of each batch, gradients averaged over all; the first one writes each stage."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(seed)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=workers)
    images, own = read_images(data, "train")
    net = CPnet(list(WIDTHS), 3, 3, diam_mean=DIAMETER).to(memory_format=torch.channels_last).train()
    net.diam_labels.data.fill_(own)
    if first:
        net.load_state_dict(torch.load(out, weights_only=True))
    dist.barrier()
    shared = torch.nn.parallel.DistributedDataParallel(net)
    for number, stage in enumerate(STAGES[first:], first):

        def loss_at(step, stage=stage, number=number):
            rng = np.random.default_rng((seed, number, step, rank))
            grey, target = draw_batch(images, stage, BATCH // workers, rng)
            return loss_of(shared(grey)[0], target)

        train_stage(net, loss_at, stage, speaks=rank == 0)
        if rank == 0:
            save(net, out)
    dist.destroy_process_group()


def save(net, out):
    """Write the weights of a network to the file OUT, whole or not at all."""
    torch.save(net.state_dict(), f"{out}.part")
    os.replace(f"{out}.part", out)


def train_stage(net, loss_at, stage, speaks=True):
    """Train the network, and leave in it the running mean of its weights.

    loss_at  function of the step: the loss of its batch, a tensor with gradients
    speaks   whether to print how it goes
    """
    weights = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, stage.rate, weight_decay=1e-4, fused=True)
    values = [value for value in net.state_dict().values() if value.is_floating_point()]
    means = [value.clone() for value in values]
    started, losses = time.monotonic(), []
    for step in range(stage.steps):
        optimizer.param_groups[0]["lr"] = rate_at(step, stage)
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(means, values, max(1 - AVERAGE, 9 / (step + 10)))
        losses.append(loss.item())
        if speaks and (step + 1) % 50 == 0:
            speed = (time.monotonic() - started) / (step + 1)
            click.echo(f"step {step + 1} of {stage.steps}: loss {np.mean(losses):.4f}, {speed:.2f} s a step")
            losses = []
    with torch.no_grad():
        torch._foreach_copy_(values, means)


@click.group()
def main():
    """Train or measure the shipped nuclei model."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), default=DATA / "nuclei", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=MODEL)
@click.option("--first", type=int, default=0, help="Stage to begin with, from 0; OUT then holds the one before.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.Choice(["1", "2", "4", "8"]), default="2", show_default=True)
def train(data, out, first, seed, threads):
    """Train on the train split of DATA and write the weights to OUT after every stage."""
    workers = int(threads)  # one process a thread: two threads on one batch wait for each other at every layer
    with tempfile.TemporaryDirectory() as folder:
        told = (workers, f"{folder}/rendezvous", data, out, first, seed)
        torch.multiprocessing.spawn(work, told, nprocs=workers)


def f1(truth, labels):
    """F1 of nuclei matched at IoU 0.5, precision and recall."""
    _, hits, extra, missed = average_precision(truth.astype(np.int32), labels.astype(np.int32), threshold=[0.5])
    hits, extra, missed = hits[0], extra[0], missed[0]
    return 2 * hits / (2 * hits + extra + missed), hits / max(1, hits + extra), hits / max(1, hits + missed)


def measure_validation(segmenter, data):
    """Mean average precision over images at the model's own, the estimated and the true diameter."""
    truth, found, ratio = [], {"model's own": [], "estimated": [], "true": []}, []
    for image, labels in read_split(data / "nuclei", "val"):
        true, estimated = utils.diameters(labels)[0], segmenter.estimate_diameter([image])[0]
        ratio.append(estimated / true)
        truth.append(labels)
        for (_, masks), diameter in zip(found.items(), (segmenter.diameter, estimated, true), strict=True):
            masks.append(segmenter(image, diameter=diameter).astype(np.int32))
    for name, masks in found.items():
        half, three_quarters = average_precision(truth, masks, threshold=[0.5, 0.75])[0].mean(axis=0)
        click.echo(f"val, {len(truth)} images, diameter {name:11}: AP@0.5 {half:.3f}  AP@0.75 {three_quarters:.3f}")
    low, middle, high = np.percentile(ratio, (5, 50, 95))
    click.echo(f"estimated / true diameter: median {middle:.2f}, 5th to 95th percentile {low:.2f} to {high:.2f}")


def measure_mosaics(segmenter, data):
    """F1 of the raw mosaics, each at the diameter estimated from itself and at the plate's; the empty well's count."""
    keys = [(well, frame) for well in WELLS for frame in (1, 2)]
    images = {key: read_mosaic(data, *key) for key in keys}
    plate = segmenter.estimate_diameter(images.values(), plate_area)[0]
    scores = []
    for (well, frame), image in images.items():
        truth = tifffile.imread(data / f"screen/truth/XD0001_01_{well}_{frame}_labels.tif")
        own = segmenter.estimate_diameter([image])[0]
        score, precision, recall = f1(truth, segmenter(image, diameter=own))
        at_plate = f1(truth, segmenter(image, diameter=plate))[0]
        scores.append((score, at_plate))
        click.echo(
            f"mosaic {well:3} frame {frame}: {truth.max():3} nuclei, F1 {score:.3f} (precision {precision:.3f}, recall "
            f"{recall:.3f}) at its own {own:.1f} px, {at_plate:.3f} at the plate's {plate:.1f} px"
        )
    for name, column in zip(("its own", "the plate's"), np.transpose(scores), strict=True):
        click.echo(f"mosaics at {name} diameter: mean F1 {column.mean():.3f}, worst {column.min():.3f}")
    for frame in (1, 2):
        empty = read_mosaic(data, EMPTY, frame)
        for name, diameter in (("the plate's", plate), ("the model's own", segmenter.diameter)):
            count = segmenter(empty, diameter=diameter).max()
            click.echo(f"empty well {EMPTY} frame {frame}: {count} nuclei at {name} diameter")


@main.command()
@click.option("--model", type=click.Path(exists=True), default=MODEL, show_default=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=DATA, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def measure(model, data, threads):
    """Measure a checkpoint on the real images of DATA."""
    torch.set_num_threads(threads)
    segmenter = Segmenter(model)
    size = sum(array.size for array in segmenter.checkpoint.weights.values())
    click.echo(
        f"{model}: widths {segmenter.checkpoint.widths}, {size / 1e6:.2f} M parameters, "
        f"own diameter {segmenter.diameter} px"
    )
    measure_validation(segmenter, data)
    measure_mosaics(segmenter, data)
    (dna,) = data.glob("examplehuman/*d0.tif")
    diameter, _ = segmenter.estimate_diameter([tifffile.imread(dna)])
    count = segmenter(tifffile.imread(dna), diameter=diameter).max()
    click.echo(f"ExampleHuman: {count} nuclei at {diameter} px (CellProfiler counted 289)")
    click.echo(device_name(segmenter.device, threads))


if __name__ == "__main__":
    main()
