"""What a network for deep watershed is shown, window by window, is what scikit-image makes of the whole slide."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage
from skimage import exposure, transform

import slides
from idrstream.base.failures import NotFinite
from idrstream.tissue import normalized, tiles


def levels(shape, seed=0, ground=0):
    """(Y, X) float32 of whole grey levels: blobs on a ramp, a third of it 0, and a few that are far brighter."""
    random = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(random.random(shape), 3) * 9000 + random.normal(0, 60, shape)
    image += np.linspace(0, 900, shape[1])
    image[random.random(shape) < 1 / 3] = 0
    bright = random.random(shape) < 0.0005
    image[bright] = random.uniform(20000, 60000, bright.sum())
    return image.clip(0, 65535).astype(np.uint16).astype(np.float32) + ground


def by_scikit_image(image, shape):
    """Mesmer's preprocessing of a whole plane, by its definition."""
    if shape != image.shape:
        how = {"order": 1, "mode": "constant", "preserve_range": True, "anti_aliasing": True}
        image = transform.resize(image, shape, **how)
    ceiling = np.percentile(image[image != 0].astype(np.float64), 99.9)
    image = np.minimum(image, np.float32(ceiling))
    image = exposure.rescale_intensity(image, out_range=(0.0, 1.0))
    return exposure.equalize_adapthist(image, kernel_size=128).astype(np.float32)


def by_windows(plane, size, shape, side, threads=1):
    look = normalized.Normalized([plane], size, shape, [normalized.measure(plane, size, shape, threads)])
    found = np.empty(shape, np.float32)
    for tile in tiles.grid(tiles.Box(0, shape[0], 0, shape[1]), side):
        found[tile.y0 : tile.y1, tile.x0 : tile.x1] = look(tile)[0]
    return found


@pytest.mark.parametrize("shape, side", [((1080, 1080), 512), ((3000, 777), 640)])
def test_a_slide_of_the_networks_pixel_size(shape, side):
    image = levels(shape)
    found = by_windows(slides.reading(image), shape, shape, side, threads=2)
    np.testing.assert_allclose(found, by_scikit_image(image, shape), rtol=0, atol=1e-6)
    assert found.min() == 0 and found.max() == 1


SCALES = ((1080, 1080), 0.65, 0), ((3000, 777), 0.5, 100), ((400, 500), 1.3, 100), ((700, 90), 1.0002, 0)


@pytest.mark.parametrize("size, scale, ground", SCALES)
def test_a_slide_of_another_pixel_size(size, scale, ground):
    image = levels(size, ground=ground)
    shape = normalized.resized_shape(size, (scale, scale))
    found = by_windows(slides.reading(image), size, shape, 300)
    np.testing.assert_allclose(found, by_scikit_image(image, shape), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape, scale", [((300, 411), 0.8), ((300, 411), 1), ((40, 1500), 1.6)])
def test_bits_do_not_depend_on_the_window(shape, scale):
    image = levels(shape, 2)
    to = normalized.resized_shape(shape, (scale, scale))
    wanted = by_windows(slides.reading(image), shape, to, 5000)
    for side in 57, 256:
        np.testing.assert_array_equal(by_windows(slides.reading(image), shape, to, side), wanted)


@pytest.mark.parametrize("scale", [(0.5, 0.5), (0.1, 0.1), (0.07, 1.4)])
def test_bits_do_not_depend_on_how_much_is_resized_at_once(scale, monkeypatch):
    size, asked = (900, 1100), []
    image = levels(size, 3)
    shape = normalized.resized_shape(size, scale)

    def plane(box):
        asked.append(max(box.shape))
        return slides.reading(image)(box)

    wanted = by_windows(plane, size, shape, 5000)
    assert max(asked) == 1100
    asked.clear()
    monkeypatch.setattr(normalized, "SOURCE", 250)
    np.testing.assert_array_equal(by_windows(plane, size, shape, 5000), wanted)
    assert max(asked[-9:]) <= 250  # parts of the last window, which is all; before, the slide itself is looked at


def test_memory_for_a_window_does_not_grow_with_the_finer_pixels_of_a_slide():
    window = tiles.Box(0, 400, 0, 400)

    def peak(size):
        image = normalized.Resized(lambda box: np.ones(box.shape, np.float32), (size, size), (4000, 4000), 0, 1)
        tracemalloc.start()
        try:
            image(window)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40000) < 1.1 * peak(20000)


def test_the_ceiling_is_numpys_percentile_of_what_is_not_zero():
    image = levels((500, 600), 5)
    found = normalized.measure(slides.reading(image), image.shape, image.shape)
    assert found.brightest == np.float32(np.percentile(image[image != 0].astype(np.float64), 99.9)) < image.max()


def test_negative_levels_are_stretched_from_the_lowest():
    image = levels((300, 300)) - 700
    found = by_windows(slides.reading(image), image.shape, image.shape, 128)
    np.testing.assert_allclose(found, by_scikit_image(image, image.shape), rtol=0, atol=1e-6)


@pytest.mark.parametrize("level", [0, 7])
def test_a_plane_of_one_level_becomes_zeros(level):
    image = np.full((200, 300), level, np.float32)
    found = [normalized.measure(slides.reading(image), image.shape, (100, 150))]
    look = normalized.Normalized([slides.reading(image)], image.shape, (100, 150), found)
    assert look.empty and not look(tiles.Box(0, 100, 0, 150)).any()


def test_pixels_that_are_no_numbers_are_refused():
    image = levels((200, 200))
    image[100, 100] = np.nan
    with pytest.raises(NotFinite):
        normalized.measure(slides.reading(image), image.shape, image.shape)
