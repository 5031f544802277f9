"""Statistics of compartments are those of scipy and numpy on the whole image, however a channel is read."""

import numpy as np
import pytest
from scipy import ndimage

import odd_objects
from idrstream.tissue import expansion, pixels, statistics, tiles

WHOLE = tiles.Box(0, odd_objects.SHAPE[0], 0, odd_objects.SHAPE[1])
TYPES = ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
SPANS = list(pixels.SPANS.values())


def plane(dtype, seed=0):
    """(Y, X) of a channel, most of its pixels dark; of floats also below 0."""
    levels = np.random.default_rng(seed).gamma(0.6, 60, odd_objects.SHAPE)
    levels = levels * 1000.3 - 70 if np.dtype(dtype).kind == "f" else np.minimum(levels, 255)
    return levels.astype(dtype)


@pytest.fixture(scope="module")
def objects():
    """(nuclei, cells), label images; some nuclei lie in cells of others, or in none."""
    nuclei = odd_objects.nuclei()
    return nuclei, odd_objects.cells(nuclei)


@pytest.fixture(scope="module")
def listed(objects):
    count = int(objects[0].max())
    return pixels.runs(*objects, np.arange(-1, count, dtype=np.int32), count)


def measured(channel, listed, windows=(WHOLE,)):
    """(n, compartments, statistics) of a channel that is read in WINDOWS."""
    kind = statistics.kind(channel.dtype)
    values = np.empty(listed.size, kind)
    for box in windows:
        pixels.gather(channel[box.y0 : box.y1, box.x0 : box.x1].astype(kind), (box.y0, box.x0), listed, values)
    return statistics.measure(values, listed.begins, SPANS)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_statistic_of_every_compartment_is_numpys(dtype, objects, listed):
    channel = plane(dtype)
    found = measured(channel, listed)
    assert len(found) >= odd_objects.FEWEST
    for index in range(len(found)):
        for place, mask in enumerate(odd_objects.masks(*objects, index + 1).values()):
            levels = channel[mask].astype(np.float64)
            if not levels.size:
                assert np.isnan(found[index, place]).all()
                continue
            spread = levels.var(ddof=1) if levels.size > 1 else 0
            assert found[index, place, 1:4].tolist() == [np.median(levels), levels.min(), levels.max()]
            wanted = [levels.mean(), np.sqrt(spread), spread]
            np.testing.assert_allclose(found[index, place, [0, 4, 5]], wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_nuclei_are_measured_as_scipy_measures_them(dtype, objects, listed):
    channel, nuclei = plane(dtype, 1).astype(np.float64), objects[0]
    labels = np.arange(1, nuclei.max() + 1)
    found = measured(plane(dtype, 1), listed)[:, 0]
    functions = ndimage.mean, ndimage.median, ndimage.minimum, ndimage.maximum
    for place, function in enumerate(functions):
        np.testing.assert_allclose(found[:, place], function(channel, nuclei, labels), rtol=1e-12 if place == 0 else 0)
    size = ndimage.sum_labels(np.ones_like(channel), nuclei, labels)
    several = size > 1
    wanted = (ndimage.standard_deviation(channel, nuclei, labels) * np.sqrt(size / np.maximum(size - 1, 1)))[several]
    np.testing.assert_allclose(found[several, 4], wanted, rtol=1e-12, atol=1e-12)
    assert (found[~several, 4:] == 0).all() and (~several).any()


@pytest.mark.parametrize("side", [1000, 128, 50])
def test_windows_of_a_channel_may_be_cut_anywhere_and_come_in_any_order(side, listed):
    channel, windows = plane("float32"), tiles.grid(WHOLE, side)
    np.testing.assert_array_equal(measured(channel, listed, windows[::-1]), measured(channel, listed))


def test_an_object_does_not_depend_on_what_else_is_measured(objects, listed):
    """A few of them, in a window of their own: the same bits."""
    channel, wanted = plane("float32"), measured(plane("float32"), listed)
    for label in range(1, len(wanted) + 1, 23):
        places = np.full(len(wanted) + 1, -1, np.int32)
        places[label] = 0
        alone = pixels.runs(*objects, places, 1)
        np.testing.assert_array_equal(measured(channel, alone)[0], wanted[label - 1])


def test_values_that_nearly_agree_and_values_far_apart_have_their_median_and_spread():
    random = np.random.default_rng(0)
    near = 1e9 + random.normal(0, 1e-3, 401)
    far = np.concatenate([random.normal(0, 1, 300), [1e30, -1e30]])
    extreme = np.concatenate([np.linspace(0, 1, 99), [np.finfo(np.float64).max, np.finfo(np.float64).min]])
    tiny = np.arange(101) * 5e-324
    for values in near, far, extreme, tiny, np.full(77, 3.5):
        found = statistics.measure(values, np.array([[0, len(values)]]), [(0, 1)])[0, 0]
        assert found[1:4].tolist() == [np.median(values), values.min(), values.max()]
    found = statistics.measure(near, np.array([[0, len(near)]]), [(0, 1)])[0, 0]
    np.testing.assert_allclose(found[4], near.std(ddof=1), rtol=1e-9)


def test_a_compartment_with_a_pixel_that_is_missing_is_not_measured():
    values = np.array([1, 2, np.nan, 4, 5], np.float32)
    found = statistics.measure(values, np.array([[0, 2, 5]]), [(0, 1), (1, 2), (0, 2)])[0]
    assert found[0].tolist() == [1.5, 1.5, 1, 2, 0.5**0.5, 0.5] and np.isnan(found[1:]).all()


@pytest.mark.parametrize("distance", [1, 4.6])
def test_the_pixels_of_expanded_cells_are_those_of_the_definitions(distance, objects):
    """Each compartment as the places of its pixels: a channel in which no level comes twice."""
    nuclei, count = objects[0], int(objects[0].max())
    cells = expansion.expand(nuclei, distance)
    found = pixels.runs(nuclei, cells, np.arange(-1, count, dtype=np.int32), count)
    numbers, values = np.arange(nuclei.size, dtype=np.float64).reshape(nuclei.shape), np.empty(found.size)
    pixels.gather(numbers, (0, 0), found, values)
    for index in range(count):
        for (first, last), mask in zip(SPANS, odd_objects.masks(nuclei, cells, index + 1).values(), strict=True):
            seen = values[found.begins[index, first] : found.begins[index, last]]
            np.testing.assert_array_equal(np.sort(seen), numbers[mask])


def test_facts_of_objects_are_those_of_their_pixels(objects):
    nuclei, count = objects[0], int(objects[0].max())
    found = pixels.facts(nuclei, np.arange(-1, count, dtype=np.int32), count)
    for index, (down, across) in enumerate(ndimage.find_objects(nuclei)):
        y, x = np.nonzero(nuclei == index + 1)
        assert found.boxes[index].tolist() == [down.start, down.stop, across.start, across.stop]
        assert (found.pixels[index], *found.sums[index]) == (len(y), y.sum(), x.sum())
