"""A pixel belongs to the nearest nucleus within a distance, of equally near ones to that of the lowest label."""

import numpy as np
import pytest

import slides
from idrstream.tissue import expansion, tiles

SHAPE = 83, 71


def by_definition(nuclei, distance):
    """Each pixel compared with each pixel of each nucleus."""
    y, x = np.nonzero(nuclei)
    order = np.argsort(nuclei[y, x], kind="stable")
    y, x = y[order], x[order]
    labels, cells = nuclei[y, x], np.zeros_like(nuclei)
    for b, a in np.ndindex(nuclei.shape):
        squared = (y - b) ** 2 + (x - a) ** 2
        if len(y) and squared.min() <= distance**2:
            cells[b, a] = labels[squared.argmin()]  # the first of several
    return cells


@pytest.mark.parametrize("distance", [0, 1, 1.5, 3, 4.615, 12, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_cells_are_those_of_the_definition(distance, seed):
    nuclei = slides.crowded(SHAPE, 12, seed, (0.6, 6))
    np.testing.assert_array_equal(expansion.expand(nuclei, distance), by_definition(nuclei, distance))


def test_of_two_equally_near_nuclei_the_lower_label_wins_whichever_side_it_is_on():
    nuclei = np.zeros((1, 11), np.int32)
    nuclei[0, [0, 4, 8]] = 2, 1, 3
    assert expansion.expand(nuclei, 2)[0].tolist() == [2, 2, 1, 1, 1, 1, 1, 3, 3, 3, 3]
    np.testing.assert_array_equal(expansion.expand(nuclei.T.copy(), 2), expansion.expand(nuclei, 2).T)


@pytest.mark.parametrize("side", [7, 30, 64])
def test_cells_are_the_same_in_any_window_that_shows_their_surroundings(side, monkeypatch):
    nuclei, distance = slides.crowded((200, 230), 60, 3, (2, 9)), 6.5
    wanted = expansion.expand(nuclei, distance)
    monkeypatch.setattr(expansion, "ROWS", 20)
    for tile in tiles.grid(tiles.Box(0, 200, 0, 230), side):
        window = tile.grown(expansion.reach(distance), nuclei.shape)
        seen = expansion.expand(slides.reading(nuclei)(window).copy(), distance)
        np.testing.assert_array_equal(seen[tile.within(window)], slides.reading(wanted)(tile))


def test_without_nuclei_there_are_no_cells():
    assert not expansion.expand(np.zeros((5, 6), np.int32), 3).any()
    assert expansion.expand(np.zeros((0, 6), np.int32), 3).shape == (0, 6)
