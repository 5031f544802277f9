"""Layers: what one search for objects finds on a slide. Nuclei are one, cells another; whoever made it, a network or
the user, it lies in a folder of one form.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from idrstream.tissue import arrays, objects, steps
from idrstream.tissue.objects import Objects
from idrstream.tissue.steps import Labels, Numbers

PAIRED, NUMBERED = "paired", "numbers"  # folders of PAIR, of NUMBER and TAKE
PAIRS = "pairs.json"  # in PAIRED


class Layer(NamedTuple):
    """The objects of a slide, and its label image.

    numbers  steps.Numbers
    objects  objects.Objects
    tile     function of a Box, one of the slide's tiles, that returns (Y, X) uint32 labels
    """

    numbers: Numbers
    objects: Objects
    tile: Callable


def read(folder):
    """The Layer in a folder: labelled*/ and numbers/, or of cells that have the labels of their nuclei paired/."""
    folder = Path(folder)
    return _read(folder, folder / (PAIRED if (folder / PAIRED).is_dir() else NUMBERED))


def every(folder):
    """The Layer in a folder with what lies outside of the slide's polygon, before cells are paired."""
    numbered = Path(folder, NUMBERED)
    return _read(Path(folder), numbered / steps.EVERY if (numbered / steps.EVERY).is_dir() else numbered)


def within(layer, every):
    """(n,) uint32 label in LAYER of each object of EVERY, in their order; 0 for those that it lacks."""
    labels, known = np.zeros(len(every.objects.labels), np.uint32), every.numbers.labels > 0
    labels[np.searchsorted(every.objects.labels, every.numbers.labels[known])] = layer.numbers.labels[known]
    return labels


def _read(folder, numbered):
    numbers = arrays.read(numbered / steps.NUMBERS, Numbers)
    found = arrays.read(numbered / objects.FILE, Objects)
    return Layer(numbers, found, Labels(sorted(folder.glob("labelled*")), numbers))


def renumbered(layer, labels):
    """Numbers of a layer whose objects have other labels: (n,) uint32, in the order of its objects."""
    numbers, known = np.zeros_like(layer.numbers.labels), layer.numbers.labels > 0
    numbers[known] = labels[np.searchsorted(layer.objects.labels, layer.numbers.labels[known])]
    return layer.numbers._replace(labels=numbers)
