"""The steps from a slide to its labels. Each reads the folders that the ones before it left, and writes its own.

predict (a tile) -> seeds (the slide) -> label (a tile) -> number (the slide) -> Labels, tile by tile.
"""

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np

from idrstream.cells import masks
from idrstream.tissue import arrays, foreground, labelling, numbering, objects

NUMBERS = "numbers.npz"
EVERY = "every"  # folder beside it, where a polygon marks what is wanted: the objects outside of it too


class Raw(NamedTuple):
    """Labels of a tile before they are numbered: (Y, X) int32, numbers of masks.Nuclei."""

    labels: np.ndarray


class Numbers(NamedTuple):
    """What the nuclei of a slide became.

    labels       (n + 1,) uint32 label of each of masks.Nuclei, 0 for those that are none
    alone        nuclei that were read by themselves, since they reach out of a tile's window
    uncertified  nuclei of which a tile saw fewer pixels than belong to them: the labels hold for 0 of these
    """

    labels: np.ndarray
    alone: int
    uncertified: int


def predict(folder, field, tile, shape, rounds, threshold=0.0):
    """Leave the pixels of nuclei of a tile, and their sinks, in FOLDER; arguments as of labelling.follow."""
    found = labelling.follow(field, tile, shape, rounds, threshold)
    foreground.write(folder, tile, found.y, found.x, found.flows, found.rest)
    arrays.write(Path(folder, f"{tile.name}.sinks.npz"), masks.sinks(found.rest, found.y, found.x))


def seeds(path, folders, shape):
    """Write masks.Nuclei of a slide of SHAPE (Y, X), of all FOLDERS that `predict` left, to PATH; and return them."""
    parts = [arrays.read(file, masks.Sinks) for file in _files(folders, "*.sinks.npz")]
    nuclei = masks.seeds(masks.add(parts), shape)
    arrays.write(path, nuclei)
    return nuclei


def label(folder, pixels, tile, nuclei, limits):
    """Leave the labels of a tile, and what it tells of its nuclei, in FOLDER.

    pixels  foreground.Foreground of all that `predict` left
    nuclei  masks.Nuclei that `seeds` wrote
    limits  masks.Limits
    """
    labels, part = labelling.label(pixels, tile, nuclei, limits)
    arrays.write(Path(folder, f"{tile.name}.labels.npz"), Raw(labels))
    arrays.write(Path(folder, f"{tile.name}.part.npz"), part)


def number(folder, folders, nuclei, smallest, inside=None):
    """Write Numbers and Objects of the slide into FOLDER; returns the Numbers.

    folders   all that `label` left
    nuclei    masks.Nuclei
    smallest  pixels: nuclei that have fewer are none
    inside    (n + 1,) bool which of NUCLEI lie in the slide's polygon; None if it has none
    """
    parts = [arrays.read(file, labelling.Part) for file in _files(folders, "*.part.npz")]
    first, pixels = numbering.facts(len(nuclei.sizes) - 1, parts)
    labels = numbering.table(first, pixels, smallest)
    alone, uncertified = (len(np.unique(np.concatenate(column))) for column in list(zip(*parts, strict=True))[3:])
    numbers = Numbers(labels, alone, uncertified)
    within = None if inside is None else numbering.table(first, pixels * inside, smallest)
    write_numbers(folder, numbers, (nuclei.boxes, first, pixels), within)
    return numbers if inside is None else numbers._replace(labels=within)


def write_numbers(folder, numbers, facts, inside=None):
    """Write Numbers, and Objects, into FOLDER; returns the Objects.

    facts   (n + 1, 4) boxes of masks.Nuclei, and (n + 1,) first pixels and pixels
    inside  (n + 1,) labels of those in the slide's polygon, 0 for others: then all of them go into EVERY; None: no
            polygon
    """
    Path(folder).mkdir(exist_ok=True)
    if inside is not None:
        write_numbers(Path(folder, EVERY), numbers, facts)
        numbers = numbers._replace(labels=inside.astype(np.uint32))
    found = objects.of(numbers.labels, *facts)
    arrays.write(Path(folder, NUMBERS), numbers)
    arrays.write(Path(folder, objects.FILE), found)
    return found


class Labels:
    """The label image of a slide, tile by tile: call it with a tile for (Y, X) uint32.

    folders  that `label` left
    numbers  Numbers
    """

    def __init__(self, folders, numbers):
        self._files, self._numbers = {path.name: path for path in _files(folders, "*.labels.npz")}, numbers

    def __call__(self, tile):
        return self._numbers.labels[arrays.read(self._files[f"{tile.name}.labels.npz"], Raw).labels]

    def by(self, numbers):
        """The same objects by other Numbers."""
        other = copy.copy(self)
        other._numbers = numbers
        return other


def _files(folders, pattern):
    """Files of folders, in an order of their own."""
    return sorted((path for folder in folders for path in Path(folder).glob(pattern)), key=lambda path: path.name)
