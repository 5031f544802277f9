"""What tests of reading share: frames of noise, and what a file gives of them."""

import numpy as np
import pytest

from idrstream.base.failures import ImageFailure
from idrstream.sources import open_location
from support import read_frames

SHAPE = (512, 512)  # noise of this size has 16 chunks of 16 KB: larger than the index, as real ones are


def noise(frames, shape=SHAPE, seed=0):
    """(frames, *shape) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (frames, *shape), np.uint8)


def frames_of(path, frames, **choice):
    """{frame: image or failure} of a file on disk."""
    with open_location(path) as file:
        return dict(read_frames(file, path.name, frames, **choice))


def same(image, truth):
    """Is it an image, of the type and the pixels of TRUTH?"""
    return not isinstance(image, ImageFailure) and image.dtype == truth.dtype and np.array_equal(image, truth)


def assert_says(failure, pattern, kind=ImageFailure):
    with pytest.raises(kind, match=pattern):
        raise failure
