"""The grid of a slide: every pixel is in one tile, every tile in one group."""

import numpy as np
import pytest

from idrstream.tissue import tiles

SHAPES = (1, 1), (512, 512), (513, 511), (3333, 5000)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [97, 512, 4096])
def test_the_tiles_of_a_slide_cover_each_pixel_once(shape, side):
    covered = np.zeros(shape, np.uint8)
    for tile in tiles.grid(tiles.Box(0, shape[0], 0, shape[1]), side):
        covered[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
        assert tile.shape <= (side, side)
    assert (covered == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 4, 7, 30, 1000])
def test_every_tile_is_in_one_group_and_no_group_is_larger_than_asked_for(shape, count):
    groups = tiles.groups(shape, 512, count)
    assert sorted(tile for group in groups for tile in group) == tiles.grid(tiles.Box(0, shape[0], 0, shape[1]), 512)
    assert max(map(len, groups)) <= count


def test_a_group_is_a_block_not_a_row():
    group = tiles.groups((40_000, 40_000), 4096, 4)[0]
    assert [tile[::2] for tile in group] == [(0, 0), (0, 4096), (4096, 0), (4096, 4096)]


@pytest.mark.parametrize("box", [(0, 1, 0, 1), (511, 513, 0, 5), (100, 1000, 512, 1024), (0, 1200, 0, 1300)])
def test_the_tiles_that_meet_a_box_are_those_that_share_pixels_with_it(box):
    shape, box = (1200, 1300), tiles.Box(*box)
    every = tiles.grid(tiles.Box(0, shape[0], 0, shape[1]), 512)
    found = tiles.meeting(box, 512, shape)
    assert found == [tile for tile, met in zip(every, tiles.meet(np.array(every), box), strict=True) if met]
    assert sum(np.prod(tile.common(box).shape) for tile in found) == np.prod(box.shape)


def test_a_box_grows_as_far_as_the_slide_has_pixels():
    box = tiles.Box(100, 200, 0, 50)
    assert box.grown(30, (220, 60)) == (70, 220, 0, 60)
    assert box.grown(30, (220, 60)).holds(box) and not box.holds(box.grown(1, (220, 60)))
    pixels = np.arange(220 * 60).reshape(220, 60)
    around = box.grown(30, (220, 60))
    inner = pixels[around.y0 : around.y1, around.x0 : around.x1][box.within(around)]
    assert np.array_equal(inner, pixels[100:200, 0:50])
