"""Pictures of a slide with the outlines of its nuclei, at full resolution: where they are densest, usual and sparse."""

from pathlib import Path

import cv2
import numpy as np
from skimage.segmentation import find_boundaries

from idrstream.base import files
from idrstream.tissue.tiles import Box

SIDE = 512  # pixels of a picture
COLOUR = 0, 159, 230  # blue, green, red of the orange of Okabe and Ito 2008, which the colour-blind see on grey too
SPARSE = 0.1  # of the places with nuclei, those with fewer than at the sparse one


def places(first, shape):
    """At most three Boxes of a slide: at its densest place, at one of the median density, and at a sparse one.

    first  (n,) the first pixel of every nucleus, y * width of the slide + x
    shape  (Y, X) of the slide; without nuclei its middle is shown
    """
    y, x = np.divmod(first, shape[1])
    across = -(-shape[1] // SIDE)
    blocks, counts = np.unique(y // SIDE * across + x // SIDE, return_counts=True)
    if not len(blocks):
        return [_window(shape[0] // 2 - SIDE // 2, shape[1] // 2 - SIDE // 2, shape)]
    order = blocks[np.argsort(counts, kind="stable")]
    chosen = order[-1], order[len(order) // 2], order[int(SPARSE * len(order))]
    return [_window(block // across * SIDE, block % across * SIDE, shape) for block in dict.fromkeys(map(int, chosen))]


def picture(shown, labels):
    """(Y, X, 3) uint8, blue, green and red, of a window.

    shown   (Y, X) float32 as the network is shown it, 0 to 1 from black to white; None: black
    labels  (Y, X)
    """
    grey = np.zeros(labels.shape) if shown is None else np.clip(shown, 0, 1)
    colours = np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    colours[find_boundaries(labels, mode="inner")] = COLOUR
    return colours


def write(folder, boxes, image, labels):
    """Write overlay_1.png, ... of BOXES into FOLDER; returns their names.

    image   function of a Box that returns (Y, X) float32 as the network is shown it; None where it is shown nothing
    labels  (Y, X) label image, read as it is sliced
    """
    names = [f"overlay_{number}.png" for number in range(1, len(boxes) + 1)]
    for name, box in zip(names, boxes, strict=True):
        pixels = picture(image and image(box), np.asarray(labels[box.y0 : box.y1, box.x0 : box.x1]))
        with files.whole(Path(folder, name)) as hidden:
            hidden.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return names


def _window(y, x, shape):
    """The Box of a picture whose first pixel is at (Y, X), moved into a slide of SHAPE."""
    y, x = (max(0, min(at, side - SIDE)) for at, side in zip((y, x), shape, strict=True))
    return Box(y, min(y + SIDE, shape[0]), x, min(x + SIDE, shape[1]))
