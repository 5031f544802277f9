"""Outlines of objects along the edges of their pixels: closed rings of corners, with holes, in parts."""

from typing import NamedTuple

import numpy as np

from idrstream.base.kernels import kernel

# Sides of a pixel, clockwise from its upper one: where its neighbour (y, x) lies beyond, and the corner where the side
# begins, from the pixel's first.
BEYOND = np.array(((-1, 0), (0, 1), (1, 0), (0, -1)))
BEGINNING = np.array(((0, 0), (0, 1), (1, 1), (1, 0)))


class Rings(NamedTuple):
    """Outlines of objects. Numbers are of corners: pixel (0, 0) is from 0 to 1 either way.

    corners  (m, 2) int32 y, x: where a ring turns; the first is not repeated at the end
    rings    (r + 1,) int64 where in `corners` each ring begins, the end last
    parts    (p + 1,) int64 where in `rings` each part begins: its outer ring, then its holes, smaller ones first
    objects  (n + 1,) int64 where in `parts` each object begins: parts are joined by corners at most

    Pixels are to the right of a ring. Rings are simple and meet at single corners at most, so polygons are valid; the
    areas of an object's rings, those of holes being negative, sum up to its pixels.
    """

    corners: np.ndarray
    rings: np.ndarray
    parts: np.ndarray
    objects: np.ndarray

    def of(self, index):
        """The parts of an object, by its place: a list of lists of rings, (k, 2) int32 (y, x) each."""
        first, last = self.objects[index : index + 2]
        return [
            [self.corners[self.rings[ring] : self.rings[ring + 1]] for ring in range(*self.parts[part : part + 2])]
            for part in range(first, last)
        ]


def trace(labels, wanted, boxes):
    """Rings of objects, in the order of WANTED.

    labels  (Y, X) int32 label image
    wanted  (n,) int32 labels that are traced; those without pixels have no parts
    boxes   (n, 4) int64 y0, y1, x0, x1 that hold all pixels of each, ends excluded
    """
    steps = _edges(labels, wanted, boxes)
    return Rings(*_traced(labels, wanted, boxes, int(steps.sum()), int(steps.max(initial=0))))


@kernel("int64[::1](int32[:, ::1], int32[::1], int64[:, ::1])")
def _edges(labels, wanted, boxes):
    """(n,) how many edges of pixels the outline of each object has: it has no more corners."""
    height, width = labels.shape
    edges = np.zeros(len(wanted), np.int64)
    for index in range(len(wanted)):
        label = wanted[index]
        y0, y1, x0, x1 = boxes[index]
        for y in range(y0, y1):
            for x in range(x0, x1):
                if labels[y, x] == label:
                    edges[index] += y == 0 or labels[y - 1, x] != label
                    edges[index] += y == height - 1 or labels[y + 1, x] != label
                    edges[index] += x == 0 or labels[y, x - 1] != label
                    edges[index] += x == width - 1 or labels[y, x + 1] != label
    return edges


@kernel("UniTuple(int64, 3)(uint8[:, ::1], int64, int64, int64)")
def _next(inside, side, y, x):
    """The edge after a SIDE of a pixel: around itself, straight on, or around the pixel that stands in the way."""
    after = (side + 1) % 4
    y1, x1 = y + BEYOND[after, 0], x + BEYOND[after, 1]
    if not inside[y1, x1]:
        return after, y, x
    y2, x2 = y1 + BEYOND[side, 0], x1 + BEYOND[side, 1]
    if inside[y2, x2]:
        return (side + 3) % 4, y2, x2
    return side, y1, x1


@kernel("int64(int32[:, ::1], int64, int64, int32[:, ::1], int64)")
def _turns(way, first, last, corners, at):
    """Copy the corners FIRST to before LAST of a way where it turns to AT of CORNERS; returns how many these are."""
    count = 0
    for i in range(first, last):
        before, after = (i - 1 if i > first else last - 1), (i + 1 if i + 1 < last else first)
        straight = way[i, 0] - way[before, 0] == way[after, 0] - way[i, 0]
        if not (straight and way[i, 1] - way[before, 1] == way[after, 1] - way[i, 1]):
            corners[at + count] = way[i]
            count += 1
    return count


@kernel("int64(int32[:, ::1], int64, int64)")
def _doubled_area(corners, first, last):
    """Twice the area that a ring encloses; negative for a hole."""
    total = np.int64(0)
    for i in range(first, last):
        after = i + 1 if i + 1 < last else first
        total += np.int64(corners[i, 1]) * corners[after, 0] - np.int64(corners[after, 1]) * corners[i, 0]
    return total


@kernel("int32[:, ::1](uint8[:, ::1])")
def _components(inside):
    """(Y, X) number from 0 of the part of each pixel, by its first pixel, row by row; neighbours share an edge."""
    numbers, count = np.full(inside.shape, -1, np.int32), 0
    waiting = np.empty((inside.size, 2), np.int32)
    for first_y in range(inside.shape[0]):
        for first_x in range(inside.shape[1]):
            if not inside[first_y, first_x] or numbers[first_y, first_x] >= 0:
                continue
            numbers[first_y, first_x], waiting[0, 0], waiting[0, 1], left = count, first_y, first_x, 1
            while left:
                left -= 1
                y, x = waiting[left]
                for side in range(4):
                    b, a = y + BEYOND[side, 0], x + BEYOND[side, 1]
                    if inside[b, a] and numbers[b, a] < 0:
                        numbers[b, a], waiting[left, 0], waiting[left, 1] = count, b, a
                        left += 1
            count += 1
    return numbers


@kernel("int64(uint8[:, ::1], int32[:, ::1], int32[:, ::1], int64[:, ::1])")
def _ways(inside, way, corners, found):
    """Trace the rings of a mask with a margin of one pixel; returns how many these are.

    way      (k, 2) room for a way
    corners  (k, 2) takes the corners of all rings
    found    (k, 4) takes of each ring where its corners end, twice its area, and (y, x) of a pixel of its part

    Where pixels touch at a corner alone, a way stays with its own part: it may come to such a corner twice, and is cut
    there, into rings that have no corner twice.
    """
    height, width = inside.shape
    edges = np.zeros((height, width), np.uint8)  # a bit a side
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if inside[y, x]:
                for side in range(4):
                    if not inside[y + BEYOND[side, 0], x + BEYOND[side, 1]]:
                        edges[y, x] |= 1 << side
    passed = np.full((height, width), -1, np.int32)  # corner: its place in the way
    count, end = 0, 0
    for first_y in range(1, height - 1):
        for first_x in range(1, width - 1):
            if not edges[first_y, first_x] & 1:
                continue
            side, y, x, length = np.int64(0), np.int64(first_y), np.int64(first_x), 0
            while True:
                more = edges[y, x] >> side & 1
                b, a = y + BEGINNING[side, 0] - 1, x + BEGINNING[side, 1] - 1
                begin = passed[b, a] if more else 0
                if begin >= 0:  # a ring is closed
                    end += _turns(way, begin, length, corners, end)
                    found[count, 0], found[count, 2], found[count, 3] = end, first_y, first_x
                    found[count, 1] = _doubled_area(corners, found[count - 1, 0] if count else 0, end)
                    count += 1
                    for i in range(begin, length):
                        passed[way[i, 0], way[i, 1]] = -1
                    length = begin
                if not more:
                    break
                edges[y, x] &= ~(1 << side)
                way[length, 0], way[length, 1], passed[b, a] = b, a, length
                length += 1
                side, y, x = _next(inside, side, y, x)
    return count


@kernel(
    "Tuple((int32[:, ::1], int64[::1], int64[::1], int64[::1]))(int32[:, ::1], int32[::1], int64[:, ::1], int64, int64)"
)
def _traced(labels, wanted, boxes, edges, longest):
    """The fields of Rings; EDGES: of all objects, LONGEST: of one."""
    corners = np.empty((edges, 2), np.int32)
    rings, parts = np.zeros(edges // 4 + 1, np.int64), np.zeros(edges // 4 + 1, np.int64)
    objects = np.zeros(len(wanted) + 1, np.int64)
    way, own, found = (
        np.empty((longest, 2), np.int32),
        np.empty((longest, 2), np.int32),
        np.empty((longest, 4), np.int64),
    )
    end = ring = part = 0
    for index in range(len(wanted)):
        y0, y1, x0, x1 = boxes[index]
        inside = np.zeros((y1 - y0 + 2, x1 - x0 + 2), np.uint8)
        for y in range(y0, y1):
            for x in range(x0, x1):
                inside[y - y0 + 1, x - x0 + 1] = labels[y, x] == wanted[index]
        count = _ways(inside, way, own, found)
        owners = np.zeros(count, np.int64)
        if (found[:count, 1] > 0).sum() > 1:
            numbers = _components(inside)
            for i in range(count):
                owners[i] = numbers[found[i, 2], found[i, 3]]
        order = np.arange(count)
        for i in range(1, count):  # by part, then by area, the largest first
            j = i
            while j and (
                owners[order[j - 1]] > owners[i]
                or (owners[order[j - 1]] == owners[i] and found[order[j - 1], 1] < found[i, 1])
            ):
                order[j] = order[j - 1]
                j -= 1
            order[j] = i
        for i in range(count):
            if i == 0 or owners[order[i]] != owners[order[i - 1]]:
                part += 1
            for corner in range(found[order[i] - 1, 0] if order[i] else 0, found[order[i], 0]):
                corners[end, 0], corners[end, 1] = own[corner, 0] + y0, own[corner, 1] + x0
                end += 1
            ring += 1
            rings[ring], parts[part] = end, ring
        objects[index + 1] = part
    return corners[:end].copy(), rings[: ring + 1].copy(), parts[: part + 1].copy(), objects
