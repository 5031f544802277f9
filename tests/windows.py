"""What tests of windows share: windows of all kinds of an image, and the planes that they must be cut out of."""

from contextlib import contextmanager

import numpy as np

from idrstream import readers
from idrstream.sources import is_store, open_location, open_store, split


@contextmanager
def image_of(location, reader=None):
    """The image at a path or URL, open."""
    location = str(location)
    opened = open_store(location) if is_store(location) else open_location(location)
    with opened as file, readers.open_image(file, split(location)[1], reader) as image:
        image.file = file  # which counts what travels
        yield image


def boxes(height, width, tile=(32, 48)):
    """(y0, y1, x0, x1): pixels in corners, one tile, parts of several, strips along the edges, and all of it."""
    down, across = (min(step, size - 1) for step, size in zip(tile, (height, width), strict=True))
    yield 0, 1, 0, 1
    yield height - 1, height, width - 1, width
    yield 0, down, 0, across
    yield down - 1, down + 1, across - 1, across + 1
    yield down, min(2 * down, height), across, min(2 * across, width)
    yield height // 3, height, width // 2, width
    yield height // 2, height // 2 + 1, 0, width
    yield 0, height, width // 3, width // 3 + 1
    yield 0, height, 0, width


def assert_windows_are_cut_out_of(image, truth, level=0):
    """Windows of an image are the same parts of TRUTH, (T, C, Z, Y, X), and the planes are those of it."""
    times, channels, planes, height, width = truth.shape
    assert (*image.shape[:3], *image.levels[level].shape) == truth.shape
    assert image.dtype == truth.dtype and image.dtype.isnative
    places = list(np.ndindex(times, channels, planes))
    kinds = list(boxes(height, width, image.levels[level].tile))
    for number, (t, channel, z) in enumerate(places):
        for box in kinds if number in (0, len(places) - 1) else kinds[3:4]:
            y0, y1, x0, x1 = box
            window = image.window(channel, z, t, level, *box)
            assert window.dtype == truth.dtype
            assert np.array_equal(window, truth[t, channel, z, y0:y1, x0:x1]), (t, channel, z, box)
        if level == 0:
            assert np.array_equal(image.plane(channel, z, t), truth[t, channel, z])
