"""The labels of a slide, and its table, as OME-Zarr: one store that SpatialData and readers of OME-Zarr open.

A level of the pyramid is an array of shards, a file each, written once; one is in memory at a time. They lie on a grid
of their own: no byte depends on the tiles that the labels were made by.
"""

import itertools
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import zarr

from idrstream.tissue.tiles import Box, grid, meeting

# What SpatialData 0.7 writes and reads; it refuses "0.5" itself, which ome-zarr-py 0.15 reads as well as this.
VERSION = "0.5-dev-spatialdata"
CONTAINER, ELEMENT = "0.2", "0.3"  # versions of SpatialData's own metadata
SHARD, CHUNK = 4096, 512  # pixels a side of a file, and of what is decoded at once
TABLE = "table"  # name of the table in it
COARSEST = 1024  # pixels: the last level of a pyramid is no larger


def pyramid(shape):
    """(Y, X) of every level of a label image of SHAPE: each second pixel of the one before."""
    levels = [tuple(shape)]
    while max(levels[-1]) > COARSEST:
        levels.append(tuple(math.ceil(side / 2) for side in levels[-1]))
    return levels


def write(path, images, shape, side, pixel_size, origin=(0, 0), table=None):
    """Write a store of label images, each with its pyramid, to PATH, a folder that is not there yet.

    images      name -> function of a Box, one of the slide's tiles, that returns (Y, X) uint32 labels
    shape       (Y, X) of the slide
    side        of its tiles, in pixels
    pixel_size  (y, x) micrometres; None if nobody knows
    origin      (y, x) of the first pixel, in pixels of the whole slide
    table       folder of an AnnData element that is copied into it; None for no table
    """
    root = zarr.create_group(path, zarr_format=3)
    root.attrs["spatialdata_attrs"] = {"version": CONTAINER, "spatialdata_software_version": "idrstream"}
    group = root.create_group("labels", attributes={"ome": {"version": VERSION, "labels": list(images)}})
    for name, tile in images.items():
        element = group.create_group(name)
        levels = len(_fill(element, tile, shape, side))
        element.attrs.update(_attributes(name, levels, pixel_size, origin))
    if table:
        root.create_group("tables")
        shutil.copytree(table, Path(path, "tables", TABLE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata are no part of Zarr 3 yet; SpatialData looks for them
        zarr.consolidate_metadata(path)


def read(path, name, level=0):
    """A level of a label image, (Y, X) uint32, which is read as it is sliced."""
    return zarr.open_array(Path(path, "labels", name), path=f"s{level}", mode="r")


def _fill(element, tile, shape, side):
    """Write the levels of a label image, which are returned; arguments as of `write`."""
    levels = [_array(element, number, size) for number, size in enumerate(pyramid(shape))]
    for box in _shards(levels[0]):
        pixels = np.zeros(box.shape, np.uint32)
        for part in meeting(box, side, shape):
            shared = part.common(box)
            pixels[shared.within(box)] = tile(part)[shared.within(part)]
        _put(levels[0], box, pixels)
    for finer, coarser in itertools.pairwise(levels):
        for box in _shards(coarser):
            _put(coarser, box, _halved(finer, box))
    return levels


def _array(element, number, size):
    """An array of a level, without pixels."""
    sides = [min(SHARD, CHUNK * math.ceil(side / CHUNK)) for side in size]
    return element.create_array(
        f"s{number}",
        shape=size,
        dtype="uint32",
        chunks=(CHUNK, CHUNK),
        shards=tuple(sides),
        compressors=zarr.codecs.ZstdCodec(level=1),
        dimension_names=("y", "x"),
    )


def _shards(array):
    """The boxes of an array's shards."""
    (height, width), (down, across) = array.shape, array.shards
    return [box for row in range(0, height, down) for box in grid(Box(row, min(row + down, height), 0, width), across)]


def _put(array, box, pixels):
    array[box.y0 : box.y1, box.x0 : box.x1] = pixels


def _halved(finer, box):
    """Each second pixel of a level, (Y, X) uint32 for a Box of the next: labels are not averaged."""
    pixels = np.empty(box.shape, np.uint32)
    for part in grid(box, SHARD // 2):
        pixels[part.within(box)] = finer[2 * part.y0 : 2 * part.y1, 2 * part.x0 : 2 * part.x1][::2, ::2]
    return pixels


def _attributes(name, count, pixel_size, origin):
    """Metadata of a label image of COUNT levels: for readers of OME-Zarr, and for SpatialData."""
    spaces = [{"name": axis, "type": "space"} for axis in "yx"]
    if pixel_size:
        spaces = [{**space, "unit": "micrometer"} for space in spaces]
    systems = [{"name": system, "axes": [{**s, "unit": "unit"} for s in spaces]} for system in ("yx", "global")]
    scale = list(pixel_size or (1.0, 1.0))
    between = {"input": systems[0], "output": systems[1]}
    to_world = {"type": "scale", "scale": scale} | between
    if any(origin):
        shift = [edge * first for edge, first in zip(scale, origin, strict=True)]
        moved = {"type": "translation", "translation": shift, "input": systems[1], "output": systems[1]}
        to_world = {"type": "sequence", "transformations": [to_world, moved]} | between
    steps = [[{"type": "scale", "scale": [2.0**level, 2.0**level]}] for level in range(count)]
    datasets = [{"path": f"s{level}", "coordinateTransformations": step} for level, step in enumerate(steps)]
    scales = {"name": name, "axes": spaces, "datasets": datasets, "coordinateTransformations": [to_world]}
    ome = {"version": VERSION, "image-label": {}, "multiscales": [scales]}
    return {"ome": ome, "spatialdata_attrs": {"version": ELEMENT}}
