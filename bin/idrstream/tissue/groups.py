"""The objects that a group of a slide's tiles measures, and the label images that show all of each.

An object is of the tile that holds the first pixel of its nucleus, one without of its cell. Its numbers, in label
images, are from 1, in the order of the labels of all objects of the slide.
"""

from typing import NamedTuple

import numpy as np

from idrstream.tissue import expansion, layers, pixels, tiles
from idrstream.tissue.tiles import Box


class Group(NamedTuple):
    """Objects of a group of tiles.

    labels   (n,) uint32, ascending
    first    (n,) int64 the first pixel of its nucleus, or of its cell, y * width of the slide + x
    window   Box that shows all of them, and all of the tiles
    every    (m + 1,) uint32 label of each number of the slide's objects, 0 first
    numbers  (n,) int32 of the objects in the label images
    nuclei   (Y, X) int32 label image of the window
    cells    the same; None if there are none
    """

    labels: np.ndarray
    first: np.ndarray
    window: Box
    every: np.ndarray
    numbers: np.ndarray
    nuclei: np.ndarray
    cells: np.ndarray | None

    @property
    def places(self):
        """(m + 1,) int32 place of each number among the objects of the group, -1 for those of others."""
        places = np.full(len(self.every), -1, np.int32)
        places[self.numbers] = np.arange(len(self.numbers))
        return places


def read(packet, boxes, nuclei, cells=None):
    """The Group of the tiles BOXES.

    packet         the planner's JSON of the slide
    nuclei, cells  layers.Layer; without cells these are expanded nuclei, or there are none, as the packet says

    Raises RuntimeError where a window does not show as many pixels of an object as it has.
    """
    shape, side = tuple(packet["size"]), packet["tile"]
    labels, first, around = _objects([layer for layer in (cells, nuclei) if layer])
    tile_of = lambda y, x: y // side * shape[1] + x // side  # noqa: E731
    own = np.flatnonzero(np.isin(tile_of(*np.divmod(first, shape[1])), [tile_of(box.y0, box.x0) for box in boxes]))
    edges = np.concatenate([np.array(boxes), around[own]])
    window = Box(*(int(edge) for pair in zip(edges.min(0)[::2], edges.max(0)[1::2], strict=True) for edge in pair))
    expanded = packet["cells"] == "expand"
    reach = 2 * expansion.reach(packet["expansion"]) if expanded else 0
    window = window.grown(1 + reach, shape)  # what is beside a cell tells where its membrane is
    images = [layer and _image(layer, labels, window, side, shape) for layer in (nuclei, cells)]
    if expanded:
        images[1] = expansion.expand(images[0], packet["expansion"])
    every = np.concatenate([np.zeros(1, np.uint32), labels])
    group = Group(labels[own], first[own], window, every, (own + 1).astype(np.int32), *images)
    for layer, image in zip((nuclei, cells), images, strict=True):
        if layer:
            _check(group, layer, image)
    return group


def _objects(known):
    """(labels, first pixels, boxes) of all objects of a slide, by its layers: of two first pixels the last counts."""
    labels = np.unique(np.concatenate([layer.objects.labels for layer in known]))
    first, around = np.zeros(len(labels), np.int64), np.zeros((len(labels), 4), np.int64)
    around[:, ::2] = np.iinfo(np.int64).max
    for layer in known:
        places, found = np.searchsorted(labels, layer.objects.labels), layer.objects
        first[places] = found.first
        around[places, ::2] = np.minimum(around[places, ::2], found.boxes[:, ::2])
        around[places, 1::2] = np.maximum(around[places, 1::2], found.boxes[:, 1::2])
    return labels, first, around


def _image(layer, labels, window, side, shape):
    """(Y, X) int32 label image of a window of the slide; numbers are places in LABELS, counted from 1."""
    numbers = np.searchsorted(labels, layer.objects.labels).astype(np.uint32) + np.uint32(1)
    tile, image = layer.tile.by(layers.renumbered(layer, numbers)), np.zeros(window.shape, np.int32)
    for part in tiles.meeting(window, side, shape):
        shared = part.common(window)
        image[shared.within(window)] = tile(part)[shared.within(part)]
    return image


def _check(group, layer, image):
    """Raise RuntimeError where a layer has more pixels of an object than an image shows."""
    found = layer.objects
    place = np.minimum(np.searchsorted(found.labels, group.labels), len(found.labels) - 1)
    wanted = np.where(found.labels[place] == group.labels, found.pixels[place], 0) if len(found.labels) else 0
    seen = pixels.facts(image, group.places, len(group.labels)).pixels
    if (wrong := np.flatnonzero(seen != wanted)).size:
        label = group.labels[wrong[0]]
        raise RuntimeError(f"of {len(wrong)} objects, {label} among them, the window {group.window} does not show all")
