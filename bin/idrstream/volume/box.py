"""Boxes of voxels: the regions, slabs and tiles of volumes. Standard library only, for the head."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

Triple = tuple[int, int, int]


class Box(NamedTuple):
    """A box of voxels, (z, y, x): its first voxel, and how many there are along each axis."""

    begin: Triple
    shape: Triple

    @classmethod
    def of(cls, value: Iterable[Iterable[int]]) -> Box:
        """A Box as JSON has it."""
        begin, shape = value
        return cls(_three(begin), _three(shape))

    @property
    def end(self) -> Triple:
        """Behind its last voxel."""
        return _three(first + size for first, size in zip(self.begin, self.shape, strict=True))

    @property
    def voxels(self) -> int:
        return math.prod(self.shape)

    def contains(self, other: Box) -> bool:
        inner = zip(self.begin, other.begin, other.end, self.end, strict=True)
        return all(first <= begin and end <= last for first, begin, end, last in inner)

    def common(self, other: Box) -> Box | None:
        """What both have; None if they do not meet."""
        begin = _three(map(max, self.begin, other.begin))
        shape = _three(end - first for first, end in zip(begin, map(min, self.end, other.end), strict=True))
        return Box(begin, shape) if min(shape) > 0 else None

    def within(self, other: Box) -> tuple[slice, slice, slice]:
        """Where it lies in an array of the voxels of another box, which contains it."""
        begin = [first - start for first, start in zip(self.begin, other.begin, strict=True)]
        z, y, x = (slice(first, first + size) for first, size in zip(begin, self.shape, strict=True))
        return z, y, x

    def moved(self, step: Triple) -> Box:
        return Box(_three(map(sum, zip(self.begin, step, strict=True))), self.shape)

    def count(self, edge: Triple) -> int:
        """How many `parts` there are."""
        return math.prod(math.ceil(size / step) for size, step in zip(self.shape, edge, strict=True))

    def parts(self, edge: Triple) -> list[Box]:
        """The boxes of a grid from its first voxel, EDGE voxels each, cut at its end; in the order of z, y, x."""
        counts = [math.ceil(size / step) for size, step in zip(self.shape, edge, strict=True)]
        places = [(z, y, x) for z in range(counts[0]) for y in range(counts[1]) for x in range(counts[2])]
        return [self._part(place, edge) for place in places]

    def _part(self, place: Triple, edge: Triple) -> Box:
        begin = _three(first + step * count for first, step, count in zip(self.begin, edge, place, strict=True))
        shape = _three(min(step, end - first) for step, end, first in zip(edge, self.end, begin, strict=True))
        return Box(begin, shape)

    def __str__(self) -> str:
        return f"{','.join(map(str, self.begin))} + {' x '.join(map(str, self.shape))}"


def _three(values) -> Triple:
    z, y, x = values
    return z, y, x
