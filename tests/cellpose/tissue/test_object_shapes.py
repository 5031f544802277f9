"""Shapes of objects against independent computations: pixels counted, scipy's hull, all circles and all directions."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import ConvexHull

import odd_objects
from idrstream.cells import rings
from idrstream.tissue import pixels, shapes


def measured(labels, size):
    """(n, shapes) of an image of labels 1 … n, for pixels of SIZE (y, x)."""
    count = int(labels.max())
    facts = pixels.facts(labels, np.arange(-1, count, dtype=np.int32), count)
    traced = rings.trace(labels, np.arange(1, count + 1, dtype=np.int32), facts.boxes)
    return shapes.measure(traced, facts.pixels, size)


def edges(mask):
    """How many edges of pixels a mask's outline has: (horizontal, vertical)."""
    padded = np.pad(mask, 1).astype(int)
    return int(abs(np.diff(padded, axis=0)).sum()), int(abs(np.diff(padded, axis=1)).sum())


def hull_of(mask, size):
    """(corners, area) of the hull of the corners of a mask's pixels, in micrometres."""
    y, x = np.nonzero(mask)
    corners = np.array([(y + down, x + across) for down in (0, 1) for across in (0, 1)])
    hull = ConvexHull(np.unique(corners.transpose(0, 2, 1).reshape(-1, 2), axis=0) * size)
    return hull.points[hull.vertices], hull.volume


def circle_around(points):
    """The radius of the smallest circle around points: the smallest of all through two or three that holds them."""
    pairs, triples = (np.array(list(itertools.combinations(points, count))) for count in (2, 3))
    ways = 2 * (triples[:, 1:] - triples[:, :1])
    some = abs(np.linalg.det(ways)) > 1e-9
    lengths = (triples**2).sum(2)
    solved = np.linalg.solve(ways[some], (lengths[:, 1:] - lengths[:, :1])[some][..., None])[..., 0]
    centres, ends = np.concatenate([pairs.mean(1), solved]), np.concatenate([pairs[:, 0], triples[some, 0]])
    radii = np.hypot(*(ends - centres).T)
    farthest = np.hypot(*(points[:, None] - centres).transpose(2, 0, 1)).max(0)
    return radii[farthest <= radii * (1 + 1e-9)].min()


def width_of(points):
    """The smallest extent over the directions across its sides."""
    sides = np.roll(points, -1, 0) - points
    across = np.stack([-sides[:, 1], sides[:, 0]]) / np.hypot(*sides.T)
    extents = points @ across
    return (extents.max(0) - extents.min(0)).min()


@pytest.mark.parametrize("size", [(1, 1), (0.65, 0.65), (0.5, 0.7)])
def test_every_shape_of_400_objects_is_that_of_its_definition(size):
    labels = odd_objects.nuclei()
    found = measured(labels, size)
    kinds = {"holes": 0, "parts": 0, "border": 0, "single": 0}
    assert len(found) >= odd_objects.FEWEST
    for index, box in enumerate(ndimage.find_objects(labels)):
        mask = labels[box] == index + 1
        filled, parts = ndimage.binary_fill_holes(mask), ndimage.label(mask)[1]
        (across, down), (outer_across, outer_down) = edges(mask), edges(filled)
        area, length = mask.sum() * size[0] * size[1], across * size[1] + down * size[0]
        round_outer = outer_across * size[1] + outer_down * size[0]
        circularity = 4 * np.pi * filled.sum() * size[0] * size[1] / round_outer**2 if parts == 1 else np.nan
        corners, hull = hull_of(mask, size)
        wanted = [area, length, circularity, area / hull, 2 * circle_around(corners), width_of(corners)]
        np.testing.assert_allclose(found[index], wanted, rtol=1e-9)
        y, x = (side.start for side in box)
        kinds["holes"] += bool(filled.sum() > mask.sum())
        kinds["parts"] += parts > 1
        kinds["border"] += y == 0 or x == 0 or any(s.stop == n for s, n in zip(box, labels.shape, strict=True))
        kinds["single"] += mask.sum() == 1
    assert min(kinds.values()) >= 5


def test_a_square_and_a_pixel_have_the_shapes_that_one_computes_by_hand():
    labels = np.zeros((9, 9), np.int32)
    labels[1:5, 2:6], labels[8, 8] = 1, 2
    square, pixel = measured(labels, (0.5, 0.5))
    np.testing.assert_allclose(square, [4, 8, np.pi / 4, 1, 2 * 2**0.5, 2])
    np.testing.assert_allclose(pixel, [0.25, 2, np.pi / 4, 1, 0.5 * 2**0.5, 0.5])


def test_an_object_without_pixels_has_no_shapes():
    empty = rings.Rings(np.empty((0, 2), np.int32), *(np.zeros(size, np.int64) for size in (1, 1, 2)))
    assert np.isnan(shapes.measure(empty, np.zeros(1, np.int64), (1, 1))).all()
