"""What a slide will take of memory, disk and time: estimates for the user, and the measure that bounds the disk."""

from __future__ import annotations

import math
from typing import NamedTuple

from idrstream.tissue.foreground import PIXEL

NUCLEAR = 0.4  # share of a dense slide that is in nuclei
LABELS = 0.5  # bytes a pixel of label images, packed: of tiles, of the store and its pyramid, of the TIFF
START = 1_500_000_000  # bytes of a task's libraries, network and buffers
TILE = 90  # bytes of memory a pixel of a tile
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


def of(shape: tuple[int, int], side: int, channels: int, itemsize: int) -> Need:
    """What a slide takes.

    shape     (Y, X) of what is segmented of it
    side      of its tiles, in pixels
    channels  that are read, of `itemsize` bytes a pixel
    """
    pixels = math.prod(shape)
    tile = math.prod(min(side, length) for length in shape)
    disk = pixels * (channels * itemsize + NUCLEAR * PIXEL.itemsize + LABELS)
    return Need(START + TILE * tile, int(disk), pixels / 1e6 * SECONDS)


def tiles_a_task(wanted: str | int, tiles: int) -> int:
    """How many of a slide's tiles one task takes: so many that its start is a tenth of it, in 200 tasks at most."""
    return max(4, math.ceil(tiles / 200)) if wanted == "auto" else int(wanted)
