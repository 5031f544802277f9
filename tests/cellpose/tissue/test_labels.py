"""Whatever the tiles, the nuclei of a slide are those that it has in one piece: not a pixel depends on the tiling."""

import numpy as np
import pytest
from scipy import ndimage

import slides
from idrstream.base import failures
from idrstream.cells import masks
from idrstream.tissue import arrays, foreground, labelling, numbering, objects, tiles

ROUNDS = 250
SHAPE = 421, 389


def tiled(folder, field, *how, **more):
    return slides.tiled(folder, slides.reading(field), field.shape[1:], *how, **more)


def look_at_first(monkeypatch, following, finishing, near=512):
    """Have tiles look at so many pixels around them."""
    monkeypatch.setattr(labelling, "FOLLOWING", following)
    monkeypatch.setattr(labelling, "NEAR", near)
    monkeypatch.setattr(labelling, "FINISHING", finishing)


@pytest.fixture(scope="module")
def field():
    return slides.field_of(slides.crowded(SHAPE, 260))


@pytest.fixture(scope="module")
def wanted(field):
    return slides.whole(field, ROUNDS)


@pytest.mark.parametrize("side, group", [(421, 1), (256, 7), (128, 1), (128, 7), (97, 7), (40, 7)])
def test_no_pixel_depends_on_the_tiles(field, wanted, side, group, tmp_path):
    labels, numbers = tiled(tmp_path, field, side, group, ROUNDS)
    assert wanted.max() > 100
    np.testing.assert_array_equal(labels, wanted)
    assert numbers.uncertified == 0


@pytest.mark.parametrize("side", [421, 97])
def test_what_is_told_of_each_nucleus_is_what_the_label_image_shows(field, wanted, side, tmp_path):
    tiled(tmp_path, field, side, 7, ROUNDS)
    found = arrays.read(tmp_path / objects.FILE, objects.Objects)
    assert found.labels.dtype == np.uint32 and found.labels.tolist() == list(range(1, wanted.max() + 1))
    _, first, pixels = np.unique(wanted, return_index=True, return_counts=True)
    np.testing.assert_array_equal(found.first, first[1:])
    np.testing.assert_array_equal(found.pixels, pixels[1:])
    for (y0, y1, x0, x1), label, size in zip(found.boxes, found.labels, found.pixels, strict=True):
        assert (wanted[y0:y1, x0:x1] == label).sum() == size


@pytest.mark.parametrize("halos", [(1, 0), (1, 0, 16), (200, 7), (3, 500)])
def test_no_pixel_depends_on_how_far_a_tile_looks_at_first(field, wanted, halos, tmp_path, monkeypatch):
    look_at_first(monkeypatch, *halos)
    labels, numbers = tiled(tmp_path, field, 97, 7, ROUNDS)
    np.testing.assert_array_equal(labels, wanted)
    assert (numbers.alone > 0) == (halos[1] < 50)


@pytest.mark.parametrize("limits", [(0.0, 1), (0.1, 15), (0.4, 60)])
def test_no_pixel_depends_on_the_tiles_whatever_the_limits(field, limits, tmp_path):
    flow_threshold, smallest = limits
    labels, _ = tiled(tmp_path, field, 97, 7, ROUNDS, masks.Limits(flow_threshold, smallest))
    whole = slides.whole(field, ROUNDS, flow_threshold=flow_threshold, smallest=smallest)
    np.testing.assert_array_equal(labels, whole)


def test_no_pixel_depends_on_the_tiles_where_flows_are_noise(tmp_path, monkeypatch):
    """Pixels go far, nuclei lie in many pieces, in and around each other."""
    random = np.random.default_rng(4)
    field = np.stack([ndimage.gaussian_filter(random.normal(0, 40, (200, 230)), 4) for _ in range(3)])
    field = np.float32([3, 3, 1])[:, None, None] * field.astype(np.float32)
    limits = masks.Limits(0.0, 15)
    whole = slides.whole(field, ROUNDS, flow_threshold=0.0)
    assert whole.max() > 20
    look_at_first(monkeypatch, 5, 5)
    for side in 64, 37:
        labels, numbers = tiled(tmp_path / str(side), field, side, 7, ROUNDS, limits)
        np.testing.assert_array_equal(labels, whole)
        assert numbers.alone > 0 and numbers.uncertified == 0


def ring(folder, side=40):
    """A nucleus of one pixel's width around many tiles, on a slide of (200, 210): its nuclei and its foreground."""
    shape = 200, 210
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = np.nonzero(abs(np.hypot(y - 100, x - 100) - 90) < 1)
    rest = np.full(len(y), 100 * shape[1] + 100)
    for tile in tiles.grid(tiles.Box(0, shape[0], 0, shape[1]), side):
        here = (y >= tile.y0) & (y < tile.y1) & (x >= tile.x0) & (x < tile.x1)
        foreground.write(folder, tile, y[here], x[here], np.zeros((2, here.sum()), np.float32), rest[here])
    return masks.seeds(masks.sinks(rest, y, x), shape), foreground.Foreground([folder], shape, side)


def test_a_tile_that_sees_no_pixel_of_a_nucleus_is_part_of_it_where_the_nucleus_encloses_it(tmp_path):
    nuclei, store = ring(tmp_path)
    labels, part = labelling.label(store, tiles.Box(80, 120, 80, 120), nuclei, masks.Limits(0.0, 15))
    assert (labels == 1).all() and part.alone.tolist() == [1] and part.uncertified.tolist() == []


def test_a_nucleus_of_which_pixels_are_missing_is_told_and_not_judged(tmp_path):
    nuclei, store = ring(tmp_path)
    nuclei.sizes[1] += 1
    labels, part = labelling.label(store, tiles.Box(80, 120, 80, 120), nuclei, masks.Limits(0.0, 15))
    assert part.uncertified.tolist() == [1] and not labels.any()


def test_nuclei_are_numbered_by_their_first_pixels_and_small_ones_go_whatever_the_order_of_the_tiles():
    one = labelling.Part(np.array([1, 2, 4]), np.array([95, 100, 7]), np.array([30, 9, 14]), (), ())
    two = labelling.Part(np.array([2, 3]), np.array([90, 20]), np.array([9, 40]), (), ())
    for parts in [one, two], [two, one]:
        assert numbering.table(*numbering.facts(5, parts), smallest=15).tolist() == [0, 3, 2, 1, 0, 0]


def test_a_window_of_the_foreground_is_its_pixels_and_no_others(tmp_path):
    random = np.random.default_rng(0)
    shape, side = (700, 900), 600
    inside = random.random(shape) < 0.5
    y, x = np.nonzero(inside)
    flows, rest = random.normal(size=(2, *shape)).astype(np.float32), random.integers(0, 630_000, shape)
    for number, tile in enumerate(tiles.grid(tiles.Box(0, 700, 0, 900), side)):
        here = np.flatnonzero((y >= tile.y0) & (y < tile.y1) & (x >= tile.x0) & (x < tile.x1))
        random.shuffle(here)
        pixels = y[here], x[here]
        foreground.write(tmp_path / str(number % 2), tile, *pixels, flows[:, *pixels], rest[pixels])
    store = foreground.Foreground([tmp_path / "0", tmp_path / "1"], shape, side)
    for box in (
        tiles.Box(0, 700, 0, 900),
        tiles.Box(255, 257, 590, 899),
        tiles.Box(599, 601, 599, 601),
        tiles.Box(5, 6, 7, 8),
    ):
        found = store.window(box)
        order = np.lexsort(found[1::-1])
        wanted = np.nonzero(inside[box.y0 : box.y1, box.x0 : box.x1])
        wanted = wanted[0] + box.y0, wanted[1] + box.x0
        for axis in 0, 1:
            np.testing.assert_array_equal(found[axis][order], wanted[axis])
        np.testing.assert_array_equal(found[2][:, order], flows[:, *wanted])
        np.testing.assert_array_equal(found[3][order], rest[wanted])


def test_flows_that_are_no_numbers_end_in_a_sentence(field):
    broken = field.copy()
    broken[0, 100:110, 100:110] = np.nan
    broken[2, 100:110, 100:110] = 2
    with pytest.raises(failures.NotFinite, match="rows 97-194, columns 97-194"):
        labelling.follow(slides.reading(broken), tiles.Box(97, 194, 97, 194), SHAPE, 9)
