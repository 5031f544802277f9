"""Objects of a deep watershed are eroded, dropped and filled as scikit-image does it; none takes another's pixels."""

import numpy as np
import pytest

import maps
import scikit_watershed
import slides
from idrstream.cells import finishing
from idrstream.cells.postprocessing import Settings

SHAPE = 130, 150
BASE = Settings(0.075)


def finished(labels, settings, box=None):
    """(Y, X) int32 of a box of a label image whose objects are finished one by one."""
    y0, y1, x0, x1 = box or (0, labels.shape[0], 0, labels.shape[1])
    canvas = finishing.Canvas(y0, y1, x0, x1)
    for number in np.unique(labels[labels > 0]):
        y, x = np.nonzero(labels == number)
        top, left = y.min(), x.min()
        mask = labels[top : y.max() + 1, left : x.max() + 1] == number
        finishing.finish(canvas, number, mask, settings, int(top), int(left), labels.shape)
    return canvas.labels()


@pytest.fixture(scope="module")
def pierced():
    """(Y, X) int32: objects, some at the border, with holes of many sizes, some of which lead outside."""
    labels = slides.crowded(SHAPE, 60, radii=(5, 16))
    labels[maps.random(SHAPE, 3)[0] > 0.62] = 0
    labels[np.random.default_rng(2).random(SHAPE) < 0.03] = 0
    return labels


CHANGES = {
    "the defaults": {},
    "nothing": {"small_objects": 0, "fill_holes": 0},
    "holes of any size": {"fill_holes": 400},
    "holes of one pixel": {"fill_holes": 2},
    "large objects": {"small_objects": 150},
    "eroded once": {"label_erosion": 1},
    "eroded twice": {"label_erosion": 2, "small_objects": 40},
}


@pytest.mark.parametrize("change", CHANGES)
def test_objects_are_finished_as_scikit_image_does_it(pierced, change):
    settings = BASE._replace(**CHANGES[change])
    wanted, found = scikit_watershed.finished(pierced, settings), finished(pierced, settings)
    assert (wanted != pierced).any() == (change != "nothing")
    np.testing.assert_array_equal(found, wanted)


def test_a_part_of_an_image_shows_what_the_whole_does(pierced):
    settings = BASE._replace(label_erosion=1, fill_holes=100)
    np.testing.assert_array_equal(
        finished(pierced, settings, (20, 90, 31, 120)), finished(pierced, settings)[20:90, 31:120]
    )


def ring(labels, number, y, x, outer, inner):
    rows, columns = np.ogrid[: labels.shape[0], : labels.shape[1]]
    far = np.maximum(abs(rows - y), abs(columns - x))
    labels[(far <= outer) & (far > inner)] = number


def test_what_another_object_has_of_a_hole_stays_its_own_and_the_innermost_fills():
    labels = np.zeros((30, 30), np.int32)
    ring(labels, 1, 14, 14, 10, 6)
    ring(labels, 2, 14, 14, 4, 1)  # in the hole of 1, with a hole of 9 pixels
    found = finished(labels, BASE._replace(fill_holes=500))
    wanted = labels.copy()
    ring(wanted, 2, 14, 14, 4, -1)
    wanted[(wanted == 0) & (finished(np.where(labels == 1, 1, 0), BASE._replace(fill_holes=500)) == 1)] = 1
    np.testing.assert_array_equal(found, wanted)
    assert (found == 2).sum() == 81 and (found == 1).sum() == 21**2 - 81
    few = finished(labels, BASE._replace(fill_holes=10))
    assert (few == 2).sum() == 81 and (few == 1).sum() == 21**2 - 13**2


def test_a_hole_at_the_border_of_the_image_is_none():
    labels = np.zeros((12, 12), np.int32)
    ring(labels, 1, 0, 5, 4, 2)
    np.testing.assert_array_equal(finished(labels, BASE), labels)


def test_a_small_object_in_a_hole_goes_and_the_hole_is_filled():
    labels = np.zeros((20, 20), np.int32)
    ring(labels, 3, 9, 9, 5, 1)
    labels[9, 9] = 7
    found = finished(labels, BASE)
    assert (found == 3).sum() == 121 and not (found == 7).any()
