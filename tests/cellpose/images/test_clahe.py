"""CLAHE by windows is what scikit-image makes of the whole image."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from skimage import exposure

from idrstream.images import clahe


def by_windows(image, kernel, side, blocks):
    """The whole of IMAGE: tables of BLOCKS regions an axis at a time, then windows of SIDE pixels."""
    low, high, counts = image.min(), image.max(), clahe.regions(image.shape, kernel)
    tables = np.zeros((*counts, clahe.BINS), np.uint16)
    for place in itertools.product(*(range(0, count, blocks) for count in counts)):
        ends = [min(first + blocks, count) for first, count in zip(place, counts, strict=True)]
        index = [clahe.pixels(*axis) for axis in zip(place, ends, image.shape, kernel, strict=True)]
        some = clahe.tables(clahe.bins(image[np.ix_(*index)], low, high), kernel)
        tables[tuple(slice(*edges) for edges in zip(place, ends, strict=True))] = some
    greys = np.zeros(image.shape, np.uint16)
    for corner in itertools.product(*(range(0, size, side) for size in image.shape)):
        window = tuple(slice(at, at + side) for at in corner)
        greys[window] = clahe.equalized(clahe.bins(image[window], low, high), corner, tables, kernel)
    return clahe.stretched(greys, greys.min(), greys.max())


def textured(shape, seed=0, smooth=3):
    """float32 from 0 to 1: blobs on a ramp, with noise."""
    random = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(random.random(shape), smooth) * 4 + random.random(shape) * 0.05
    image += np.linspace(0, 1, shape[-1])
    return ((image - image.min()) / (image.max() - image.min())).astype(np.float32)


PLANES = (
    ((1080, 1080), 128, 300),
    ((3000, 777), 128, 512),
    ((256, 384), 128, 100),
    ((90, 333), 128, 64),  # shorter than a region
    ((61, 40), 25, 17),  # regions of an odd side
    ((2, 500), 64, 90),
    ((1, 300), 128, 90),
)


@pytest.mark.parametrize("shape, kernel, side", PLANES)
def test_windows_of_a_plane_join_into_scikit_images_result(shape, kernel, side):
    image = textured(shape)
    wanted = exposure.equalize_adapthist(image, kernel_size=kernel)
    found = by_windows(image, (kernel, kernel), side, 3)
    assert np.ptp(found) == 1 and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


VOLUMES = ((40, 70, 55), (16, 32, 20)), ((33, 31, 64), (11, 7, 13)), ((5, 64, 64), (16, 16, 16))


@pytest.mark.parametrize("shape, kernel", VOLUMES)
def test_blocks_of_a_volume_join_into_scikit_images_result(shape, kernel):
    volume = (30 + textured(shape) * 200).astype(np.uint8)
    wanted = exposure.equalize_adapthist(volume, kernel_size=kernel)
    found = by_windows(volume, kernel, 23, 2)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("level", [1, 2, 40, 200])
def test_an_image_of_few_levels_is_equalised_as_by_scikit_image(level):
    """Regions with one level, or hardly any other: all that is clipped has to go somewhere."""
    image = np.zeros((300, 300), np.float32)
    image[np.random.default_rng(level).random(image.shape) < level / 1000] = 1
    image[:40, :40] = 0.3
    wanted = exposure.equalize_adapthist(image, kernel_size=128)
    np.testing.assert_allclose(by_windows(image, (128, 128), 77, 1), wanted, rtol=0, atol=1e-6)
