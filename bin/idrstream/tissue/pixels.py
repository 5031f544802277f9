"""The pixels of objects, listed once for all channels: in runs along rows, sorted by object and by compartment.

A channel is read in windows, in any order; what it has of an object is put side by side (`gather`), each compartment
in one piece, so that its statistics are those of a slice.
"""

from typing import NamedTuple

import numpy as np

from idrstream.base.kernels import kernel

# Pieces of an object, in the order in which they lie: its nucleus outside of its cell, within it, and on its membrane;
# the rest of its membrane, the rest of its cell. So each compartment is a few that follow each other.
PIECES = 5
SPANS = {"nucleus": (0, 3), "cytoplasm": (3, 5), "membrane": (2, 4), "cell": (1, 5)}  # first piece, last excluded


class Facts(NamedTuple):
    """What a label image tells of objects; of one that has no pixels zeros.

    boxes   (n, 4) int64 y0, y1, x0, x1 around the pixels, ends excluded
    pixels  (n,) int64
    sums    (n, 2) int64 of the y and x of the pixels
    """

    boxes: np.ndarray
    pixels: np.ndarray
    sums: np.ndarray


class Runs(NamedTuple):
    """The pixels of objects.

    runs    (r, 3) int32: row, first column, pixels; sorted by object, then by piece, then row by row
    begins  (n, PIECES + 1) int64: which of an object's pixels, all objects' one behind the other, begins a piece
    first   (n + 1,) int64 the first run of each object, the end last
    boxes   (n, 4) int64 y0, y1, x0, x1 around the pixels of each, ends excluded
    """

    runs: np.ndarray
    begins: np.ndarray
    first: np.ndarray
    boxes: np.ndarray

    @property
    def size(self):
        """Pixels of all objects; one that belongs to two of them counts twice."""
        return int(self.begins[-1, -1]) if len(self.begins) else 0


def facts(labels, places, count):
    """Facts of COUNT objects of a label image.

    labels  (Y, X) int32
    places  (m,) int32: place of the object of each label, -1 for those that are not wanted, 0 among them
    """
    return Facts(*_facts(labels, places, count))


def runs(nuclei, cells, places, count):
    """Runs of COUNT objects.

    nuclei  (Y, X) int32 label image
    cells   (Y, X) int32, a cell has the label of its nucleus; None: there are none
    places  as of `facts`

    The membrane is the pixels of a cell that have a neighbour, by an edge and in the image, that is not of it. So the
    image has to show the pixels around a cell, unless the slide ends there.
    """
    return Runs(*_runs(nuclei, np.empty((0, 0), np.int32) if cells is None else cells, places, count))


def gather(window, corner, found, values):
    """Put what a window of a channel has of objects into VALUES.

    window  (Y, X) of the type of VALUES, of a type of statistics.KINDS
    corner  (y, x) of its first pixel
    found   Runs
    values  (found.size,)
    """
    _gather(np.ascontiguousarray(window), *corner, found.runs, found.begins, found.first, found.boxes, values)


@kernel("Tuple((int64[:, ::1], int64[::1], int64[:, ::1]))(int32[:, ::1], int32[::1], int64)")
def _facts(labels, places, count):
    boxes, pixels, sums = np.zeros((count, 4), np.int64), np.zeros(count, np.int64), np.zeros((count, 2), np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            place = places[labels[y, x]]
            if place < 0:
                continue
            box = boxes[place]
            if pixels[place] == 0:
                box[0], box[2] = y, x
            box[1], box[2], box[3] = y + 1, min(box[2], x), max(box[3], x + 1)
            pixels[place] += 1
            sums[place, 0] += y
            sums[place, 1] += x
    return boxes, pixels, sums


@kernel("boolean(int32[:, ::1], int64, int64)")
def _on_membrane(cells, y, x):
    cell = cells[y, x]
    return (
        (y > 0 and cells[y - 1, x] != cell)
        or (y + 1 < cells.shape[0] and cells[y + 1, x] != cell)
        or (x > 0 and cells[y, x - 1] != cell)
        or (x + 1 < cells.shape[1] and cells[y, x + 1] != cell)
    )


@kernel("void(int64[::1], int64[::1], int32[:, ::1], int64[::1], int64, int64, int64, int64)")
def _add(pixels, ends, listed, latest, key, before, y, x):
    """Add a pixel to a piece: KEY is the piece's number, BEFORE that of the pixel to its left.

    pixels, ends  of pieces: how many pixels, and runs, are in it or, with LISTED, where in LISTED the next run goes
    latest        (1,) the run of the pixel to the left
    """
    pixels[key] += 1
    if key != before:
        latest[0] = ends[key]
        ends[key] += 1
        if len(listed):
            listed[latest[0], 0], listed[latest[0], 1], listed[latest[0], 2] = y, x, 0
    if len(listed):
        listed[latest[0], 2] += 1


@kernel("void(int32[:, ::1], int32[:, ::1], int32[::1], int64[::1], int64[::1], int32[:, ::1])")
def _scan(nuclei, cells, places, pixels, ends, listed):
    """Add all pixels to their pieces, see `_add`. One belongs to two objects where a nucleus lies in another's cell."""
    with_cells = cells.size > 0
    own, other = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for y in range(nuclei.shape[0]):
        before, beside = -1, -1
        for x in range(nuclei.shape[1]):
            nucleus, cell = places[nuclei[y, x]], places[cells[y, x]] if with_cells else np.int32(-1)
            edge = cell >= 0 and _on_membrane(cells, y, x)
            key = -1
            if nucleus >= 0:
                key = nucleus * PIECES + ((2 if edge else 1) if cell == nucleus else 0)
                _add(pixels, ends, listed, own, key, before, y, x)
            before, key = key, -1
            if cell >= 0 and cell != nucleus:
                key = cell * PIECES + (3 if edge else 4)
                _add(pixels, ends, listed, other, key, beside, y, x)
            beside = key


@kernel(
    "Tuple((int32[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1]))(int32[:, ::1], int32[:, ::1], int32[::1], int64)"
)
def _runs(nuclei, cells, places, count):
    """The fields of Runs: the runs of each piece are counted, then put where those of the pieces before end."""
    pixels, ends = np.zeros(count * PIECES, np.int64), np.zeros(count * PIECES, np.int64)
    _scan(nuclei, cells, places, pixels, ends, np.empty((0, 3), np.int32))
    begins, first = np.zeros((count, PIECES + 1), np.int64), np.zeros(count + 1, np.int64)
    total, listed = np.int64(0), np.int64(0)
    for place in range(count):
        for piece in range(PIECES):
            begins[place, piece] = total
            total += pixels[place * PIECES + piece]
            listed += ends[place * PIECES + piece]
            ends[place * PIECES + piece] = listed - ends[place * PIECES + piece]
        begins[place, PIECES] = total
        first[place + 1] = listed
    runs, boxes = np.empty((listed, 3), np.int32), np.zeros((count, 4), np.int64)
    _scan(nuclei, cells, places, pixels, ends, runs)
    for place in range(count):
        for index in range(first[place], first[place + 1]):
            y, x, size = runs[index]
            box = boxes[place]
            if index == first[place]:
                box[0], box[1], box[2], box[3] = y, y + 1, x, x + size
            box[0], box[1] = min(box[0], y), max(box[1], y + 1)
            box[2], box[3] = min(box[2], x), max(box[3], x + size)
    return runs, begins, first, boxes


@kernel(
    [
        f"void({kind}[:, ::1], int64, int64, int32[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1], {kind}[::1])"
        for kind in ("uint16", "float32", "float64", "boolean")
    ]
)
def _gather(window, top, left, runs, begins, first, boxes, values):
    bottom, right = top + window.shape[0], left + window.shape[1]
    for place in range(len(boxes)):
        if boxes[place, 0] >= bottom or boxes[place, 1] <= top or boxes[place, 2] >= right or boxes[place, 3] <= left:
            continue
        at = begins[place, 0]
        for index in range(first[place], first[place + 1]):
            y, x, size = runs[index]
            if top <= y < bottom:
                for column in range(max(x, left), min(x + size, right)):
                    values[at + column - x] = window[y - top, column - left]
            at += size
