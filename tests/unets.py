"""Networks with drawn weights, and volumes for them to see."""

import numpy as np

from idrstream.volume.box import Box
from idrstream.volume.unet import Unet

SMALL = Unet(maps=4, factors=((2, 2, 2),) * 2)  # sees 21 voxels a side, moves by 4
FLAT = ((1, 3, 3), (1, 3, 3))
MIXED = ((3, 3, 3), (1, 3, 3))
# For sections ten times as thick as wide: pooled within a section only.
ANISOTROPIC = Unet(
    maps=4, factors=((1, 2, 2),) * 2, down=(FLAT, MIXED, MIXED), up=(FLAT, MIXED), final=(1, 3, 3)
)  # sees 3 sections and 21 voxels in them
# Another factor and kernel on each axis, of passes of one and of three convolutions.
ODD = Unet(
    maps=3,
    outputs=3,
    growth=3,
    factors=((3, 1, 2), (1, 2, 3)),
    down=(((3, 3, 3),), ((1, 5, 3), (3, 3, 1), (3, 1, 1)), ((3, 3, 3),)),
    up=(((5, 3, 1),), ((3, 5, 3), (1, 1, 1))),
    final=(1, 3, 1),
)


def weights(unet, seed=0):
    """{name: float32 array} of the size that keeps maps of one scale from layer to layer."""
    draw, drawn = np.random.default_rng(seed), {}
    for name, shape in unet.names().items():
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.05
        drawn[name] = (scale * draw.normal(size=shape)).astype(np.float32)
    return drawn


def grey(shape, seed=0):
    """(z, y, x) uint8: noise of which neighbours have a part in common."""
    noise = np.random.default_rng(seed).normal(size=shape)
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis) + np.roll(noise, 2, axis)
    return np.clip(128 + 8 * noise, 0, 255).astype(np.uint8)


class Raw:
    """A volume in memory as `prediction.predict` reads it; `regions` are the boxes that were read."""

    def __init__(self, voxels, begin=(0, 0, 0)):
        self.box, self._voxels, self.regions = Box(begin, voxels.shape), voxels, []

    def read(self, box):
        assert self.box.contains(box)
        self.regions.append(box)
        return self._voxels[box.within(self.box)]
