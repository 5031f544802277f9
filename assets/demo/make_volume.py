#!/usr/bin/env python3
"""Make two small volumes as incasem keeps them: cells of two microscopes, mitochondria annotated in part."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import click
import numcodecs
import numpy as np
import zarr
from scipy import ndimage

import drawn_cell

VOXEL_SIZE = 5  # nanometres
CHUNK = 64  # voxels
EXCLUDED = 2  # voxels on either side of a mitochondrion's edge that do not count
RAW, LABELS = "volumes/raw_equalized_0.02", "volumes/labels/mito"
MASK, METRIC_MASK = "volumes/mask", "volumes/metric_masks/mito"


class Specimen(NamedTuple):
    """A cell and its container; places and shapes are (z, y, x), voxels, and places count from the origin.

    begin, shape  of the raw volume
    labelled      place and shape of what is annotated
    separator     in the names of chunks
    compressor    of chunks
    edge          whether the cell ends within the volume: there is a mask of the sample then
    """

    seed: int
    begin: tuple
    shape: tuple
    labelled: tuple
    microscope: drawn_cell.Microscope
    separator: str
    compressor: object
    edge: bool


SPECIMENS = {
    "cell_1": Specimen(
        seed=1,
        begin=(40, 80, 160),
        shape=(144, 144, 336),
        labelled=((48, 88, 168), (128, 128, 256)),
        microscope=drawn_cell.FIRST,
        separator=".",
        compressor=numcodecs.Zlib(3),
        edge=True,
    ),
    "cell_2": Specimen(
        seed=2,
        begin=(0, 30, 60),
        shape=(96, 112, 128),
        labelled=((16, 54, 90), (64, 64, 64)),
        microscope=drawn_cell.OTHER,
        separator="/",
        compressor=numcodecs.Blosc("zstd", 5),
        edge=False,
    ),
}
# File -> entry -> (cell, place and shape of its region); all but those to predict name the labels.
REGIONS = {
    "predict.json": {
        "cell_1_demo": ("cell_1", (48, 88, 168), (128, 128, 320)),
        "cell_2_demo": ("cell_2", (0, 30, 60), (96, 112, 128)),
    },
    "train.json": {"cell_1_mito": ("cell_1", (48, 88, 168), (128, 128, 128))},
    "validation.json": {
        "cell_1_mito_validation": ("cell_1", (48, 88, 296), (128, 128, 128)),
        "cell_2_mito_validation": ("cell_2", (16, 54, 90), (64, 64, 64)),
    },
}


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(out):
    """Write two containers, and the data files predict.json, train.json and validation.json, to OUT."""
    make_volume(out)


def make_volume(out):
    """Make the demo; same bytes on one machine.

    out/CELL/CELL.zarr   Zarr 2: volumes/raw_equalized_0.02, labels/mito (instances) and metric_masks/mito; cell_1
                         has a mask, too
    out/predict.json     data files with incasem's keys, for a data directory OUT
    out/train.json
    out/validation.json
    """
    out = Path(out)
    for name, specimen in SPECIMENS.items():
        write(out / container(name), specimen)
    for name, regions in REGIONS.items():
        entries = {entry: described(*region, labelled=name != "predict.json") for entry, region in regions.items()}
        (out / name).write_text(json_text(entries), encoding="utf-8")


def write(folder, specimen):
    """Draw a specimen and write its container."""
    cell = drawn_cell.draw(specimen.shape, specimen.seed, specimen.microscope, edge=specimen.edge)
    begin, shape = specimen.labelled
    first = np.subtract(begin, specimen.begin)
    part = tuple(slice(start, start + size) for start, size in zip(first, shape, strict=True))
    arrays = {RAW: (cell.raw, specimen.begin)}
    arrays |= {LABELS: (cell.mitochondria[part], begin), METRIC_MASK: (scored(cell.mitochondria)[part], begin)}
    if specimen.edge:
        arrays[MASK] = cell.sample.astype(np.uint8) * 255, specimen.begin
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for name, (array, place) in arrays.items():
        stored = group.create_array(
            name,
            shape=array.shape,
            dtype=array.dtype,
            chunks=(CHUNK,) * 3,
            compressors=specimen.compressor,
            chunk_key_encoding={"name": "v2", "separator": specimen.separator},
            fill_value=0,
            attributes={
                "offset": [VOXEL_SIZE * first for first in place],  # nanometres, as incasem has them
                "resolution": [VOXEL_SIZE] * 3,
            },
        )
        stored[...] = array


def scored(labels):
    """(z, y, x) uint8: 0 in the exclusion zone along the edge of what is labelled, 255 elsewhere."""
    inside = labels > 0
    outer = ndimage.binary_dilation(inside, iterations=EXCLUDED)
    inner = ndimage.binary_erosion(inside, iterations=EXCLUDED, border_value=1)
    return np.where(outer & ~inner, 0, 255).astype(np.uint8)


def container(name):
    return f"{name}/{name}.zarr"


def described(name, begin, shape, labelled):
    """A region of a cell with the keys of incasem's data files."""
    entry = {"file": container(name), "offset": list(begin), "shape": list(shape), "voxel_size": [VOXEL_SIZE] * 3}
    entry["raw"] = RAW
    if SPECIMENS[name].edge:
        entry["mask"] = MASK
    return entry | ({"metric_masks": [METRIC_MASK], "labels": {LABELS: 1}} if labelled else {})


def json_text(content):
    """JSON with a list a line, as people write it."""
    text = json.dumps(content, indent=4)
    return re.sub(r"\[\s+([^\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


if __name__ == "__main__":
    main()
