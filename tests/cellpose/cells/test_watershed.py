"""Deep watershed is that of scikit-image; what a window tells of it holds for the image."""

import numpy as np
import pytest
from skimage import measure, morphology

import maps
import scikit_watershed
from idrstream.cells import watershed
from idrstream.cells.postprocessing import Settings

SHAPE = 150, 180
BASE = Settings(0.075, interior_threshold=0.35)
CHANGES = {
    "the defaults of cells": {},
    "a lower h": {"maxima_threshold": 0.02},
    "a smoothed distance": {"maxima_smooth": 1.5},
    "an interior that is not smoothed": {"interior_smooth": 0},
    "a wide Gaussian": {"interior_smooth": 5.3},
    "a high threshold": {"interior_threshold": 0.55},
    "a wider neighbourhood": {"radius": 3},
    "an expanded interior": {"pixel_expansion": 3},
    "peaks": {"maxima_algorithm": "peak_local_max", "maxima_threshold": 0.4, "radius": 4},
    "smoothed peaks": {"maxima_algorithm": "peak_local_max", "maxima_smooth": 2, "maxima_threshold": 0.3},
}


def smoothed(planes, settings, box):
    """(2, Y, X) of a window y0, y1, x0, x1 of an image, from maps that reach as far around it as they must."""
    (y0, y1, x0, x1), around = box, watershed.reach(settings)
    top, left = max(y0 - around, 0), max(x0 - around, 0)
    seen = np.stack([plane[top : y1 + around, left : x1 + around] for plane in planes])
    return np.stack(watershed.smoothed(seen, settings))[:, y0 - top : y1 - top, x0 - left : x1 - left].copy()


def flooded(planes, settings, box=None):
    """Keys of a window; of all of an image if absent."""
    shape = planes[0].shape
    box = box or (0, shape[0], 0, shape[1])
    return watershed.flood(*smoothed(planes, settings, box), settings, box[::2], shape)


@pytest.mark.parametrize("kind", ["random", "noise"])
@pytest.mark.parametrize("change", CHANGES)
def test_objects_are_those_of_scikit_image(kind, change):
    planes, settings = getattr(maps, kind)(SHAPE), BASE._replace(**CHANGES[change])
    wanted, found = scikit_watershed.objects(*planes, settings), flooded(planes, settings)
    assert wanted.max() > 10
    assert len(np.unique(found[found > 0])) == len(np.unique(wanted[wanted > 0]))
    np.testing.assert_array_equal(found > 0, wanted > 0)
    assert scikit_watershed.differing(found, wanted) == 0


@pytest.mark.parametrize("shape", [SHAPE, pytest.param((3000, 3000), marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["random", "noise"])
def test_of_a_million_pixels_at_most_one_is_another_objects_for_the_order_of_equal_ones(kind, shape):
    """Against scikit-image as it is, where of equal pixels the one that is met first comes first."""
    planes = getattr(maps, kind)(shape)
    wanted, found = scikit_watershed.objects(*planes, BASE, ranked=False), flooded(planes, BASE)
    assert scikit_watershed.differing(found, wanted) <= max(1, found.size // 1_000_000)


@pytest.mark.parametrize("kind", ["random", "noise"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_window_tells_is_what_the_image_has(kind, change):
    planes, settings = getattr(maps, kind)(SHAPE), BASE._replace(**CHANGES[change])
    whole = flooded(planes, settings)
    for y0, y1, x0, x1 in [(0, 90, 0, 100), (30, 130, 40, 160), (60, 150, 80, 180)]:
        part, wanted = flooded(planes, settings, (y0, y1, x0, x1)), whole[y0:y1, x0:x1]
        told = part != watershed.UNKNOWN
        np.testing.assert_array_equal(part[told], wanted[told])
        assert (told & (part > 0)).any() and not told.all()


@pytest.mark.parametrize("change", CHANGES)
def test_a_window_is_smoothed_as_the_whole_is(change):
    planes, settings = maps.noise(SHAPE), BASE._replace(**CHANGES[change])
    whole = watershed.smoothed(np.stack(planes), settings)
    for y0, y1, x0, x1 in [(0, 60, 0, 70), (40, 90, 50, 120), (149, 150, 0, 180)]:
        for found, wanted in zip(smoothed(planes, settings, (y0, y1, x0, x1)), whole, strict=True):
            np.testing.assert_array_equal(found, wanted[y0:y1, x0:x1])


def test_a_key_is_the_place_of_a_middle():
    distance, interior = maps.random(SHAPE)
    keys = np.unique(flooded((distance, interior), BASE))
    middles = measure.label(morphology.h_maxima(distance, 0.075, footprint=morphology.disk(2)))
    first = [np.flatnonzero(middles == number)[0] for number in range(1, middles.max() + 1)]
    assert set(keys[keys > 0] - 1) <= set(first)


def test_equal_pixels_go_row_by_row():
    """A flat interior: the middle that comes first has all that it reaches."""
    distance, interior = np.zeros((9, 9), np.float32), np.ones((9, 9), np.float32)
    distance[2, 2] = distance[6, 6] = 1
    found = flooded((distance, interior), BASE._replace(interior_smooth=0))
    assert set(np.unique(found)) == {2 * 9 + 2 + 1, 6 * 9 + 6 + 1}
    assert found[6, 6] == 6 * 9 + 6 + 1 and (found[:6] == 2 * 9 + 2 + 1).all()
