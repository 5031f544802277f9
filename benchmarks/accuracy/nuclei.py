#!/usr/bin/env python3
"""Average precision of the shipped nuclei model: on the val split, and on a plate's frames, corrected and not; and how
many nuclei it finds where there are few."""

import sys

import click
import numpy as np
import tifffile
import torch
from cellpose.metrics import average_precision
from common import BIN, DATA, MODEL, ROOT
from scipy import ndimage

sys.path[:0] = [str(BIN), str(ROOT / "benchmarks")]

from idrstream.cells import segmentation  # noqa: E402
from idrstream.screen import illumination  # noqa: E402
from mosaics import EMPTY, WELLS, read_mosaic  # noqa: E402
from nuclei_model import read_split  # noqa: E402

OVERLAPS = (0.5, 0.75, 0.9)  # IoU
OFFSET = 6  # grey levels, of the plate's camera
FEW = 1, 3, 4, 10  # nuclei left in a field
GAINS = 5, 15, 40, 100  # times their grey levels in 8 bits, above a ground of 300 with noise of 15


@click.command()
@click.option("--model", type=click.Path(exists=True), default=MODEL, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(model, threads):
    """Segment as the pipeline does: an image of the val split at the diameter estimated from it, a plate at its own."""
    torch.set_num_threads(threads)
    segmenter = segmentation.Segmenter(model)
    print(f"{'images':34}" + "".join(f"AP@{overlap:<7}" for overlap in OVERLAPS))
    split = list(read_split(DATA / "nuclei", "val"))
    show(f"val split, {len(split)}", [(t, segmenter(i, segmenter.estimate_diameter([i])[0])) for i, t in split])
    keys = [(well, frame) for well in WELLS for frame in (1, 2)]
    frames = [read_mosaic(DATA, *key) for key in keys]
    truth = [tifffile.imread(DATA / f"screen/truth/XD0001_01_{well}_{frame}_labels.tif") for well, frame in keys]
    empty = [read_mosaic(DATA, EMPTY, frame) for frame in (1, 2)]
    field = illumination.of_plate(frames + empty, OFFSET).field
    for said, images in (("as archived", frames), ("corrected", [(frame - OFFSET) / field for frame in frames])):
        diameter = segmenter.estimate_diameter(images, segmentation.plate_area)[0]
        found = [segmenter(image, diameter) for image in images]
        show(f"mosaics, {len(frames)}, {said}", zip(truth, found, strict=True))
    show_sparse(segmenter, frames, truth, segmenter.estimate_diameter(frames, segmentation.plate_area)[0])


def show_sparse(segmenter, frames, truth, diameter):
    """Print how many are found of a few real nuclei that are alone in a field of 16 bits, at four brightnesses."""
    print(f"\n{'nuclei left in a field':34}" + "".join(f"x {gain:<8}" for gain in GAINS))
    for count in FEW:
        cells = []
        for gain in GAINS:
            found, extra = 0, 0
            for number in range(0, len(frames), 2):
                rng = np.random.default_rng((count, gain, number))
                image, left = sparse(frames[number], truth[number], count, gain, rng)
                hits, more = average_precision(left, segmenter(image, diameter).astype(np.int32), threshold=[0.5])[1:3]
                found, extra = found + int(hits[0]), extra + int(more[0])
            cells.append(f"{found}/{count * len(frames[::2])}" + f" +{extra}" * (extra > 0))
        print(f"{count:<34}" + "".join(f"{cell:<10}" for cell in cells), flush=True)


def sparse(frame, truth, count, gain, rng):
    """(Y, X) uint16 and int32: COUNT of a frame's nuclei, and nothing else but noise; the label image of them."""
    away = ~ndimage.binary_dilation(truth > 0, iterations=12)
    ground = ndimage.gaussian_filter(frame * away.astype(float), 25)
    ground /= np.maximum(ndimage.gaussian_filter(away.astype(float), 25), 1e-3)
    areas = np.bincount(truth.ravel())
    usual = np.flatnonzero((areas > 300) & (areas < 2500))
    left = np.isin(truth, rng.choice(usual[usual > 0], count, replace=False))
    halo = ndimage.binary_dilation(left, iterations=8) & ~((truth > 0) & ~left)
    light = ndimage.gaussian_filter(np.where(halo, np.maximum(frame - ground, 0), 0), 0.7)
    image = 300 + gain * light + rng.normal(0, 15, frame.shape)
    return image.round().clip(0, 65535).astype(np.uint16), np.where(left, truth, 0).astype(np.int32)


def show(said, pairs):
    truth, found = ([labels.astype(np.int32) for labels in some] for some in zip(*pairs, strict=True))
    precision = average_precision(truth, found, threshold=list(OVERLAPS))[0].mean(axis=0)
    print(f"{said:34}" + "".join(f"{value:<10.3f}" for value in precision), flush=True)


if __name__ == "__main__":
    main()
