"""The pixels of nuclei between the steps: the flow of each and where it comes to rest, a file a tile.

A file holds the pixels of a tile block by block, so that a window of the slide is read without the rest of the tiles
that it meets. A background pixel takes no space.
"""

from pathlib import Path

import numpy as np

from idrstream.base import files
from idrstream.tissue import tiles

BLOCK = 256  # pixels, the side of what is read at once; a place in it takes a byte each way
PIXEL = np.dtype([("y", "u1"), ("x", "u1"), ("flow", "<f4", 2), ("rest", "<i8")])


def write(folder, tile, y, x, flows, rest):
    """Write the pixels of a tile.

    tile   Box
    y, x   (n,) pixels of the slide, all in the tile, in any order
    flows  (2, n) float32, as the network gives them
    rest   (n,) int64 places, y * width of the slide + x
    """
    down, across = y - tile.y0, x - tile.x0
    columns = -(-tile.shape[1] // BLOCK)
    block = down // BLOCK * columns + across // BLOCK
    order = np.argsort(block, kind="stable")
    pixels = np.empty(len(order), PIXEL)
    pixels["y"], pixels["x"] = (down % BLOCK)[order], (across % BLOCK)[order]
    pixels["flow"], pixels["rest"] = flows.T[order], rest[order]
    ends = np.cumsum(np.bincount(block, minlength=len(tiles.grid(tile, BLOCK))))
    for name, array in ("blocks", ends), ("pixels", pixels):
        with files.whole(Path(folder, f"{tile.name}.{name}.npy")) as hidden, open(hidden, "wb") as file:
            np.save(file, array)


class Foreground:
    """The pixels of nuclei of a slide, read window by window.

    folders  where `write` put its tiles, each tile in one of them
    shape    (Y, X) of the slide
    side     of its tiles, in pixels
    """

    def __init__(self, folders, shape, side):
        self.shape, self._side = shape, side
        self._files = {path.name: path for folder in folders for path in Path(folder).glob("*.npy")}

    def window(self, box):
        """(y, x, flows, rest) of the pixels in BOX: (n,) int32 of the slide, (2, n) float32, (n,) int64."""
        parts = [
            part for tile in tiles.meeting(box, self._side, self.shape) for part in self._blocks(tile, tile.common(box))
        ]
        corners = np.repeat(
            np.array([corner for corner, _ in parts], np.int32), [len(part) for _, part in parts], axis=0
        )
        pixels = np.concatenate([part for _, part in parts])
        y, x = corners[:, 0] + pixels["y"], corners[:, 1] + pixels["x"]
        inside = (y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1)
        return y[inside], x[inside], np.ascontiguousarray(pixels["flow"][inside].T), pixels["rest"][inside]

    def _blocks(self, tile, box):
        """Yield the corner (y, x) and the pixels of each block of a tile that BOX, a part of the tile, meets."""
        ends = np.load(self._files[f"{tile.name}.blocks.npy"])
        pixels = np.load(self._files[f"{tile.name}.pixels.npy"], mmap_mode="r") if ends[-1] else np.empty(0, PIXEL)
        wanted = tiles.meet(np.array(blocks := tiles.grid(tile, BLOCK)), box)
        for index in np.flatnonzero(wanted):
            first = ends[index - 1] if index else 0
            yield blocks[index][::2], np.array(pixels[first : ends[index]])
