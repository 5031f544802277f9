"""The steps from a network's maps to labels that NUMBER takes. Each reads the folders that the ones before it left.

flood (a tile) -> count (the slide) -> finish (a tile) -> steps.number

What travels between tiles is how many pixels each object has, and the box around them: a tile that finishes an object
proves by this number that it sees all of it. Until an object is finished, pixels are those of the resized slide.
"""

import functools
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from idrstream.base import files
from idrstream.cells import finishing, masks
from idrstream.tissue import arrays, flooding, labelling, scaling, spans, steps
from idrstream.tissue.spans import Spans
from idrstream.tissue.tiles import Box, grid, meet

FACTS, OBJECTS, NUCLEI = "resized.json", "objects.npz", "nuclei.npz"

FINISHING = 48  # pixels around what is finished at once in which objects are looked for; others are read one by one


class Place(NamedTuple):
    """Where the steps are: (Y, X) of the slide, and of the slide resized to the network's pixels."""

    size: tuple
    shape: tuple

    def box(self, tile):
        """The Box of the resized slide that stands for a tile of the slide."""
        return scaling.scaled(tile, *self)


def flood(folder, maps, tile, place, settings):
    """Leave the pixels of the objects of a tile of each layer, and their sums, in FOLDER.

    maps, settings  as flooding.flood takes them
    tile            Box of the slide
    place           Place
    returns         {layer: pixels of the resized slide} that are background because too little is seen to tell
    """
    found = {layer: [spans.of(np.zeros((0, 0), np.int64), Box(0, 0, 0, 0))] for layer in settings}
    lost = Counter()
    for part in flooding.parts(place.box(tile), place.shape):
        keys, untold = flooding.flood(maps, part, place.shape, settings)
        lost.update(untold)
        for layer, pixels in keys.items():
            found[layer].append(spans.of(pixels, part))
    for layer, parts in found.items():
        here, joined = Path(folder, layer), spans.join(parts)
        here.mkdir(exist_ok=True)
        arrays.write(here / f"{tile.name}.keys.npz", joined)
        arrays.write(here / f"{tile.name}.counts.npz", spans.sums(joined))
    files.write_json(Path(folder, FACTS), place._asdict())
    return lost


def place_of(folder):
    """The Place of a folder that `flood` left."""
    return Place(**{name: tuple(sides) for name, sides in files.read_json(Path(folder, FACTS)).items()})


def count(folder, flooded, layer):
    """Write what there is of a slide's objects of a LAYER into FOLDER; returns masks.Nuclei, in pixels of the slide.

    flooded  all folders that `flood` left

    Objects are numbered as their middles lie in the resized slide, row by row.
    """
    place = place_of(flooded[0])
    paths = sorted(path for one in flooded for path in Path(one, layer).glob("*.counts.npz"))
    objects = masks.add(arrays.read(path, masks.Sinks) for path in paths)
    arrays.write(Path(folder, OBJECTS), objects)
    nuclei = _nuclei(objects, place)
    arrays.write(Path(folder, NUCLEI), nuclei)
    return nuclei


def _nuclei(objects, place):
    """masks.Nuclei of a slide, by masks.Sinks of the resized one; sizes are those in the resized one."""
    (height, width), (tall, wide) = place
    y, x = np.divmod(objects.places, wide)
    middles = (2 * y + 1) * height // (2 * tall) * width + (2 * x + 1) * width // (2 * wide)
    order = np.argsort(middles, kind="stable")
    sizes, boxes = np.zeros(len(order) + 1, np.int64), np.zeros((len(order) + 1, 4), np.int32)
    sizes[1:], boxes[1:] = objects.counts, scaling.back(objects.boxes, *place)
    return masks.Nuclei(middles[order], (order + 1).astype(np.int32), sizes, boxes)


class Flooded:
    """The objects of a slide, window by window.

    flooded  all folders that `flood` left
    layer    of the objects
    tiles    Boxes of the slide
    counted  the folder that `count` left
    """

    def __init__(self, flooded, layer, tiles, counted):
        self.place, self.objects = place_of(flooded[0]), arrays.read(Path(counted, OBJECTS), masks.Sinks)
        self._paths = {path.name: path for one in flooded for path in Path(one, layer).glob("*.keys.npz")}
        self._tiles = [(tile.name, self.place.box(tile)) for tile in tiles]
        self._boxes = np.array([box for _, box in self._tiles])

    def window(self, box):
        """(Y, X) int32 numbers, 1 ... n, of the objects in a Box of the resized slide, before they are finished."""
        numbers = np.zeros(box.shape, np.int32)
        for index in np.flatnonzero(meet(self._boxes, box)):
            spans.paint(numbers, box, *self._of(self._tiles[index][0]))
        return numbers

    @functools.lru_cache(maxsize=16)  # noqa: B019  a task has one
    def _of(self, name):
        """(Spans, (n,) int32 number of each) of a tile."""
        found = arrays.read(self._paths[f"{name}.keys.npz"], Spans)
        return found, (np.searchsorted(self.objects.places, found.keys - 1) + 1).astype(np.int32)


def finish(folder, flooded, tile, settings):
    """Leave the labels of a tile of the slide, and what it tells of its objects, in FOLDER, as steps.label does.

    flooded   Flooded
    tile      Box of the slide
    settings  postprocessing.Settings
    """
    (size, shape), labels = flooded.place, np.zeros(tile.shape, np.int32)
    side = max(1, min(flooding.SIDE * across // to for across, to in zip(size, shape, strict=True)))
    alone, unseen = [], []
    for part in grid(tile, side):
        box = scaling.needed(part, size, shape)
        image = _finished(flooded, box, settings, alone, unseen)
        edges = zip((part[:2], part[2:]), size, shape, (box.y0, box.x0), strict=True)
        rows, columns = (scaling.nearest(*ends, *sides) - first for ends, *sides, first in edges)
        labels[part.within(tile)] = image[np.ix_(rows, columns)]
    facts = labelling.facts(labels, tile, size[1])
    arrays.write(Path(folder, f"{tile.name}.labels.npz"), steps.Raw(labels))
    lists = (np.unique(np.array(numbers, np.int64)) for numbers in (alone, unseen))
    arrays.write(Path(folder, f"{tile.name}.part.npz"), labelling.Part(*facts, *lists))


def _finished(flooded, box, settings, alone, unseen):
    """(Y, X) int32 of a Box of the resized slide. To the lists ALONE and UNSEEN the numbers are added that Part has."""
    canvas, objects, shape = finishing.Canvas(*box), flooded.objects, flooded.place.shape
    window = box.grown(FINISHING, shape)
    numbers = flooded.window(window)
    wanted = np.flatnonzero(meet(objects.boxes, box) & (objects.counts >= settings.small_objects))
    for index in wanted.tolist():
        around, seen, of = Box(*objects.boxes[index].tolist()), numbers, window
        if not window.holds(around):
            seen, of = flooded.window(around), around
            alone.append(index + 1)
        mask = seen[around.within(of)] == index + 1
        if np.count_nonzero(mask) == objects.counts[index]:
            finishing.finish(canvas, index + 1, mask, settings, around.y0, around.x0, shape)
        else:
            unseen.append(index + 1)
    return canvas.labels()
