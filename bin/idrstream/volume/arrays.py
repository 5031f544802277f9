"""The arrays of a region, where they lie: the raw volume, labels and masks, read by boxes of voxels of the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from idrstream.volume import opening
from idrstream.volume.box import Box


class Placed:
    """An array that begins at a voxel of the world.

    box     of it
    volume  readers.volumes.Volume
    """

    def __init__(self, volume, box: Box):
        self.volume, self.box = volume, box

    def read(self, box: Box):
        """(z, y, x) as stored, of a box that lies in it."""
        z, y, x = (-first for first in self.box.begin)
        return self.volume.read(box.moved((z, y, x)))


class Region:
    """What a packet's region is read from.

    packet  the packet of a slab or volume
    places  of `staged.places`: local folder -> its path in this task
    """

    def __init__(self, packet: Mapping[str, Any], places: Mapping[str, str]):
        self._container, self._packet = opening.container(packet["location"], places), packet

    @property
    def raw(self) -> Placed:
        return self._placed(self._packet["raw"])

    def labels(self, box: Box) -> Iterator[tuple[int, Any, Box]]:
        """Class, array and its Box, of what each data set of labels has of a box, read one by one."""
        return ((label["class_id"], *self._part(label, box)) for label in self._packet["labels"])

    def sample(self, box: Box) -> list[tuple[Any, Box]]:
        """What the sample mask has of a box: array and its Box; an empty list without one."""
        return [self._part(self._packet["mask"], box)] if self._packet["mask"] else []

    def zones(self, box: Box) -> Iterator[tuple[Any, Box]]:
        """Likewise of each metric mask, one by one."""
        return (self._part(mask, box) for mask in self._packet["metric_masks"])

    def _placed(self, source: Mapping[str, Any]) -> Placed:
        return Placed(self._container.volume(source["path"]), Box.of(source["box"]))

    def _part(self, source, box):
        """The part of an array in BOX, and where that lies: of none, an empty one at its begin."""
        array = self._placed(source)
        common = array.box.common(box)
        if common is None:
            return np.zeros((0, 0, 0), np.uint8), Box(box.begin, (0, 0, 0))
        return array.read(common), common
