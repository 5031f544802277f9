"""How a region is cut into slabs, a task each, and what of them is done. Standard library only.

The output array of a region has its voxels and no others. It is stored in shards, a file each. A slab owns whole
shards, so that one task writes a file. The array is the same whatever the slabs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from idrstream.volume.box import Box, Triple

CHUNK = 64  # voxels a side of what is decoded at once
SHARDS = 256, 128, 64  # voxels a side of a file: the largest that divides a slab


def shard(slab: int) -> int:
    """Edge of the shards of slabs of an edge, which is a multiple of CHUNK."""
    return next(edge for edge in SHARDS if slab % edge == 0)


def slabs(region: Box, edge: int) -> list[Box]:
    """The slabs of a region, in the order of z, y, x."""
    return region.parts((edge, edge, edge))


def place(slab: Box, region: Box, edge: int) -> Triple:
    """Which of the slabs of a region, or of its shards, one is."""
    z, y, x = ((first - start) // edge for first, start in zip(slab.begin, region.begin, strict=True))
    return z, y, x


def name(slab: Box, region: Box, edge: int) -> str:
    """A slab's name among those of its region: its edge, and which it is along each axis."""
    return ".".join(map(str, (edge, *place(slab, region, edge))))


def remaining(
    region: Box, edge: int, committed: Mapping[str, Box], former: Mapping[str, Box] | None = None
) -> dict[Box, list[str]]:
    """The slabs of a region that are not done, each with the units that its result replaces.

    committed  unit -> its Box, of those with the same result, by slabs of any edge; they do not overlap
    former     likewise, of results that are to be made anew

    A unit that is replaced is lost as a whole, so every slab that it meets is left.
    """
    inside: dict[tuple[int, ...], list[str]] = {}
    boxes = {**committed, **(former or {})}
    for unit, box in boxes.items():
        for where in itertools.product(*_met(box, region, edge)):
            inside.setdefault(where, []).append(unit)
    units = {slab: inside.get(place(slab, region, edge), []) for slab in slabs(region, edge)}
    lost = {*(former or {})}
    while True:
        left = {slab: sorted(own) for slab, own in units.items() if not _covered(slab, boxes, {*own} - lost)}
        replaced = {unit for own in left.values() for unit in own}
        if replaced <= lost:
            return left
        lost |= replaced


def _covered(slab: Box, boxes: Mapping[str, Box], units: Iterable[str]) -> bool:
    return sum(part.voxels for unit in units if (part := boxes[unit].common(slab))) == slab.voxels


def whole(region: Box, committed: Iterable[Box]) -> bool:
    """Whether boxes that do not overlap have all of a region."""
    parts = (box.common(region) for box in committed)
    return sum(part.voxels for part in parts if part) == region.voxels


def _met(box: Box, region: Box, edge: int) -> list[range]:
    """Along each axis, which of a region's slabs a box meets."""
    ends = zip(box.begin, box.end, region.begin, strict=True)
    return [range((begin - first) // edge, (end - 1 - first) // edge + 1) for begin, end, first in ends]
