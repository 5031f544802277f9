#!/usr/bin/env python3
"""Average precision of the shipped nuclei model: on the val split, and on a plate's frames, corrected and not."""

import sys

import click
import numpy as np
import tifffile
import torch
from cellpose.metrics import average_precision
from common import BIN, DATA, MODEL, ROOT

sys.path[:0] = [str(BIN), str(ROOT / "benchmarks")]

from idrstream import illumination, segmentation  # noqa: E402
from nuclei_model import EMPTY, WELLS, read_mosaic, read_validation  # noqa: E402

OVERLAPS = (0.5, 0.75, 0.9)  # IoU
OFFSET = 6  # grey levels, of the plate's camera


@click.command()
@click.option("--model", type=click.Path(exists=True), default=MODEL, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(model, threads):
    """Segment as the pipeline does: an image of the val split at the diameter estimated from it, a plate at its own."""
    torch.set_num_threads(threads)
    segmenter = segmentation.Segmenter(model)
    print(f"{'images':34}" + "".join(f"AP@{overlap:<7}" for overlap in OVERLAPS))
    split = list(read_validation(DATA))
    show(f"val split, {len(split)}", [(t, segmenter(i, segmenter.estimate_diameter([i])[0])) for i, t in split])
    keys = [(well, frame) for well in WELLS for frame in (1, 2)]
    frames = [read_mosaic(DATA, *key) for key in keys]
    truth = [tifffile.imread(DATA / f"screen/truth/XD0001_01_{well}_{frame}_labels.tif") for well, frame in keys]
    empty = [read_mosaic(DATA, EMPTY, frame) for frame in (1, 2)]
    field = illumination.of_plate(frames + empty, OFFSET)[0]
    for said, images in (("as archived", frames), ("corrected", [(frame - OFFSET) / field for frame in frames])):
        diameter = segmenter.estimate_diameter(images, segmentation.PLATE_QUANTILE)[0]
        found = [segmenter(image, diameter) for image in images]
        show(f"mosaics, {len(frames)}, {said}", zip(truth, found, strict=True))


def show(said, pairs):
    truth, found = ([labels.astype(np.int32) for labels in some] for some in zip(*pairs, strict=True))
    precision = average_precision(truth, found, threshold=list(OVERLAPS))[0].mean(axis=0)
    print(f"{said:34}" + "".join(f"{value:<10.3f}" for value in precision), flush=True)


if __name__ == "__main__":
    main()
