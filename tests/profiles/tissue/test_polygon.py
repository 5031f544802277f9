"""Polygons of a region: which points they hold, and which rings cross, as shapely has it."""

import numpy as np
import pytest
import shapely

from idrstream.tissue import polygon


def star(random, y, x, corners, radii):
    """A ring around a place, as jagged as RADII, (smallest, largest)."""
    angles = (np.arange(corners) + random.uniform(0, 0.9, corners)) * 2 * np.pi / corners
    far = random.uniform(*radii, corners)
    return np.stack([y + far * np.sin(angles), x + far * np.cos(angles)], 1)


def shape(rings):
    """Of rings as shapely has them, x first: what lies within an odd number."""
    parts = [shapely.Polygon(ring[:, ::-1]) for ring in rings]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.symmetric_difference(part)
    return whole


@pytest.mark.parametrize("seed", range(5))
def test_points_inside_are_those_that_shapely_finds(seed):
    random = np.random.default_rng(seed)
    rings = [star(random, 50, 60, 40, (30, 50)), star(random, 50, 60, 12, (5, 25)), star(random, 150, 60, 9, (5, 20))]
    y, x = random.uniform(0, 180, (2, 20_000))
    found = polygon.holds(rings, y, x)
    assert 2_000 < found.sum() < 18_000
    np.testing.assert_array_equal(found, shapely.contains_xy(shape(rings), x, y))


def test_of_polygons_with_a_common_edge_each_point_is_in_one():
    left, right = [[0, 0], [0, 10], [10, 10], [10, 0]], [[0, 10], [0, 20], [10, 20], [10, 10]]
    y, x = (grid.ravel().astype(float) for grid in np.mgrid[0:10, 0:20])
    both = polygon.holds([left], y, x).astype(int) + polygon.holds([right], y, x)
    assert (both == 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_rings_that_cross_are_those_that_shapely_calls_invalid(seed):
    random = np.random.default_rng(seed)
    ring = star(random, 0, 0, 12, (10, 30))
    if seed % 2:
        first, second = random.choice(12, 2, replace=False)
        ring[[first, second]] = ring[[second, first]]
    place = polygon.crossing([ring])
    assert (place is None) == shapely.Polygon(ring[:, ::-1]).is_valid
    if place:
        assert shapely.LinearRing(ring[:, ::-1]).distance(shapely.Point(place[::-1])) < 1e-9


def test_two_rings_cross_and_rings_that_touch_do_not():
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]])
    assert polygon.crossing([square, square + 5]) in ((5, 10), (10, 5))
    assert polygon.crossing([square, square + np.array([0, 10])]) is None  # a common edge
    assert polygon.crossing([square, square + 10]) is None  # a common corner


@pytest.mark.parametrize("seed", range(20))
def test_a_point_within_is_within(seed):
    random = np.random.default_rng(seed)
    rings = [star(random, 50, 60, 30, (30, 50)), star(random, 50, 60, 12, (5, 25))]
    y, x = polygon.within(rings)
    assert shapely.contains_xy(shape(rings), x, y).all()
