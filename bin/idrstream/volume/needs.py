"""What a slab will take of memory, disk and time: estimates for the user, and the measure that bounds the disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from idrstream.volume.box import Box
from idrstream.volume.grid import CHUNK

START = 1_000_000_000  # bytes of a task beside the network: libraries, and what it computes with (0.6 GB)
# Bytes of memory a map at full resolution, and voxel of the network's input and of its output: what a layer is given
# and what it gives lie in memory at once (tests/volume/volume/test_needs.py has what was measured).
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


def of(region: Mapping[str, Any], slab: Box) -> Need:
    """What a slab of a region takes; REGION: the planner's description of it."""
    tile, given, output = (region[name] for name in ("tile", "input", "output"))
    surroundings = math.prod(size + more - kept for size, more, kept in zip(slab.shape, given, tile, strict=True))
    stored = (region["classes"] + 1) * slab.voxels
    network = MAPS * region["maps"] * (math.prod(given) + math.prod(output))
    reading = (2 * region["itemsize"] + 1) * surroundings  # as stored and in this machine's byte order; and checked
    labelling = slab.voxels + LAYER * math.prod((min(CHUNK, slab.shape[0]), *slab.shape[1:]))
    seconds = slab.count(tile) * region["operations"] / OPERATIONS
    return Need(START + max(network + reading + stored, labelling), int(stored * PACKED), seconds)
