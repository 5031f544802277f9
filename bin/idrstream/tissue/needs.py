"""What a slide will take of memory, disk and time: estimates for the user, and the measure that bounds the disk."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from idrstream.tissue.foreground import PIXEL

# Of the made slides of docs/performance.md, 2.7 bytes a pixel: channel 0.8, nuclei (a tenth of the pixels) 1.6, labels.
FOREGROUND = {"nuclei": 0.25, "cells": 0.5}  # share of a slide that is in them, where it is dense
PACKED = 0.5  # bytes of a channel's copy, a byte
LABELS = 0.25  # bytes a pixel of a label image, packed: of tiles, of the store and its pyramid, of the TIFF
START = 600_000_000  # bytes of a task's libraries, network and buffers
TILE = 50  # bytes of memory a pixel of a tile, and
NETWORK = 30  # a pixel as the network sees it, at TRAINED pixels a nucleus
TRAINED = 20  # pixels, or thereabouts: networks are trained on nuclei of 16 to 30
GROUP = 12  # bytes of memory a pixel of all tiles that a task measures: nuclei, cells, a channel, and
OBJECT = 200  # a nucleus or cell of the slide
WHOLE = 500_000_000  # bytes of a task that knows all nuclei of a slide: so many, and one a pixel of the slide
FLOODING = 2_000_000_000  # bytes of a task of a deep watershed: network, what it saw last, a window, and
EQUALIZED = 0.1  # a pixel of the resized slide, of CLAHE
SPANS = 0.5  # bytes a pixel of the slide, of each deep watershed between its steps
MOST_TASKS = 800  # of a step of a slide: five folders of each have to fit into a command line, by name
SECONDS = 3.3  # of a processor, a megapixel and network: all steps up to its labels (docs/performance.md)
WATERSHED = 3.0  # likewise, of the shipped network for deep watershed, a megapixel of the resized slide
MEASURING = 1 / 80  # likewise, of each channel that is measured
SHAPES = 13  # columns of shapes
VALUE = 8  # bytes of a number as it is measured, and as it is written (of 40 channels, all statistics):
WRITTEN = {"masks": 0, "quant": 18, "geojson": 9, "parquet": 8, "h5ad": 5, "spatialdata": 5}


class Work(NamedTuple):
    """What is done with a slide.

    layers    that networks of Cellpose look for: "nuclei", "cells"
    resized   of each network for deep watershed: its pixels per pixel of the slide
    copied    channels that are copied, of `itemsize` bytes a pixel
    channels  that are measured, in
    columns   numbers a cell
    outputs   files that are written
    cells     whether there are cells
    """

    layers: Collection[str]
    resized: Collection[float]
    copied: int
    itemsize: int
    channels: int
    columns: int
    outputs: Collection[str]
    cells: bool


class Need(NamedTuple):
    """Estimates of a slide.

    memory   bytes that the largest task takes
    disk     bytes in the work folder, at most
    seconds  of one processor
    """

    memory: int
    disk: int
    seconds: float


def of(shape: tuple[int, int], side: int, group: int, work: Work, diameters: Collection[float | str]) -> Need:
    """What a slide takes.

    shape      (Y, X) of what is worked on of it
    side       of its tiles, in pixels
    group      tiles that a task takes, at most
    diameters  of its nuclei and cells in pixels, if networks look for them; "auto" is taken for TRAINED
    """
    pixels = math.prod(shape)
    tile = math.prod(min(side, length) for length in shape)
    known = [float(size) for size in diameters if size != "auto"]
    scale = max([TRAINED / size for size in known] + [1.0] * (len(known) < len(diameters)), default=0)
    nuclei = pixels * FOREGROUND["nuclei"] / (math.pi / 4 * min(known, default=TRAINED) ** 2)
    measuring = START + GROUP * min(group * tile, pixels) + int(OBJECT * nuclei)
    memory = max(START + int((TILE + NETWORK * scale**2) * tile), measuring, WHOLE + pixels)
    memory = max([memory, *(FLOODING + int(EQUALIZED * area * pixels) for area in work.resized)])
    images = work.copied * work.itemsize * PACKED + LABELS * (1 + work.cells)
    images += sum(FOREGROUND[layer] for layer in work.layers) * PIXEL.itemsize
    images += SPANS * len(work.resized)
    tables = nuclei * (SHAPES + work.columns) * (VALUE + sum(WRITTEN[name] for name in work.outputs))
    seconds = len(work.layers) * SECONDS + sum(work.resized) * WATERSHED + work.channels * MEASURING
    return Need(memory, int(pixels * images + tables), pixels / 1e6 * seconds)


def tiles_a_task(wanted: str | int, tiles: int) -> int:
    """Tiles of a slide that one task takes; auto: so many that its start is a tenth of it, in 200 tasks at most."""
    return max(4, math.ceil(tiles / 200)) if wanted == "auto" else max(int(wanted), math.ceil(tiles / MOST_TASKS))
