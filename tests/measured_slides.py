"""Slides that are measured: channels in a file, label images as the steps before MEASURE leave them."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import tifffile
from scipy import ndimage

from idrstream.base import files
from idrstream.tissue import arrays, layers, measuring, objects, steps, tiles
from idrstream.tissue.tiles import Box

ALL = {"statistics": ["mean", "median", "min", "max", "sd", "variance"], "outputs": ["quant", "geojson"]}
ALL |= {"compartments": ["nucleus", "cytoplasm", "membrane", "cell"]}


class Measured(NamedTuple):
    """What MEASURE leaves of all groups of a slide, in ascending order of labels.

    columns   list of dicts
    labels    (n,) uint32
    values    (n, p) float64
    objects   (n,) measuring.OBJECT
    outlines  list of lines
    cells     (Y, X) uint32, None if there are none
    without_data  channel -> objects with pixels that have none
    """

    columns: list
    labels: np.ndarray
    values: np.ndarray
    objects: np.ndarray
    outlines: list
    cells: np.ndarray | None
    without_data: dict | None = None

    def column(self, compartment, measure, channel=None):
        """(n,) of what is measured."""
        wanted = {"compartment": compartment, "measure": measure, "channel": channel}
        (index,) = (i for i, column in enumerate(self.columns) if wanted.items() <= column.items())
        return self.values[:, index]


def layer(folder, labels, side):
    """Leave a label image, (Y, X) of any labels, in FOLDER as the steps do, in tiles of SIDE; returns FOLDER."""
    known = np.unique(labels[labels > 0])
    raw = np.searchsorted(known, labels).astype(np.int32) + (labels > 0)
    number = np.random.default_rng(0).permutation(len(known)) + 1  # raw numbers are in no order
    raw = np.concatenate([[0], number]).astype(np.int32)[raw]
    whole = Box(0, labels.shape[0], 0, labels.shape[1])
    for tile in tiles.grid(whole, side):
        arrays.write(folder / "labelled_0" / f"{tile.name}.labels.npz", steps.Raw(raw[tile.within(whole)]))
    table = np.zeros(len(known) + 1, np.uint32)
    table[number] = known
    _, first, pixels = np.unique(np.concatenate([[0], raw.ravel()]), return_index=True, return_counts=True)
    boxes = np.zeros((len(table), 4))
    for index, (down, across) in enumerate(ndimage.find_objects(raw), 1):
        boxes[index] = max(down.start - 1, 0), down.stop + 1, across.start, across.stop + 1  # may be larger
    arrays.write(folder / "numbers" / steps.NUMBERS, steps.Numbers(table, 0, 0))
    arrays.write(folder / "numbers" / objects.FILE, objects.of(table, boxes, first - 1, pixels))
    return folder


def packet_of(locations, names, size, dtype="uint16", tile=512, group=1, **more):
    """The planner's JSON of a slide, all channels of whose first file are measured."""
    region = more.get("region")
    size = region[2:] if region else size
    measured = [
        {"file": 0, "channel": channel, "frame": 0, "number": channel + 1, "name": name, "background": None}
        for channel, name in enumerate(names)
    ]
    content = {"slide": "A1", "locations": list(map(str, locations)), "folders": [], "whole_size": list(size)}
    content |= {"size": list(size), "region": None, "dtype": dtype, "pixel_size": {"y": 0.65, "x": 0.65}, "tile": tile}
    content |= {"groups": tiles.groups(tuple(size), tile, group), "measured": measured}
    content |= {"polygon": None, "npz": None, "workspace": None}
    return content | {"cells": "expand", "expansion": 4.615} | ALL | more


def write(path, channels, **how):
    """Write (C, Y, X) channels as OME-TIFF in small compressed tiles."""
    how = {"tile": (128, 128), "compression": "zlib"} | how
    tifffile.imwrite(path, channels, photometric="minisblack", metadata={"axes": "CYX"}, ome=True, **how)
    return path


def measure(folder, packet, nuclei, cells=None):
    """Measured of all groups of a slide, whose layers are in the folders NUCLEI and CELLS."""
    without = Counter()
    for number, group in enumerate(packet["groups"]):
        here = folder / f"measured_{number}"
        here.mkdir(parents=True)
        boxes = [Box(*tile) for tile in group]
        told = measuring.measure(packet, here, boxes, layers.read(nuclei), cells and layers.read(cells), {}, iter)
        without.update(told["without_data"])
    return read(folder, packet)._replace(without_data=dict(without))


def read(folder, packet):
    """Measured of what all groups left in folders measured_*."""
    folders = sorted(folder.glob("measured_*"))
    parts = [[np.load(each / f"{name}.npy") for each in folders] for name in ("labels", "values", "objects")]
    labels, values, found = map(np.concatenate, parts)
    assert all((np.diff(part.astype(np.int64)) > 0).all() for part in parts[0])
    assert len({(each / measuring.COLUMNS).read_text() for each in folders}) == 1
    outlined = [each / measuring.OUTLINES for each in folders]
    lines = [line for path in outlined if path.exists() for line in path.read_text().splitlines()]
    order, cells = np.argsort(labels), None
    for path in (path for each in folders for path in each.glob("*.cells.npz")):
        cells = np.zeros(packet["size"], np.uint32) if cells is None else cells
        part, (y, x) = arrays.read(path, steps.Raw).labels, map(int, path.name.split(".")[0].split("_"))
        cells[y : y + part.shape[0], x : x + part.shape[1]] = part
    columns = files.read_json(folders[0] / measuring.COLUMNS)
    lines = [lines[index] for index in order] if lines else lines
    return Measured(columns, labels[order], values[order], found[order], lines, cells)
