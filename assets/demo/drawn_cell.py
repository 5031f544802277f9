"""Artificial electron microscopy of a cell whose organelles are known: mitochondria, and what may be taken for them."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

PER_MITOCHONDRION = 135_000  # voxels of the volume
RADII = (8, 13)  # voxels, of a mitochondrion
HALF_LENGTHS = (10, 45)  # voxels, from its middle to where an end begins to round off
BEND = 0.35  # of the half length: how far the ends lie aside
GAP = 3  # voxels at least between mitochondria, so that each is an object of its own
TINY = 200  # voxels: a mitochondrion that the volume's side leaves less of is left out
VESICLE_RADII, PER_VESICLE = (4, 7), 26_000
LYSOSOME_RADII = (9, 15)

# Grey levels, of 0 to 1.
RESIN, CYTOPLASM, MATRIX, CRISTA, MEMBRANE = 0.75, 0.62, 0.43, 0.30, 0.22
LUMEN, ER_WALL = 0.70, 0.30
VESICLE, VESICLE_WALL = 0.50, 0.27
LYSOSOME, LYSOSOME_WALL, MOTTLED = 0.36, 0.28, 0.03


class Microscope(NamedTuple):
    """How a microscope shows grey levels of 0 to 1; `grain` is its noise."""

    contrast: float = 1.0
    gamma: float = 1.0
    grain: float = 0.11


FIRST, OTHER = Microscope(), Microscope(contrast=0.6, gamma=1.5, grain=0.2)


class Cell(NamedTuple):
    """A volume and what is in it, each (z, y, x).

    raw           uint8
    mitochondria  uint32, 1, 2, ...; no two touch
    lysosomes     bool: as dark and as large as mitochondria, with one membrane and without cristae
    sample        bool: not the resin around the cell
    """

    raw: np.ndarray
    mitochondria: np.ndarray
    lysosomes: np.ndarray
    sample: np.ndarray


def draw(shape, seed, microscope=FIRST, lysosomes=2.0, edge=False):
    """A Cell of isotropic voxels; same arguments, same voxels on one machine.

    shape      (z, y, x)
    lysosomes  tried for each mitochondrion; they give way to these
    edge       whether the cell ends near y = 0, where there is resin
    """
    rng = np.random.default_rng(seed)
    surface = _surface(shape, rng) if edge else np.full(shape, np.inf, np.float32)
    sample = surface > 0
    numbers, depth = _mitochondria(shape, rng, sample)
    taken = numbers > 0
    texture = _noise(shape, 3, rng)
    raw = np.full(shape, CYTOPLASM, np.float32)
    raw += 0.045 * _noise(shape, 1.2, rng) + 0.03 * _noise(shape, 12, rng)  # ribosomes; unevenness
    _paint_mitochondria(raw, taken, depth, texture)
    _paint_reticulum(raw, taken, rng)
    _paint_vesicles(raw, taken, rng)
    dark = _paint_lysosomes(raw, taken, texture, int(lysosomes * numbers.max()), rng)
    raw[~sample] = RESIN
    raw[np.abs(surface) < 1.2] = MEMBRANE
    return Cell(_seen(raw, microscope, rng), numbers, dark & sample, sample)


def mirrored(array, box):
    """The voxels of a Box of an endless volume: ARRAY and its mirror images, side by side without a step.

    array    (z, y, x), which begins at (0, 0, 0)
    returns  (z, y, x) of the box's shape
    """
    places = []
    for first, size, length in zip(box.begin, box.shape, array.shape, strict=True):
        place = np.arange(first, first + size) % (2 * length)
        places.append(np.where(place < length, place, 2 * length - 1 - place))
    return array[np.ix_(*places)]


def _noise(shape, sigma, rng):
    """Smooth noise of standard deviation 1, (z, y, x) float32 or of fewer axes."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma, mode="wrap")
    return field / field.std()


def _surface(shape, rng):
    """How many voxels a voxel lies within the cell, (z, y, x) float32, negative in the resin."""
    height = 10 + 3 * _noise((shape[0], shape[2]), 14, rng)
    return np.arange(shape[1], dtype=np.float32)[None, :, None] - height[:, None, :]


def _mitochondria(shape, rng, sample):
    """(numbers, depth): the mitochondria as in a Cell, and how many voxels a voxel lies within the nearest, float32."""
    numbers, depth = np.zeros(shape, np.uint32), np.full(shape, -np.inf, np.float32)
    wanted, number = max(2, round(sample.size / PER_MITOCHONDRION)), 0
    for _ in range(20 * wanted):
        points, radius = _bent_line(shape, rng), rng.uniform(*RADII)
        place = _around(points, radius + GAP + 3, shape)
        distance = _from_line(points, place)
        inside, near = distance <= radius, distance <= radius + GAP
        crowded = (numbers[place][near] > 0).any() or not sample[place][near].all()
        if inside.sum() < TINY or crowded or ndimage.label(inside)[1] > 1:
            continue
        number += 1
        numbers[place][inside] = number
        np.maximum(depth[place], radius - distance, out=depth[place])
        if number == wanted:
            break
    return numbers, depth


def _bent_line(shape, rng):
    """Points along a bent line somewhere in the volume, (9, 3)."""
    middle, half = rng.uniform(0, shape), rng.uniform(*HALF_LENGTHS)
    along, aside = rng.normal(size=(2, 3))
    along /= np.linalg.norm(along)
    aside -= aside @ along * along
    aside /= np.linalg.norm(aside)
    steps = np.linspace(-1, 1, 9)
    return middle + half * (np.outer(steps, along) + BEND * np.outer(steps**2, aside))


def _around(points, reach, shape):
    """Slices of the part of a volume that lies REACH or less from some points, along each axis; perhaps empty."""
    first = np.clip(np.floor(points.min(axis=0) - reach), 0, shape).astype(int)
    last = np.clip(np.ceil(points.max(axis=0) + reach) + 1, 0, shape).astype(int)
    return tuple(slice(begin, end) for begin, end in zip(first, last, strict=True))


def _from_line(points, place):
    """The distance of each voxel of a part from a line through points, (z, y, x) float32."""
    grid = [axis.astype(np.float32) for axis in np.ogrid[place]]
    nearest = np.full([axis.size for axis in grid], np.inf, np.float32)
    for start, end in pairwise(points):
        way = end - start
        offsets = [axis - first for axis, first in zip(grid, start, strict=True)]
        share = sum(offset * part for offset, part in zip(offsets, way, strict=True)) / (way @ way)
        share = np.clip(share, 0, 1)
        squared = sum((offset - share * part) ** 2 for offset, part in zip(offsets, way, strict=True))
        np.minimum(nearest, squared, out=nearest, casting="same_kind")
    return np.sqrt(nearest)


def _from_centre(rng, radius, shape):
    """A place somewhere in the volume, and each voxel's distance from its middle."""
    centre = rng.uniform(0, shape)
    place = _around(centre[None], radius + 2, shape)
    squared = sum((axis - first) ** 2 for axis, first in zip(np.ogrid[place], centre, strict=True))
    return place, np.sqrt(squared)


def _paint_mitochondria(raw, taken, depth, texture):
    """Dark matrix, darker cristae that do not reach the membrane, and the double membrane as one line."""
    raw[taken] = MATRIX
    raw[taken & (depth > 3) & (np.abs(np.sin(2.2 * texture)) < 0.45)] = CRISTA
    raw[np.abs(depth) < 1.2] = MEMBRANE


def _paint_reticulum(raw, taken, rng):
    """Tubes with walls: where two smooth random fields vanish together."""
    tubes = np.hypot(_noise(raw.shape, 6, rng), _noise(raw.shape, 6, rng)) < 0.3
    tubes &= ~ndimage.binary_dilation(taken, iterations=2)
    raw[ndimage.binary_dilation(tubes) & ~tubes & ~taken] = ER_WALL
    raw[tubes] = LUMEN


def _paint_vesicles(raw, taken, rng):
    for _ in range(raw.size // PER_VESICLE):
        radius = rng.uniform(*VESICLE_RADII)
        place, distance = _from_centre(rng, radius, raw.shape)
        raw[place][(np.abs(distance - radius) < 1) & ~taken[place]] = VESICLE_WALL
        raw[place][(distance < radius - 1) & ~taken[place]] = VESICLE


def _paint_lysosomes(raw, taken, texture, count, rng):
    """Mottled balls with a thin wall; returns where they are, (z, y, x) bool."""
    free, dark = ~ndimage.binary_dilation(taken, iterations=GAP), np.zeros(raw.shape, bool)
    for _ in range(count):
        radius = rng.uniform(*LYSOSOME_RADII)
        place, distance = _from_centre(rng, radius, raw.shape)
        inside = (distance < radius) & free[place]
        raw[place][inside] = LYSOSOME + MOTTLED * np.sign(texture[place][inside])
        raw[place][inside & (distance > radius - 1)] = LYSOSOME_WALL
        dark[place] |= inside
    return dark


def _seen(raw, microscope, rng):
    """The uint8 that a microscope makes of grey levels: a little blur, its contrast and its noise."""
    raw = 0.5 + (ndimage.gaussian_filter(raw, 0.7) - 0.5) * microscope.contrast
    raw = np.clip(raw, 0, 1) ** microscope.gamma
    raw += microscope.grain * (0.5 * rng.standard_normal(raw.shape, np.float32) + 0.25 * _noise(raw.shape, 0.6, rng))
    return np.clip(np.rint(raw * 255), 0, 255).astype(np.uint8)
