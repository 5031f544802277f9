"""How likely the voxels of a slab are of each class, tile by tile.

A voxel's result does not depend on the slab or region that it is computed in: each tile sees the raw volume around it,
also outside of slab and region; the volume is continued by reflection; and pooling divides the raw volume into the same
boxes whatever tile is computed, counted from the volume's corner. The size of a tile is part of the recipe: another one
changes last bits.
"""

import numpy as np

from idrstream.base.failures import NotFinite
from idrstream.images.padding import reflected
from idrstream.volume import grey
from idrstream.volume.box import Box

VERSION = 1  # raised when probabilities change


def tile(edge, shape, unet):
    """Voxels that a tile keeps along each axis: EDGE, or the extent of a smaller volume in whole steps.

    shape  (3) of the raw volume, never of a region in it
    """
    return tuple(min(edge, -(-size // step) * step) for size, step in zip(shape, unet.step, strict=True))


def predict(raw, slab, tile, network, unet):
    """The probabilities of the classes of a slab.

    raw      has `box`, in world voxels, and `read(box)`, which gives the (z, y, x) array of a box inside it
    slab     Box inside it
    tile     (3) voxels that a tile keeps, on a grid from the slab's first voxel, cut at its end
    network  Network for inputs of `unet.given(tile)`
    yields   of each tile its Box; (outputs - 1, z, y, x) uint8, 255 times the probability of each class but the
             background, rounded

    The raw voxels of the slab and around it are read once. Raises what `raw.read` does, NotReadable, NotFinite and
    OutOfRange.
    """
    region = _region(raw.box, slab, unet)
    voxels = raw.read(region)
    grey.check(voxels, f"voxels {region}")
    shape = unet.given(tile)
    for box in slab.parts(tile):
        first, phase = _first(box, raw.box, unet)
        places = _places(first, shape, raw.box, unet)
        inside = zip(places, region.begin, raw.box.begin, region.shape, strict=True)
        index = [np.clip(place - (begin - corner), 0, size - 1) for place, begin, corner, size in inside]
        logits = network.compute(grey.normalized(voxels[np.ix_(*index)]))
        z, y, x = (slice(before, before + size) for before, size in zip(phase, box.shape, strict=True))
        yield box, probabilities(logits[:, z, y, x], f"voxels {box}")


def probabilities(logits, place):
    """Softmax of LOGITS, (outputs, z, y, x) float32, as `predict` gives it.

    Raises NotFinite, with the PLACE.
    """
    if not np.isfinite(logits).all():
        raise NotFinite(f"{place}: the network's results are not finite.")
    likelihoods = np.exp(logits - logits.max(axis=0))
    shares = likelihoods[1:] / likelihoods.sum(axis=0)
    return np.rint(shares * np.float32(255)).astype(np.uint8)


def _region(whole, slab, unet):
    """The box of raw voxels that the voxels of a slab are computed from."""
    first, phase = _first(slab, whole, unet)
    output = [before + size for before, size in zip(phase, slab.shape, strict=True)]
    places = _places(first, unet.input(output), whole, unet)
    begin = tuple(int(place.min()) + corner for place, corner in zip(places, whole.begin, strict=True))
    return Box(begin, tuple(int(np.ptp(place)) + 1 for place in places))


def _first(box, whole, unet):
    """From the volume's corner: the last place of the pooling grid before a box; how far behind it the box begins."""
    begin = [first - corner for first, corner in zip(box.begin, whole.begin, strict=True)]
    phase = [place % step for place, step in zip(begin, unet.step, strict=True)]
    return [place - before for place, before in zip(begin, phase, strict=True)], phase


def _places(first, shape, whole, unet):
    """Where in a volume the voxels of an input of SHAPE are found, along each axis; its output begins at FIRST."""
    inputs = zip(first, unet.context, shape, whole.shape, strict=True)
    return [reflected(np.arange(size) + place - context, extent) for place, context, size, extent in inputs]
