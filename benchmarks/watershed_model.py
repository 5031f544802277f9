#!/usr/bin/env python3
"""The small network for deep watershed that idrstream ships, assets/models/watershed/nuclei.onnx: train, measure."""

import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import numpy as np
import torch
from cellpose.metrics import average_precision
from scipy import ndimage
from torch import nn
from torch.nn import functional

from cellpose import utils
from scikit_mesmer import TILE, Network, preprocess, resized

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import nuclei_model  # noqa: E402
from idrstream.base import graph  # noqa: E402
from idrstream.cells import cpnet, segmentation  # noqa: E402
from nuclei_model import DATA, Stage, read_split  # noqa: E402

MODEL = ROOT / "assets/models/watershed/nuclei.onnx"
WEIGHTS = ROOT / "build/watershed.pth"

WIDTHS = 8, 24, 48, 64  # features at 1, 1/2, 1/4, 1/8 of the resolution
DIAMETER = 20.0  # pixels: every training image is brought to this median diameter before it is augmented
PIXEL_SIZE = 0.5  # um, at which a nucleus of 10 um has that diameter; Mesmer's
BATCH = 8  # crops a step
EMPTY = 0.04  # share of the crops that are noise alone
# Logits that the interior is lowered by in the file: Mesmer's smoothing (sigma 2, then a threshold of 0.2) would else
# draw nuclei a fifth too large. With it, nuclei of the train split have their areas.
LOWERED = 1.3

# A stage ends in a rate of 0, so that whatever it leaves can be used.
STAGES = (
    Stage(steps=900, crop=160, rate=3e-3, decay=0.5, wide=0.15, mosaics=0, rough=0.5),
    Stage(steps=900, crop=160, rate=2e-3, decay=0.7, wide=0.1, mosaics=0, rough=0.4),
)


class Block(nn.Module):
    """Two convolutions, the second of which adds to what the first one gave."""

    def __init__(self, inputs, features):
        super().__init__()
        self.first = nn.Sequential(*_convolution(inputs, features), nn.ReLU())
        self.rest = nn.Sequential(*_convolution(features, features))

    def forward(self, maps):
        maps = self.first(maps)
        return functional.relu(maps + self.rest(maps))


def _convolution(inputs, features):
    return nn.Conv2d(inputs, features, 3, padding=1, bias=False), nn.BatchNorm2d(features)


class UNet(nn.Module):
    """Grey levels of 0 to 1, (n, 1, Y, X) of sides that 8 divides, to (n, 2, Y, X) logits: inner distance, interior."""

    def __init__(self, widths=WIDTHS):
        super().__init__()
        self.down = nn.ModuleList(Block(*pair) for pair in pairwise((1, *widths)))
        self.up = nn.ModuleList(Block(here + below, here) for here, below in pairwise(widths))
        self.last = nn.Conv2d(widths[0], 2, 1)

    def forward(self, maps):
        beside = []
        for level, block in enumerate(self.down):
            maps = block(functional.max_pool2d(maps, 2) if level else maps)
            beside.append(maps)
        for block, here in reversed(list(zip(self.up, beside, strict=False))):
            maps = block(torch.cat((functional.interpolate(maps, scale_factor=2.0), here), dim=1))
        return self.last(maps)


class Heads(nn.Module):
    """The network as its file has it: inner distance and interior, (n, 1, Y, X) of 0 to 1 each."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, pixels):
        logits = self.network(pixels)
        return torch.sigmoid(logits[:, :1]), torch.sigmoid(logits[:, 1:] - LOWERED)


class Field(NamedTuple):
    """An image at the network's scale.

    grey     (Y, X) float32, preprocessed
    labels   (Y, X) uint16
    centres  (n + 1, 2) of each label, y and x
    areas    (n + 1,) pixels; 0 where erosion leaves nothing of a nucleus
    """

    grey: np.ndarray
    labels: np.ndarray
    centres: np.ndarray
    areas: np.ndarray


def eroded(labels):
    """(Y, X) uint16: nuclei without the pixels that have another one, or the ground, above, below or beside them."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.where(cv2.erode(labels, cross) == cv2.dilate(labels, cross), labels, 0)


def read_field(image, labels):
    """The Field of an image and its label image."""
    scale = DIAMETER / utils.diameters(labels)[0]
    labels = resized(labels.astype(np.uint16), scale, cv2.INTER_NEAREST)
    inside = eroded(labels)
    depth = ndimage.distance_transform_edt(inside).ravel()
    numbers, count = inside.ravel(), labels.max() + 1
    weight = np.maximum(np.bincount(numbers, depth, count), 1e-9)
    centres = [np.bincount(numbers, depth * axis.ravel(), count) / weight for axis in np.indices(labels.shape)]
    areas = np.bincount(numbers, minlength=count)
    areas[0] = 0
    return Field(preprocess(resized(image, scale)), labels, np.stack(centres, axis=-1), areas)


def targets(labels, centres, areas):
    """What the network is to answer: DeepCell's inner distance (alpha "auto", beta 1) and interior, nuclei eroded by 1.

    labels   (Y, X) uint16; centres and areas as a Field has them
    returns  (2, Y, X) float32: 1 / (1 + squared distance to the centre / root of the area), and nucleus or not
    """
    inside = eroded(labels)
    inside[areas[inside] == 0] = 0
    y, x = np.indices(labels.shape)
    squared = (y - centres[inside, 0]) ** 2 + (x - centres[inside, 1]) ** 2
    distance = 1 / (1 + squared / np.sqrt(np.maximum(areas, 1))[inside])
    return np.stack([np.where(inside, distance, 0), inside > 0]).astype(np.float32)


def draw_crop(fields, stage, rng):
    """(Y, X) grey levels and (2, Y, X) targets of a crop; noise alone at times."""
    if rng.random() < EMPTY:
        grey = preprocess(nuclei_model.empty_crop(stage, rng)[..., 0])
        target = np.zeros((2, *grey.shape), np.float32)
    else:
        field = fields[rng.integers(len(fields))]
        turn, scale, source, target_place = nuclei_model.draw_view(field.labels > 0, stage, rng)
        size = stage.crop, stage.crop
        matrix = nuclei_model.crop_to_image(turn, scale, source, target_place)
        grey, labels = (
            cv2.warpAffine(plane, matrix, size, flags=how | cv2.WARP_INVERSE_MAP)
            for plane, how in ((field.grey, cv2.INTER_LINEAR), (field.labels, cv2.INTER_NEAREST))
        )
        centres = (field.centres - source) @ (scale * turn).T + target_place
        target = targets(labels, centres, field.areas * scale**2)
    return np.clip(nuclei_model.disturb(grey, stage.rough, rng), 0, 1).astype(np.float32), target


@click.group()
def main():
    """Train, export or measure the shipped network for deep watershed."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), default=DATA / "nuclei", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=WEIGHTS)
@click.option("--first", type=int, default=0, help="Stage to begin with, from 0; OUT then holds the one before.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def train(data, out, first, seed, threads):
    """Train on the train split of DATA and write the weights to OUT after every stage."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(seed)
    out.parent.mkdir(exist_ok=True)
    fields = [read_field(*pair) for pair in read_split(data, "train")]
    net = UNet().to(memory_format=torch.channels_last).train()
    if first:
        net.load_state_dict(torch.load(out, weights_only=True))
    for number, stage in enumerate(STAGES[first:], first):

        def loss_at(step, stage=stage, number=number):
            rng = np.random.default_rng((seed, number, step))
            crops, target = zip(*(draw_crop(fields, stage, rng) for _ in range(BATCH)), strict=True)
            pixels = torch.from_numpy(np.stack(crops)[:, None]).contiguous(memory_format=torch.channels_last)
            return functional.binary_cross_entropy_with_logits(net(pixels), torch.from_numpy(np.stack(target)))

        nuclei_model.train_stage(net, loss_at, stage)
        nuclei_model.save(net, out)


@main.command()
@click.option("--weights", type=click.Path(exists=True), default=WEIGHTS, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=MODEL)
def export(weights, out):
    """Write the network of trained WEIGHTS to OUT, an ONNX file that states what it is. Needs the package onnx."""
    import onnx

    net = UNet()
    net.load_state_dict(torch.load(weights, weights_only=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    names, sides = ("inner_distance", "interior"), {0: "n", 2: "y", 3: "x"}
    heads = Heads(net).eval()
    torch.onnx.export(
        heads,
        torch.zeros(1, 1, TILE, TILE),
        out,
        input_names=["nuclei"],
        output_names=list(names),
        dynamic_axes={"nuclei": sides, **dict.fromkeys(names, sides)},
        dynamo=False,  # the other exporter needs onnxscript as well
    )
    model = onnx.load(out)
    facts = {"heads": "nuclei", "pixel_size": f"{PIXEL_SIZE}", "diameter": f"{DIAMETER:g}"}
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    onnx.save(model, out)
    tile = np.random.default_rng(0).random((1, 1, TILE, TILE), np.float32)
    with torch.no_grad():
        pairs = zip(heads(torch.from_numpy(tile)), Network(out).maps(tile), strict=True)
    apart = max(np.abs(ours.numpy() - theirs).max() for ours, theirs in pairs)
    count = sum(weight.numel() for weight in net.parameters())
    click.echo(f"{out}: {count} weights, {out.stat().st_size} bytes; at most {apart:.1e} from the network in torch")


def show_scores(name, truth, labels):
    """Print F1 at IoU 0.5 and 0.75, of all nuclei together and as a mean over the images; returns the first two."""
    hits, extra, missed = average_precision(list(truth), labels, threshold=[0.5, 0.75])[1:]
    pairs = 2 * hits + extra + missed
    pooled, mean = 2 * hits.sum(0) / pairs.sum(0), (2 * hits / pairs).mean(0)
    precision, recall = (hits.sum(0) / (hits + other).sum(0) for other in (extra, missed))
    click.echo(
        f"{name:38} F1@0.5 {pooled[0]:.3f} (precision {precision[0]:.3f}, recall {recall[0]:.3f}), "
        f"F1@0.75 {pooled[1]:.3f}; mean over images {mean[0]:.3f}, {mean[1]:.3f}"
    )
    return pooled


def seconds(networks):
    """CPU seconds that each of some networks takes for a megapixel of tiles: the best of five rounds, taken in turn.

    networks  (function, input channels) of each
    """
    best = [np.inf] * len(networks)
    for _ in range(6):  # the first one also compiles
        for number, (network, channels) in enumerate(networks):
            tile = np.random.default_rng(0).random((1, channels, TILE, TILE), np.float32)
            start = time.process_time()
            for _ in range(16):
                network(tile)
            best[number] = min(best[number], (time.process_time() - start) / (16 * TILE**2) * 1e6)
    return best


@main.command()
@click.option("--model", type=click.Path(exists=True), default=MODEL, show_default=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=DATA / "nuclei", show_default=True)
@click.option("--split", default="val", show_default=True)
def measure(model, data, split):
    """Measure a network on a split of DATA, beside the shipped Cellpose-style one, on one thread."""
    network, segmenter = Network(model), segmentation.Segmenter(nuclei_model.MODEL)
    images, truth = zip(*read_split(data, split), strict=True)
    diameters = {
        "true": [utils.diameters(labels)[0] for labels in truth],
        "estimated": [segmenter.estimate_diameter([image])[0] for image in images],
    }
    for name, values in diameters.items():
        scores = [
            show_scores(
                f"{split}, {len(truth)} images, {name} diameter: {kind}",
                truth,
                [each(image, value).astype(np.int32) for image, value in zip(images, values, strict=True)],
            )
            for kind, each in (("Cellpose-style", segmenter), ("watershed", network))
        ]
        half, three_quarters = scores[1] / scores[0]
        click.echo(f"watershed / Cellpose-style, {name} diameter: F1@0.5 {half:.3f}, F1@0.75 {three_quarters:.3f}")
    checkpoint = segmenter.checkpoint
    cellpose_style = graph.ready(partial(cpnet.cpnet, checkpoint.weights), threads=1)
    took = seconds([(network.maps, 1), (cellpose_style, checkpoint.widths[0])])
    for kind, each, diameter in zip(
        ("watershed", "Cellpose-style"), took, (network.diameter, checkpoint.trained), strict=True
    ):
        click.echo(f"{kind}: {each:.2f} CPU-s a Mpx in which a nucleus has {diameter:g} px")


if __name__ == "__main__":
    main()
