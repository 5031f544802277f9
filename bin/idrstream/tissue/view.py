"""What a network is shown of a slide: a plane of channels, each at its own contrast, the brightest of them."""

import functools

import numpy as np

from idrstream.cells import contrast


def shown(channels):
    """A function of a Box that returns (Y, X) float32 as contrast.normalize has them of the whole plane.

    channels  list of (read, low, high): a function of a Box that returns (Y, X) grey levels of a channel, and the
              contrast.window of all of it
    """

    def image(box):
        return functools.reduce(np.maximum, (contrast.scaled(read(box), low, high) for read, low, high in channels))

    return image


def brightest(planes):
    """A function of a Box that returns (Y, X): the pixel-wise maximum of such functions, a list."""
    return lambda box: functools.reduce(np.maximum, (plane(box) for plane in planes))
