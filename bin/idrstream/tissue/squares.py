"""Where on a slide nuclei are looked for: everywhere, or in squares that hold more than glass (`--tissue auto`).

The squares lie on a grid of their own, so they are the same for all tiles. A square of glass is one in which no nucleus
can be: fewer pixels than a nucleus has at least are as bright as what the network needs, FAINT of its contrast (the
shipped network loses nuclei below 0.1). Squares beside one that is no glass are none either, as far as a nucleus
reaches.
"""

import numpy as np
from scipy import ndimage

from idrstream.tissue.tiles import Box, grid

VERSION = 1  # raised when other squares are taken for glass

SIDE = 256  # pixels of the slide
FAINT = 0.05  # of the window that contrast.window chooses
AT_ONCE = 4  # squares a side that are read together


class Squares:
    """Squares of a slide.

    wanted  (rows, columns) bool: where nuclei are looked for
    """

    def __init__(self, wanted):
        self.wanted = np.asarray(wanted, bool)

    @property
    def share(self):
        """Of the slide's squares, those in which nuclei are looked for."""
        return float(self.wanted.mean())

    def meet(self, box):
        """Whether a Box has pixels in which nuclei are looked for."""
        return bool(self.wanted[_around(box)].any())

    def mask(self, box):
        """(Y, X) bool: the pixels of a Box in which nuclei are looked for."""
        rows, columns = (np.arange(first, end) // SIDE for first, end in (box[:2], box[2:]))
        return self.wanted[np.ix_(rows, columns)]


def _around(box):
    """Index of the squares that a Box meets."""
    return slice(box.y0 // SIDE, -(-box.y1 // SIDE)), slice(box.x0 // SIDE, -(-box.x1 // SIDE))


def without_glass(image, shape, diameter, smallest):
    """Squares of a slide that are not glass.

    image     function of a Box that returns (Y, X) float32, the slide at the contrast that the network takes
    shape     (Y, X) of the slide
    diameter  of a nucleus, in pixels
    smallest  pixels of a nucleus, at least
    """
    bright = np.zeros([-(-side // SIDE) for side in shape], np.int64)
    for box in grid(Box(0, shape[0], 0, shape[1]), AT_ONCE * SIDE):
        pixels = image(box) > FAINT
        sums = np.add.reduceat(
            np.add.reduceat(pixels, range(0, box.shape[0], SIDE), 0, np.int64), range(0, box.shape[1], SIDE), 1
        )
        bright[_around(box)] = sums
    reach = -(-int(np.ceil(diameter)) // SIDE)
    return Squares(ndimage.maximum_filter(bright >= smallest, 2 * reach + 1, mode="constant"))
