"""Deep watershed of a slide, tile by tile: the same to the pixel, whatever the tiles.

A tile is flooded with its surroundings; what these do not tell of it is flooded again with wider ones, until nothing is
unknown (cells/watershed.py). All is in pixels of the resized slide.
"""

import numpy as np
from scipy import ndimage

from idrstream.base.failures import NoSeparateObjects, NotFinite
from idrstream.cells import watershed
from idrstream.tissue.tiles import Box

VERSION = 1  # raised when label images change while maps do not

SIDE = 2048  # pixels of what is flooded at once
HALO = 64  # pixels around it that are seen at first; around what they do not tell, twice as many
LARGEST = 3584**2  # pixels that are seen at once: 1.3 GB with two layers, without the network


def flood(maps, tile, shape, settings):
    """The objects of a part of a slide, of each layer: {layer: (Y, X) int64 keys of watershed.flood, none UNKNOWN}.

    maps      function of a Box that returns {layer: (2, Y, X) float32}, inner distance and interior
    tile      Box, of SIDE pixels at most
    shape     (Y, X) of the resized slide
    settings  {layer: postprocessing.Settings} of the layers that are wanted

    Raises NotFinite for maps that are no numbers, NoSeparateObjects for objects that are larger than what can be seen.
    """
    around = max(map(watershed.reach, settings.values()))
    keys = {layer: np.full(tile.shape, watershed.UNKNOWN, np.int64) for layer in settings}
    halo = HALO
    while any(parts := [_unknown(found, tile, halo, shape) for found in keys.values()]):
        every = _around([part for boxes in parts for part in boxes])
        if halo > HALO and _pixels(every.grown(halo, shape)) > LARGEST:
            raise NoSeparateObjects(
                f"{_words(every)}: {halo // 2} pixels around them do not tell where objects end. Take another "
                "--maxima_threshold or --interior_threshold, or a region without them."
            )
        box = every.grown(halo + around, shape)
        seen = maps(box)
        for (layer, found), boxes in zip(keys.items(), parts, strict=True):
            if not np.isfinite(seen[layer]).all():
                raise NotFinite(f"{_words(box)}: the network's maps of {layer} are no numbers")
            for part in boxes:
                part_keys = _flooded(seen[layer], box, part, halo, shape, settings[layer])
                known, here = found[part.within(tile)], part_keys[part.within(part.grown(halo, shape))]
                np.copyto(known, here, where=known == watershed.UNKNOWN)
        halo *= 2
    return keys


def _flooded(seen, box, part, halo, shape, settings):
    """Keys of the window HALO around PART, of maps SEEN in a Box around it."""
    window = part.grown(halo, shape)
    context = window.grown(watershed.reach(settings), shape)
    planes = watershed.smoothed(seen[:, *context.within(box)], settings)
    distance, interior = (np.ascontiguousarray(plane[window.within(context)]) for plane in planes)
    return watershed.flood(distance, interior, settings, (window.y0, window.x0), shape)


def _unknown(keys, tile, halo, shape):
    """Boxes around the unknown pixels of a tile: around each region of them or around all, whichever is less to see."""
    slices = ndimage.find_objects(ndimage.label(keys == watershed.UNKNOWN, np.ones((3, 3)))[0])
    parts = [Box(y.start + tile.y0, y.stop + tile.y0, x.start + tile.x0, x.stop + tile.x0) for y, x in slices]
    if not parts:
        return []
    together = [_around(parts)]
    return min(parts, together, key=lambda boxes: sum(_pixels(part.grown(halo, shape)) for part in boxes))


def _around(boxes):
    """The Box around several."""
    (y0, _, x0, _), (_, y1, _, x1) = np.min(boxes, axis=0).tolist(), np.max(boxes, axis=0).tolist()
    return Box(y0, y1, x0, x1)


def _pixels(box):
    height, width = box.shape
    return height * width


def _words(box):
    return f"rows {box.y0}-{box.y1}, columns {box.x0}-{box.x1} of the resized slide"
