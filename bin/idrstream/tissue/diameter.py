"""The diameter of a slide's nuclei, estimated in windows where it is bright: a function of the slide alone."""

from typing import NamedTuple

import numpy as np

from idrstream.base.sampling import spread
from idrstream.cells import masks, nuclei, segmentation
from idrstream.tissue import view
from idrstream.tissue.tiles import Box, grid

VERSION = 1  # raised when the diameter of a slide changes

WINDOWS, SIDE = 9, 1024  # and pixels a side
BRIGHT = 0.5  # of the contrast: pixels above it are counted


class Estimate(NamedTuple):
    """What was found.

    diameter  pixels, to 0.1: of the disc of the median area
    nuclei    that it rests on; 0: it is the model's own
    windows   Boxes that were looked at
    """

    diameter: float
    nuclei: int
    windows: list


def estimate(model, planes, shape):
    """Estimate of a slide.

    model   network.Model
    planes  list of functions of a Box that return (Y, X) float32, the slide at the contrast that the network takes
    shape   (Y, X) of the slide
    """
    field, rounds = model.field(planes, shape, model.diameter), model.rounds(model.diameter)
    windows, areas = bright(view.brightest(planes), shape), []
    for window in windows:
        seen = field(window)
        labels, _ = masks.from_flows(seen[:2], seen[2], rounds, smallest=segmentation.MIN_SIZE)
        areas.append(nuclei.areas(masks.in_order(labels)))
    areas = np.concatenate(areas) if areas else np.empty(0)
    if not len(areas):
        return Estimate(model.diameter, 0, windows)
    return Estimate(segmentation.diameter_of(np.median(areas)), len(areas), windows)


def bright(image, shape):
    """At most WINDOWS Boxes of a grid of SIDE, spread over that half of them, with bright pixels, that has most."""
    boxes = grid(Box(0, shape[0], 0, shape[1]), SIDE)
    counts = np.array([np.count_nonzero(image(box) > BRIGHT) for box in boxes])
    if not counts.any():
        return []
    chosen = np.flatnonzero(counts >= np.median(counts[counts > 0]))
    return [boxes[chosen[index]] for index in spread(len(chosen), WINDOWS)]
