"""What a slab will take of memory, disk and time: estimates for the user, and the measure that bounds the disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from idrstream.volume.box import Box, Triple
from idrstream.volume.grid import CHUNK

START = 500_000_000  # bytes of a task's libraries, and what it computes with beside the network
# Bytes of memory a voxel of the network's input and map at full resolution. Measured on a processor: 7.1 to 7.7, from
# 132 to 228 voxels a side, 16 and 32 maps (benchmarks/volume.py).
MAPS = 8
# Bytes a voxel of what is labelled at a time, CHUNK planes of a slab: measured 29 at most, up to three classes.
LAYER = 30
PACKED = 1.02  # bytes a byte that is stored, where nothing can be compressed
OPERATIONS = 1e11  # floating-point operations of a processor's core, a second


class Need(NamedTuple):
    """Estimates of a slab.

    memory   bytes that its largest task takes
    disk     bytes in the work folder, at most
    seconds  of one processor
    """

    memory: int
    disk: int
    seconds: float


def of_region(region: Mapping[str, Any], slab: Box) -> Need:
    """What a slab of a region takes; REGION: the planner's description of it."""
    maps, classes, operations = region["maps"], region["classes"], region["operations"]
    return of(slab, region["tile"], region["input"], maps, classes, operations, region["itemsize"])


def of(box: Box, tile: Triple, given: Triple, maps: int, classes: int, operations: float, itemsize: int) -> Need:
    """What a slab takes.

    box         of the slab
    tile        voxels that a tile of the network keeps, and
    given       that it is given
    maps        of the network at full resolution
    classes     that it tells apart, without the background
    operations  of the network on a tile
    itemsize    bytes of a raw voxel: as it is stored, in this machine's byte order, and a byte to check it
    """
    surroundings = math.prod(size + more - kept for size, more, kept in zip(box.shape, given, tile, strict=True))
    stored = (classes + 1) * box.voxels
    predicting = MAPS * maps * math.prod(given) + (2 * itemsize + 1) * surroundings + stored
    labelling = box.voxels + LAYER * math.prod((min(CHUNK, box.shape[0]), *box.shape[1:]))
    memory = START + max(predicting, labelling)
    return Need(memory, int(stored * PACKED), len(box.parts(tile)) * operations / OPERATIONS)
