"""Reconstruction and h-maxima are those of scikit-image, to the bit; what a window tells of it holds."""

import numpy as np
import pytest
from skimage import morphology

import maps
from idrstream.images import reconstruction

SHAPE = 150, 180


def image_of(kind, shape=SHAPE, seed=1):
    if kind == "plateaus":  # many equal levels, and levels below 0
        return np.round(6 * maps.random(shape, seed)[0] - 3).astype(np.float32) / 2
    if kind == "flat":
        return np.full(shape, 0.4, np.float32)
    if kind == "large":  # where a float's last digit is worth more than the shift's first
        return (maps.random(shape, seed)[0] * 3e6).astype(np.float32)
    return getattr(maps, kind)(shape, seed)[0]


KINDS = "random", "noise", "plateaus", "flat", "large"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_h_maxima_are_those_of_scikit_image(kind, radius):
    image = image_of(kind)
    for h in (0.075, 0.5) if kind != "large" else (1000.0, 4e5):
        wanted = morphology.h_maxima(image, h, footprint=morphology.disk(radius))
        np.testing.assert_array_equal(reconstruction.h_maxima(image, h, radius), wanted)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_images_that_are_smaller_than_the_neighbourhood_have_the_same_h_maxima(shape):
    image = maps.noise(shape)[0]
    wanted = morphology.h_maxima(image, 0.1, footprint=morphology.disk(3))
    np.testing.assert_array_equal(reconstruction.h_maxima(image, 0.1, 3), wanted)


def test_a_seed_spreads_under_a_mask_as_scikit_image_has_it():
    mask = maps.noise(SHAPE)[0]
    seed = np.where(np.random.default_rng(3).random(SHAPE) < 0.01, mask, -1).astype(np.float32)
    for radius in 1, 2:
        wanted = morphology.reconstruction(seed, mask, footprint=morphology.disk(radius))
        np.testing.assert_array_equal(reconstruction.reconstruct(seed, mask, reconstruction.disk(radius)), wanted)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_what_a_window_is_certain_of_holds_and_what_it_excludes_is_none(kind):
    """Of windows at every side of the image, and in its middle."""
    image = image_of(kind)
    whole = reconstruction.h_maxima(image, 0.075, 2)
    certainties = []
    for y0, x0 in [(0, 0), (30, 40), (60, 90), (0, 50), (50, 0)]:
        window = slice(y0, y0 + 90), slice(x0, x0 + 90)
        open_sides = y0 > 0, y0 + 90 < SHAPE[0], x0 > 0, x0 + 90 < SHAPE[1]
        certain, possible = reconstruction.window_h_maxima(np.ascontiguousarray(image[window]), 0.075, 2, open_sides)
        assert not (certain & ~whole[window]).any()
        assert not (whole[window] & ~possible).any()
        certainties.append(certain.sum())
    assert (min(certainties) > 0) == (kind != "flat")


@pytest.mark.parametrize("sides", [(3, 40), (40, 3), (4, 4)])
def test_a_window_that_is_narrower_than_the_radius_is_certain_of_nothing_at_its_open_side(sides):
    image = np.zeros(sides, np.float32)
    image[sides[0] // 2, sides[1] // 2] = 1
    for side in range(4):
        certain, possible = reconstruction.window_h_maxima(image, 0.1, 50, np.arange(4) == side)
        assert not certain.any() and possible.any()


@pytest.mark.full
def test_h_maxima_of_large_images_are_those_of_scikit_image():
    for image in (maps.random((3000, 3000))[0], maps.noise((1500, 1500))[0]):
        wanted = morphology.h_maxima(image, 0.075, footprint=morphology.disk(2))
        np.testing.assert_array_equal(reconstruction.h_maxima(image, 0.075, 2), wanted)


@pytest.mark.full
@pytest.mark.skipif(not maps.MAKER.exists(), reason=f"no {maps.MAKER} to make a slide with (set IDRSTREAM_DATA)")
def test_h_maxima_of_real_nuclei_are_those_of_scikit_image():
    image = maps.real((2048, 2048))[0]
    wanted = morphology.h_maxima(image, 0.075, footprint=morphology.disk(2))
    assert wanted.sum() > 1000
    np.testing.assert_array_equal(reconstruction.h_maxima(image, 0.075, 2), wanted)
