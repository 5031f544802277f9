"""An image in overlapping tiles, and the network's answers averaged where they overlap, as Cellpose 3 does it.

Cellpose's own package is not used because it imports PyTorch.
"""

import math

import numpy as np

SIDE = 224  # pixels of a tile, Cellpose's own
OVERLAP = 0.1  # of a tile's side, at least
BLOCK = 16  # pixels: the padded image has a multiple of it on each side, of which half a block lies around the image
TAPER = 7.5  # pixels in which a tile's weight falls off, 20 pixels from its border


def cut(image):
    """The tiles of an image.

    image    (channels, Y, X) float32
    returns  (n, channels, y, x) float32; where they lie, as `join` takes it
    """
    zeros = [padding(length) for length in image.shape[1:]]
    padded = np.pad(image, ((0, 0), *zeros))
    rows, columns = (starts(length) for length in padded.shape[1:])
    height, width = (min(SIDE, length) for length in padded.shape[1:])
    places = [(slice(y, y + height), slice(x, x + width)) for y in rows for x in columns]
    return np.stack([padded[:, y, x] for y, x in places]), (places, zeros, image.shape[1:])


def join(tiles, where):
    """(channels, Y, X) float32: the mean of (n, channels, y, x), weighted by the distance to a tile's border."""
    places, zeros, shape = where
    sides = [length + before + after for length, (before, after) in zip(shape, zeros, strict=True)]
    weight = weights(tiles.shape[2:])
    total, total_weight = np.zeros((tiles.shape[1], *sides), np.float32), np.zeros(sides)
    for tile, place in zip(tiles, places, strict=True):
        total[:, *place] += tile * weight
        total_weight[place] += weight
    total /= total_weight
    (top, _), (left, _) = zeros
    return total[:, top : top + shape[0], left : left + shape[1]]


def padding(length):
    """(before, after): zeros around an axis of LENGTH pixels."""
    missing = -length % BLOCK
    return BLOCK // 2 + missing // 2, BLOCK // 2 + missing - missing // 2


def starts(length):
    """First pixels of the tiles along a padded axis of LENGTH pixels, (n,) int."""
    count = 1 if length <= SIDE else math.ceil((1 + 2 * OVERLAP) * length / SIDE)
    return np.linspace(0, length - min(SIDE, length), count).astype(int)


def weights(shape):
    """(Y, X) float64 of a tile's pixels, of a tile of SHAPE."""
    distance = np.abs(np.arange(SIDE) - (SIDE - 1) / 2)
    weight = 1 / (1 + np.exp((distance - (SIDE / 2 - 20)) / TAPER))
    middle = SIDE // 2
    return np.outer(*(weight[middle - side // 2 : middle + side // 2 + side % 2] for side in shape))
