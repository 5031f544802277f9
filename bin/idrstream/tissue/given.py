"""TAKE: a label image that exists, as if a network had found its objects: tile by tile, with the ids of its file."""

import os.path
import tempfile
from pathlib import Path

import numpy as np

from idrstream.base.failures import NotReadable
from idrstream.tissue import arrays, opening, polygon, steps, tiles
from idrstream.tissue.tiles import Box

VERSION = 1  # raised when other labels are taken from a file

ROWS = 512  # of a tile that are looked at at a time
LARGEST = np.iinfo(np.uint32).max  # a label that can be kept
WIDEST = 4096  # pixels: MEASURE has the surroundings of all pixels of an object in memory


def take(packet, layer, folder, places, watch):
    """Leave a layer that the sheet gives in FOLDER: `labelled/` and `numbers/`; returns its Objects.

    packet  the planner's JSON of the slide
    layer   "nuclei" or "cells"
    places  local folder -> its path in this task (`staged.places`)
    watch   function of the tiles, a list, that iterates over them and shows progress

    Pixels of one id are one object, whether they touch or not. Of a polygon, objects whose centroid lies in it are
    taken. Raises an ImageFailure for what is no label image.
    """
    found, (y0, x0) = Found(packet["size"][1]), tiles.corner(packet)
    with (
        tempfile.TemporaryDirectory(prefix=".whole-", dir=folder) as cache,
        opening.image(packet["given"][layer], places, cache) as (_, image),
    ):
        _check(packet, image)
        Path(folder, "labelled").mkdir()
        for tile in watch(tiles.all_of(packet)):
            window = tile.y0 + y0, tile.y1 + y0, tile.x0 + x0, tile.x1 + x0
            labels = np.ma.filled(image.window(0, 0, 0, 0, *window), 0)
            numbers = np.concatenate([found.add(labels[rows.within(tile)], rows, image) for rows in _bands(tile)])
            arrays.write(Path(folder, "labelled", f"{tile.name}.labels.npz"), steps.Raw(numbers))
    found.check_sizes(packet["given"][layer], y0, x0)
    numbers = steps.Numbers(found.ids.astype(np.uint32), 0, 0)
    inside = found.ids * found.inside(packet["polygon"]) if packet["polygon"] else None
    return steps.write_numbers(Path(folder, "numbers"), numbers, (found.boxes, found.first, found.pixels), inside)


class Found:
    """The objects of a label image whose tiles are seen one after the other; they are numbered as they come.

    width   of the slide, in pixels
    ids     (n + 1,) int64 of the file, number 0 being the background
    boxes   (n + 1, 4) int64 y0, y1, x0, x1 around the pixels of each, ends excluded
    first   (n + 1,) int64 the first pixel of each, y * width + x
    pixels  (n + 1,) int64 of each
    sums    (n + 1, 2) float64 sums of y and x of these
    """

    def __init__(self, width):
        self.width = width
        self.ids, self.pixels = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self.first, self.boxes, self.sums = _nothing(1)
        self._sorted = np.zeros(1, np.int64), np.zeros(1, np.int64)  # ids, ascending, and their numbers

    def add(self, labels, box, image):
        """Numbers, (Y, X) int32, of the LABELS of a Box.

        Raises NotReadable for labels of IMAGE that are below 0, or do not fit into 32 bits.
        """
        places = np.flatnonzero(labels)
        ids, of_pixel, counts = np.unique(labels.ravel()[places], return_inverse=True, return_counts=True)
        if len(ids) and (ids[0] < 0 or ids[-1] > LARGEST):
            wrong = ids[0] if ids[0] < 0 else ids[-1]
            raise NotReadable(f"{image.name}: it has the label {wrong}; labels from 1 to {LARGEST:,} can be taken.")
        numbers = self._numbers(ids.astype(np.int64))
        y, x = np.divmod(places, labels.shape[1])
        y, x = y + box.y0, x + box.x0
        first = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(first, of_pixel, y * self.width + x)
        self.first[numbers] = np.minimum(self.first[numbers], first)
        self.pixels[numbers] += counts
        for axis, at in enumerate((y, x)):
            low, high = first.copy(), np.zeros(len(ids), np.int64)
            np.minimum.at(low, of_pixel, at)
            np.maximum.at(high, of_pixel, at + 1)
            self.boxes[numbers, 2 * axis] = np.minimum(self.boxes[numbers, 2 * axis], low)
            self.boxes[numbers, 2 * axis + 1] = np.maximum(self.boxes[numbers, 2 * axis + 1], high)
            self.sums[numbers, axis] += np.bincount(of_pixel, at, len(ids))
        result = np.zeros(labels.size, np.int32)
        result[places] = numbers[of_pixel]
        return result.reshape(labels.shape)

    def check_sizes(self, location, y0, x0):
        """Raise NotReadable where pixels of one id lie further apart than an object is wide.

        location  of the label image, of which row Y0 and column X0 are the first
        """
        extents = self.boxes[1:, 1::2] - self.boxes[1:, ::2]
        wide = 1 + np.flatnonzero(extents.max(1, initial=0) > WIDEST)
        if len(wide):
            top, bottom, left, right = self.boxes[wide[0]] + (y0, y0, x0, x0)
            more = f", and {len(wide) - 1:,} more likewise" if len(wide) > 1 else ""
            where = f"rows {top:,} to {bottom:,} and columns {left:,} to {right:,}{more}"
            why = "ids repeat, as in tiles that were put together; number the objects anew"
            name = os.path.basename(location)
            raise NotReadable(f"{name}: label {self.ids[wide[0]]} lies in {where}: {why}.")

    def inside(self, rings):
        """(n + 1,) bool: which objects have their centroid in a polygon."""
        return polygon.holds(rings, *(self.sums / np.maximum(self.pixels, 1)[:, None] + 0.5).T)

    def _numbers(self, ids):
        """(n,) numbers of (n,) ids, ascending; new ones get the next."""
        known, numbers = self._sorted
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        new = ids[known[place] != ids]
        if len(new):
            first, boxes, sums = _nothing(len(new))
            self.ids, self.pixels = np.append(self.ids, new), np.append(self.pixels, np.zeros(len(new), np.int64))
            self.first, self.boxes = np.append(self.first, first), np.concatenate([self.boxes, boxes])
            self.sums = np.concatenate([self.sums, sums])
            order = np.argsort(self.ids)
            self._sorted = known, numbers = self.ids[order], order
        return numbers[np.searchsorted(known, ids)]


def _bands(tile):
    return [Box(y, min(y + ROWS, tile.y1), tile.x0, tile.x1) for y in range(tile.y0, tile.y1, ROWS)]


def _nothing(count):
    """(first, boxes, sums) of COUNT objects of which no pixel is seen yet."""
    most = np.iinfo(np.int64).max
    return np.full(count, most), np.tile(np.array([most, 0, most, 0]), (count, 1)), np.zeros((count, 2))


def _check(packet, image):
    """Raise NotReadable for another file than PLAN read."""
    found = image.shape[3:]
    if list(found) != list(packet["whole_size"]) or image.dtype.kind not in "ui":
        words = "{:,} x {:,} pixels of {}"
        found, planned = words.format(*found, image.dtype), words.format(*packet["whole_size"], "whole numbers")
        raise NotReadable(f"{image.name}: {found}, where PLAN read {planned}: it has changed meanwhile; run again.")
