"""Deep watershed of a slide, tile by tile: the same to the pixel, whatever the tiles.

A part is flooded with its surroundings; what these do not tell of it is flooded again with wider ones, at last with all
within REACH of the square that it lies in (cells/watershed.py). Squares are counted from the slide's corner and nothing
beyond is ever seen, so that what is told of a pixel depends on the slide alone. All is in pixels of the resized slide.
"""

import itertools

import numpy as np
from scipy import ndimage

from idrstream.base.failures import NotFinite
from idrstream.cells import watershed
from idrstream.tissue.tiles import Box, joined, meeting

VERSION = 1  # raised when label images change while maps do not

SIDE = 2048  # pixels of a square, of which as much is flooded at once as a tile has
HALO = 64  # pixels around it that are seen at first; around what they do not tell, twice as many
REACH = 768  # pixels around a square that are seen at most: 1.3 GB with two layers, without the network


def parts(box, shape):
    """The Boxes that `flood` takes, of a Box of a resized slide of SHAPE (Y, X): what it shares with each square."""
    return [square.common(box) for square in meeting(box, SIDE, shape)]


def flood(maps, part, shape, settings):
    """The objects of a part of a slide, of each layer: {layer: (Y, X) int64 keys of watershed.flood, none UNKNOWN}.

    maps      function of a Box that returns {layer: (2, Y, X) float32}, inner distance and interior
    part      Box, of those of `parts`
    shape     (Y, X) of the resized slide
    settings  {layer: postprocessing.Settings} of the layers that are wanted
    returns   the keys, and {layer: pixels} that all within REACH of their square does not tell: they are background

    Raises NotFinite for maps that are no numbers.
    """
    around = max(map(watershed.reach, settings.values()))
    keys = {layer: np.full(part.shape, watershed.UNKNOWN, np.int64) for layer in settings}
    for halo in _halos():
        unknown = {layer: _unknown(found, part, halo, shape) for layer, found in keys.items()}
        every = [box for boxes in unknown.values() for box in boxes]
        if not every:
            break
        box = joined(every).grown(halo + around, shape)
        seen = maps(box)
        for layer, boxes in unknown.items():
            if not np.isfinite(seen[layer]).all():
                raise NotFinite(f"{_words(box)}: the network's maps of {layer} are no numbers")
            for one in boxes:
                told, here = _flooded(seen[layer], box, one, halo, shape, settings[layer]), one.common(part)
                known, told = keys[layer][here.within(part)], told[here.within(one.grown(halo, shape))]
                np.copyto(known, told, where=known == watershed.UNKNOWN)
    lost = {layer: found == watershed.UNKNOWN for layer, found in keys.items()}
    for layer, found in keys.items():
        found[lost[layer]] = 0
    return keys, {layer: int(np.count_nonzero(pixels)) for layer, pixels in lost.items()}


def _halos():
    """Pixels around what is unknown that are seen, one time after the other."""
    doubled = (HALO * 2**times for times in itertools.count())
    return [*itertools.takewhile(lambda halo: halo < REACH, doubled), REACH]


def _flooded(seen, box, part, halo, shape, settings):
    """Keys of the window HALO around PART, of maps SEEN in a Box around it."""
    window = part.grown(halo, shape)
    context = window.grown(watershed.reach(settings), shape)
    planes = watershed.smoothed(seen[:, *context.within(box)], settings)
    distance, interior = (np.ascontiguousarray(plane[window.within(context)]) for plane in planes)
    return watershed.flood(distance, interior, settings, (window.y0, window.x0), shape)


def _unknown(keys, part, halo, shape):
    """Boxes around the unknown pixels of a part: around each region of them or around all, whichever is less to see.

    With REACH it is the whole square: how much of it a tile has must not decide what is seen.
    """
    slices = ndimage.find_objects(ndimage.label(keys == watershed.UNKNOWN, np.ones((3, 3)))[0])
    boxes = [Box(y.start + part.y0, y.stop + part.y0, x.start + part.x0, x.stop + part.x0) for y, x in slices]
    if not boxes:
        return []
    if halo == REACH:
        return meeting(boxes[0], SIDE, shape)
    together = [joined(boxes)]
    return min(boxes, together, key=lambda choice: sum(box.grown(halo, shape).pixels for box in choice))


def _words(box):
    return f"rows {box.y0}-{box.y1}, columns {box.x0}-{box.x1} of the resized slide"
