"""What a slide will take of memory, disk and time: estimates for the user, and the measure that bounds the disk."""

from __future__ import annotations

import math
from typing import NamedTuple

from idrstream.tissue.foreground import PIXEL

NUCLEAR = 0.4  # share of a dense slide that is in nuclei
LABELS = 0.5  # bytes a pixel of label images, packed: of tiles, of the store and its pyramid, of the TIFF
START = 600_000_000  # bytes of a task's libraries, network and buffers
TILE = 50  # bytes of memory a pixel of a tile, and
NETWORK = 30  # a pixel as the network sees it, at TRAINED pixels a nucleus
TRAINED = 20  # pixels, or thereabouts: networks are trained on nuclei of 16 to 30
WHOLE = 500_000_000  # bytes of a task that knows all nuclei of a slide: so many, and one a pixel of the slide
MOST_TASKS = 2000  # of a step of a slide: the names of their folders have to fit into a command line
SECONDS = 1.8  # of a processor, a megapixel: all steps (docs/performance.md)


class Need(NamedTuple):
    """Estimates of a slide.

    memory   bytes that the largest task takes
    disk     bytes in the work folder, at most
    seconds  of one processor
    """

    memory: int
    disk: int
    seconds: float


def of(shape: tuple[int, int], side: int, channels: int, itemsize: int, diameter: float | str) -> Need:
    """What a slide takes.

    shape     (Y, X) of what is segmented of it
    side      of its tiles, in pixels
    channels  that are read, of `itemsize` bytes a pixel
    diameter  of its nuclei in pixels; "auto" is taken for TRAINED
    """
    pixels = math.prod(shape)
    tile = math.prod(min(side, length) for length in shape)
    disk = pixels * (channels * itemsize + NUCLEAR * PIXEL.itemsize + LABELS)
    scale = 1 if diameter == "auto" else TRAINED / float(diameter)
    memory = max(START + int((TILE + NETWORK * scale**2) * tile), WHOLE + pixels)
    return Need(memory, int(disk), pixels / 1e6 * SECONDS)


def tiles_a_task(wanted: str | int, tiles: int) -> int:
    """Tiles of a slide that one task takes; auto: so many that its start is a tenth of it, in 200 tasks at most."""
    return max(4, math.ceil(tiles / 200)) if wanted == "auto" else max(int(wanted), math.ceil(tiles / MOST_TASKS))
