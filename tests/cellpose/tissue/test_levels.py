"""The contrast of a slide is that of the whole plane, though it is read in pieces; and glass is where no nucleus is."""

import numpy as np
import pytest

import slides
from idrstream.base.failures import NotFinite
from idrstream.cells import contrast
from idrstream.tissue import levels, squares, tiles, view

SHAPE = 1300, 1111


def plane(dtype):
    """(Y, X) of noise with a few bright spots."""
    random = np.random.default_rng(1)
    pixels = random.normal(300, 20, SHAPE)
    pixels[random.random(SHAPE) < 0.004] += 4000 * random.random()
    if np.dtype(dtype).kind == "f":
        return (pixels - 310).astype(dtype)  # some below 0
    return pixels.clip(0, np.iinfo(dtype).max).round().astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "f2", "f4", "f8"])
def test_the_contrast_is_that_of_the_whole_plane(dtype):
    pixels = plane(dtype)
    found = levels.levels(slides.reading(pixels), SHAPE, pixels.dtype)
    whole = contrast.levels_of(pixels)
    assert [found.quantile(share) for share in (0, 0.01, 0.5, 0.999, 1)] == [
        whole.quantile(share) for share in (0, 0.01, 0.5, 0.999, 1)
    ]
    assert contrast.window(found) == contrast.window(whole)
    low, high = contrast.window(found)
    part = tiles.Box(100, 217, 5, 999)
    normal = contrast.normalize(pixels)[part.y0 : part.y1, part.x0 : part.x1]
    np.testing.assert_array_equal(contrast.scaled(slides.reading(pixels)(part), low, high), normal)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_is_told(value):
    pixels = plane("f4")
    pixels[1200, 1100] = value
    with pytest.raises(NotFinite):
        levels.levels(slides.reading(pixels), SHAPE, pixels.dtype)


def lone_cells(count=40, side=3000):
    """A slide of glass with COUNT nuclei of all brightnesses, far from each other, and their places."""
    random = np.random.default_rng(2)
    image = random.normal(200, 4, (side, side))
    places = random.integers(12, side - 12, (count, 2))
    y, x = np.mgrid[-10:11, -10:11]
    disc = np.hypot(y, x) < 8
    for (row, column), bright in zip(places, np.geomspace(300, 8000, count), strict=True):
        image[row - 10 : row + 11, column - 10 : column + 11] += bright * disc
    return image.round().astype(np.uint16), places


def test_no_nucleus_lies_on_what_is_taken_for_glass():
    image, places = lone_cells()
    seen = contrast.normalize(image)
    found = squares.without_glass(slides.reading(seen), image.shape, 16.0, 15)
    assert 0.1 < found.share < 0.95
    for row, column in places:
        assert found.mask(tiles.Box(row - 16, min(row + 17, 3000), max(column - 16, 0), min(column + 17, 3000))).all()


def test_hot_pixels_are_glass_and_squares_without_one_beside_them_too():
    seen = np.zeros((2000, 2100), np.float32)
    seen[100, 100:114] = 5  # fourteen pixels, one less than a nucleus
    assert not squares.without_glass(slides.reading(seen), seen.shape, 20, 15).wanted.any()
    seen[1000, 1000:1015] = 5
    found = squares.without_glass(slides.reading(seen), seen.shape, 20, 15)
    assert np.argwhere(found.wanted).tolist() == [[y, x] for y in (2, 3, 4) for x in (2, 3, 4)]
    assert np.argwhere(squares.without_glass(slides.reading(seen), seen.shape, 300, 15).wanted).min() == 1


def test_the_mask_of_a_box_is_its_part_of_the_squares():
    found = squares.Squares(np.random.default_rng(0).random((5, 6)) < 0.5)
    whole = np.kron(found.wanted, np.ones((squares.SIDE, squares.SIDE), bool))
    for box in tiles.Box(0, 1280, 0, 1536), tiles.Box(255, 257, 300, 900), tiles.Box(512, 768, 256, 512):
        np.testing.assert_array_equal(found.mask(box), whole[box.y0 : box.y1, box.x0 : box.x1])
        assert found.meet(box) == whole[box.y0 : box.y1, box.x0 : box.x1].any()


def test_of_several_channels_the_network_is_shown_the_brightest_each_at_its_own_contrast():
    one, two, even = plane("u2"), plane("f4")[::-1], np.full(SHAPE, 7, np.uint8)
    image = view.shown([(slides.reading(p), *contrast.window(contrast.levels_of(p))) for p in (one, two, even)])
    wanted = np.maximum(np.maximum(contrast.normalize(one), contrast.normalize(two)), 0)
    box = tiles.Box(17, 400, 100, 1100)
    np.testing.assert_array_equal(image(box), slides.reading(wanted)(box))
