"""ASSEMBLE: the labels of a slide out of those of its tiles, as the files that people keep."""

from pathlib import Path

import numpy as np

from idrstream.base import files
from idrstream.tissue import arrays, layers, overlays, steps, store, tiff, tiles

COUNTS, ELEMENT = "counts.json", "element"  # of TABLES: how many objects there are, and the table for the store
PREPARED = "prepared/prepared.json", "normalized/normalized.json"  # in the folder of a layer that a network looked for


class Found:
    """What the steps left of a slide.

    images    name -> function of one of its tiles that returns (Y, X) uint32 labels: nuclei, and cells if there are any
    layers    name -> layers.Layer of what was looked for, or given
    prepared  layer -> what PREPARE or NORMALIZE told, of those that a network looked for
    counts    what TABLES counted; None if nothing was measured
    element   folder of the table for the store; None if there is none

    Folders: of the nuclei; of the cells, of MEASURE's and of TABLES; None for what is not there.
    """

    def __init__(self, packet, nuclei, cells=None, measured=None, tables=None):
        self.packet, self.shape, self.side = packet, tuple(packet["size"]), packet["tile"]
        self.pixel_size = packet["pixel_size"] and (packet["pixel_size"]["y"], packet["pixel_size"]["x"])
        self.origin = tiles.corner(packet)
        folders = {name: Path(folder) for name, folder in (("nuclei", nuclei), ("cells", cells)) if folder}
        self.layers = {name: layers.read(folder) for name, folder in folders.items()}
        told = [(name, folder / path) for name, folder in folders.items() for path in PREPARED]
        self.prepared = {name: files.read_json(path) for name, path in told if path.exists()}
        self.images = {"nuclei": self.layers["nuclei"].tile} | _cells(measured)
        self.counts = tables and files.read_json(Path(tables, COUNTS))
        self.element = tables and _there(Path(tables, ELEMENT))


def _cells(measured):
    """{"cells": function of a tile} of the cells that MEASURE left in the folders in a folder; {} if there are none."""
    paths = {path.name: path for path in Path(measured).glob("*/*.cells.npz")} if measured else {}
    return {"cells": lambda tile: arrays.read(paths[f"{tile.name}.cells.npz"], steps.Raw).labels} if paths else {}


def _there(path):
    return path if path.exists() else None


def labels(assembled, found):
    """Write the label images of a slide as store and as TIFF, those of them that are wanted, into ASSEMBLED/results.

    returns  name -> label image, (Y, X), read as it is sliced
    """
    results, outputs, name = assembled / "results", found.packet["outputs"], f"{found.packet['slide']}.zarr"
    path = (results if "spatialdata" in outputs else assembled) / name  # the others are made of it
    where = found.shape, found.side, found.pixel_size, found.origin
    store.write(path, found.images, *where, table=found.element)
    images = {}
    for image in found.images:
        levels = [store.read(path, image, number) for number in range(len(store.pyramid(found.shape)))]
        images[image] = levels[0]
        if "masks" in outputs:
            identity = f"{found.packet['identity']}/{image}"
            tiff.write(results / f"{image}.ome.tif", image, levels, found.pixel_size, identity)
    return images


def pictures(folder, found, shown, images):
    """Write the overlays into FOLDER; returns a list of {"file", "box"}. Arguments as of overlays.write."""
    first = np.concatenate([layer.objects.first for layer in found.layers.values()])
    boxes = overlays.places(np.unique(first), found.shape)
    names = overlays.write(folder, boxes, shown, images)
    return [{"file": name, "box": list(box)} for name, box in zip(names, boxes, strict=True)]
