"""Peaks are those of scikit-image; what a window tells of them holds for the image."""

import numpy as np
import pytest
from skimage import feature

import maps
from idrstream.images import peaks

SHAPE = 150, 180
WHOLE = (False,) * 4


def image_of(kind, shape=SHAPE):
    if kind == "plateaus":
        return np.round(8 * maps.random(shape)[0]).astype(np.float32) / 8
    if kind == "levels":  # of equal peaks many lie close together
        return np.random.default_rng(4).integers(0, 3, shape).astype(np.float32)
    if kind == "flat":
        return np.full(shape, 0.4, np.float32)
    return getattr(maps, kind)(shape)[0]


KINDS = "random", "noise", "plateaus", "levels", "flat"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [1, 2, 3, 7])
def test_peaks_are_those_of_scikit_image(kind, radius):
    image, wanted = image_of(kind), np.zeros(SHAPE, bool)
    places = feature.peak_local_max(image, min_distance=radius, threshold_abs=0.1, exclude_border=False)
    wanted[tuple(places.T)] = True
    certain, possible = peaks.window_peaks(image, 0.1, radius, WHOLE)
    np.testing.assert_array_equal(certain, wanted)
    np.testing.assert_array_equal(possible, wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [1, 2, 7])
def test_what_a_window_is_certain_of_holds_and_what_it_excludes_is_none(kind, radius):
    image = image_of(kind)
    whole, _ = peaks.window_peaks(image, 0.1, radius, WHOLE)
    for y0, x0 in [(0, 0), (30, 40), (60, 90), (0, 50), (50, 0)]:
        window = slice(y0, y0 + 90), slice(x0, x0 + 90)
        open_sides = y0 > 0, y0 + 90 < SHAPE[0], x0 > 0, x0 + 90 < SHAPE[1]
        certain, possible = peaks.window_peaks(np.ascontiguousarray(image[window]), 0.1, radius, open_sides)
        assert not (certain & ~whole[window]).any()
        assert not (whole[window] & ~possible).any()
        assert certain.any() or kind in ("flat", "levels", "plateaus")


@pytest.mark.parametrize("sides", [(3, 40), (40, 3), (4, 4)])
def test_a_window_that_is_narrower_than_the_radius_is_certain_of_nothing_at_its_open_side(sides):
    image = np.zeros(sides, np.float32)
    image[sides[0] // 2, sides[1] // 2] = 1
    for side in range(4):
        certain, possible = peaks.window_peaks(image, 0.1, 50, np.arange(4) == side)
        assert not certain.any() and possible.any()
