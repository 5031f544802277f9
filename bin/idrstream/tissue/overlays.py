"""Pictures of a slide with the outlines of nuclei and cells, at full resolution, of three places."""

from pathlib import Path

import cv2
import numpy as np
from skimage.segmentation import find_boundaries

from idrstream.base import files
from idrstream.tissue.tiles import Box

SIDE = 512  # pixels of a picture
# Blue, green, red of Okabe and Ito 2008's sky blue and orange, which the colour-blind tell apart, on grey too. Later
# ones are drawn on those before.
COLOURS = {"cells": (233, 180, 86), "nuclei": (0, 159, 230)}
SPARSE = 0.1  # of the places with nuclei or cells, those with fewer than at the sparse one


def places(first, shape):
    """At most three Boxes of a slide: at its densest place, at one of the median density, and at a sparse one.

    first  (n,) the first pixel of every nucleus and cell, y * width of the slide + x
    shape  (Y, X) of the slide; without any its middle is shown
    """
    y, x = np.divmod(first, shape[1])
    across = -(-shape[1] // SIDE)
    blocks, counts = np.unique(y // SIDE * across + x // SIDE, return_counts=True)
    if not len(blocks):
        return [_window(shape[0] // 2 - SIDE // 2, shape[1] // 2 - SIDE // 2, shape)]
    order = blocks[np.argsort(counts, kind="stable")]
    chosen = order[-1], order[len(order) // 2], order[int(SPARSE * len(order))]
    return [_window(block // across * SIDE, block % across * SIDE, shape) for block in dict.fromkeys(map(int, chosen))]


def picture(shown, images):
    """(Y, X, 3) uint8, blue, green and red, of a window.

    shown   (Y, X) float32 as a network is shown it, 0 to 1 from black to white; None: black
    images  name of COLOURS -> labels (Y, X)
    """
    grey = np.zeros(images["nuclei"].shape) if shown is None else np.clip(shown, 0, 1)
    colours = np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    for name in (name for name in COLOURS if name in images):
        colours[find_boundaries(images[name], mode="inner")] = COLOURS[name]
    return colours


def write(folder, boxes, shown, images):
    """Write overlay_1.png, ... of BOXES into FOLDER; returns their names.

    shown   function of a Box that returns (Y, X) float32 as a network is shown it; None where it is shown nothing
    images  name of COLOURS -> (Y, X) label image, read as it is sliced
    """
    names = [f"overlay_{number}.png" for number in range(1, len(boxes) + 1)]
    for name, box in zip(names, boxes, strict=True):
        here = slice(box.y0, box.y1), slice(box.x0, box.x1)
        pixels = picture(shown and shown(box), {layer: np.asarray(labels[here]) for layer, labels in images.items()})
        with files.whole(Path(folder, name)) as hidden:
            hidden.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return names


def _window(y, x, shape):
    """The Box of a picture whose first pixel is at (Y, X), moved into a slide of SHAPE."""
    y, x = (max(0, min(at, side - SIDE)) for at, side in zip((y, x), shape, strict=True))
    return Box(y, min(y + SIDE, shape[0]), x, min(x + SIDE, shape[1]))
