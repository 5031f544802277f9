"""Nuclei of a slide, tile by tile: the same to the pixel, whatever the tiles.

What travels between tiles is how many pixels rest where, and the box around them (masks.Sinks): their sum is that of
the whole slide. So the nuclei and their sizes are known before any is looked at, and the tile that finishes one proves
that it sees all of it: as many pixels as the sum says.
"""

from typing import NamedTuple

import numpy as np

from idrstream.base.failures import NotFinite
from idrstream.cells import masks
from idrstream.tissue.tiles import Box, meet

VERSION = 1  # raised when label images change while flows do not

FOLLOWING = 64  # pixels around a tile that are seen at first; around pixels that go farther, twice as many
NEAR = 512  # pixels: of those that go farther, the ones in one square of this side look at one window
FINISHING = 48  # pixels around a tile in which nuclei that reach into it are looked for; others are read one by one


class Followed(NamedTuple):
    """Pixels of nuclei of a tile.

    y, x    (n,) int32 of the slide
    flows   (2, n) float32, as the network gives them
    rest    (n,) int64 places where they rest, y * width of the slide + x
    """

    y: np.ndarray
    x: np.ndarray
    flows: np.ndarray
    rest: np.ndarray


class Part(NamedTuple):
    """What a finished tile tells of its nuclei.

    numbers      (n,) int32 nuclei that have pixels in it, ascending
    first        (n,) int64 the first pixel of each in it, y * width of the slide + x
    pixels       (n,) int64 pixels of each in it
    alone        (k,) int64 nuclei that reach out of the tile's window, and were read by themselves
    uncertified  (l,) int64 nuclei of which fewer pixels were seen than belong to them: they are not in the labels
    """

    numbers: np.ndarray
    first: np.ndarray
    pixels: np.ndarray
    alone: np.ndarray
    uncertified: np.ndarray


def follow(field, tile, shape, rounds, threshold=0.0):
    """Where the pixels of nuclei of a tile come to rest: Followed.

    field      function of a Box that returns (3, Y, X) float32: flows y and x, logit of "nucleus"
    tile       Box
    shape      (Y, X) of the slide
    rounds     steps that a pixel goes at most
    threshold  pixels of a larger logit belong to nuclei

    Raises NotFinite for flows that are no numbers.
    """
    halo = FOLLOWING
    window = tile.grown(halo, shape)
    seen = field(window)
    y, x = np.nonzero(seen[2][tile.within(window)] > threshold)
    y, x = (y + tile.y0).astype(np.int32), (x + tile.x0).astype(np.int32)
    flows = seen[:2, y - window.y0, x - window.x0]
    if not np.isfinite(flows).all():
        place = f"rows {tile.y0}-{tile.y1}, columns {tile.x0}-{tile.x1}"
        raise NotFinite(f"the network's flows of {place} are no numbers")
    rest = _rest(seen, window, y, x, rounds, shape, threshold)
    del seen  # windows are large: one at a time
    while len(left := np.flatnonzero(rest < 0)):
        halo *= 2
        for window, part in _windows(y[left], x[left], halo, shape):
            some = left[part]
            rest[some] = _rest(field(window), window, y[some], x[some], rounds, shape, threshold)
    return Followed(y, x, flows, rest)


def _windows(y, x, halo, shape):
    """(Box with HALO pixels around, indices) of pixels (y, x): all in one or, if that reads less, by squares."""

    def around(part):
        first, last = ([int(edge(axis[part])) for axis in (y, x)] for edge in (np.min, np.max))
        return Box(first[0], last[0] + 1, first[1], last[1] + 1).grown(halo, shape), part

    squares = np.unique((y // NEAR).astype(np.int64) * shape[1] + x // NEAR, return_inverse=True)[1].ravel()
    order = np.argsort(squares, kind="stable")
    ends = np.flatnonzero(np.diff(squares[order])) + 1
    apart, together = [around(part) for part in np.split(order, ends)], [around(order)]
    return min(apart, together, key=lambda found: sum(window.pixels for window, _ in found))


def label(foreground, tile, nuclei, limits):
    """Finish the nuclei that reach into a tile.

    foreground  foreground.Foreground of the slide
    tile        Box
    nuclei      masks.Nuclei of the slide
    limits      masks.Limits
    returns     (Y, X) int32 labels of the tile, numbers of NUCLEI, 0 is background; and Part
    """
    window, canvas = tile.grown(FINISHING, foreground.shape), masks.Canvas(*tile)
    wanted = np.flatnonzero(meet(nuclei.boxes, tile))
    inner = (nuclei.boxes[wanted, ::2] >= window[::2]).all(1) & (nuclei.boxes[wanted, 1::2] <= window[1::2]).all(1)
    unseen = _finish(canvas, wanted[inner], nuclei, foreground, window, limits)
    alone = wanted[~inner]
    alone = alone[(nuclei.sizes[alone] >= limits.smallest) & (nuclei.sizes[alone] <= limits.largest)]
    for number in alone:
        unseen += _finish(canvas, [number], nuclei, foreground, Box(*nuclei.boxes[number].tolist()), limits)
    found = facts(canvas.labels, tile, foreground.shape[1])
    return canvas.labels, Part(*found, alone, np.array(unseen, np.int64))


def _rest(seen, window, y, x, rounds, shape, threshold):
    """(n,) int64 places where pixels of a window rest, -1 of those that leave it; SEEN is the field of the window."""
    return masks.follow(seen[:2], seen[2] > threshold, y, x, rounds, shape, (window.y0, window.x0))


def _finish(canvas, wanted, nuclei, foreground, window, limits):
    """Lay the nuclei WANTED onto a canvas from what a window shows; returns those of which it does not show all."""
    y, x, known, rest = foreground.window(window)
    y, x = y - window.y0, x - window.x0
    numbers, flows = np.zeros(window.shape, np.int32), np.zeros((2, *window.shape), np.float32)
    numbers[y, x], flows[:, y, x] = nuclei.of(rest), known
    return masks.finish(canvas, wanted, nuclei, numbers, flows, limits, (window.y0, window.x0))


def facts(labels, tile, width):
    """(numbers, first, pixels) of the labels of a tile, see Part."""
    places = np.flatnonzero(labels)
    numbers, index, pixels = np.unique(labels.ravel()[places], return_index=True, return_counts=True)
    y, x = np.divmod(places[index], labels.shape[1])
    return numbers, (y + tile.y0).astype(np.int64) * width + x + tile.x0, pixels
