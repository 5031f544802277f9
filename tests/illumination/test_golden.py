"""Flat-fields are what they were."""

import numpy as np
import torch

from golden import CENTRES, SHAPE, assert_golden, nuclei
from idrstream.screen import illumination


def vignetted(number):
    """A frame of one nucleus, at a place of its own, under the light of the plate."""
    image, _ = nuclei(SHAPE, [CENTRES[number]])
    rows, columns = (np.linspace(-1, 1, side) for side in SHAPE)
    light = 1.1 - 0.3 * (rows[:, None] ** 2 + columns**2)
    return np.rint((image + 200) * light).astype(np.uint16)


def test_flat_field():
    torch.set_num_threads(1)
    plate = illumination.of_plate([vignetted(number) for number in range(12)], offset=6.0)
    assert_golden("flatfield", [*plate.field[::53, ::66].ravel(), plate.halves, *plate.used], rtol=1e-3)
