"""What the network sees of a slide has the same bits whatever is asked for at once, and is what `screen` sees."""

from functools import partial

import cv2
import numpy as np
import pytest

import slides
from cellpose import transforms
from drawn_nuclei import draw_nuclei
from idrstream.base import graph
from idrstream.cells import contrast, cpnet, resampling, segmentation
from idrstream.cells import tiles as network_tiles
from idrstream.tissue import prediction, squares, tiles
from repository import MODEL


def stand_in(given):
    """A network whose answer depends on where its tile lies: on all of it, not on what is near a pixel only."""
    image = given[:, 0]
    down, across = np.gradient(image, axis=(1, 2))
    far = image.mean((1, 2), keepdims=True)
    return np.stack([down + far, across - far, image * (1 + far)], axis=1).astype(np.float32)


def whole(shape):
    return tiles.Box(0, shape[0], 0, shape[1])


SIZES = (
    ((300, 400), (221, 295)),
    ((211, 195), (300, 401)),
    ((1100, 1000), (811, 737)),
    ((50, 60), (50, 60)),
    ((9, 300), (2, 70)),
)


@pytest.mark.parametrize("size, to", SIZES)
def test_samples_are_those_of_opencv(size, to):
    image = np.random.default_rng(0).normal(size=size).astype(np.float32)
    found = resampling.resized(image, (0, 0), size, to, whole(to))
    wanted = cv2.resize(image, to[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    differing = np.flatnonzero((found != wanted).any(axis=0))
    assert len(differing) < 8 and (differing >= to[1] - 8).all()


@pytest.mark.parametrize("size, to", SIZES)
def test_a_window_of_samples_needs_no_more_than_it_says(size, to):
    image = np.random.default_rng(0).normal(size=size).astype(np.float32)
    all_of_it = resampling.resized(image, (0, 0), size, to, whole(to))
    for box in tiles.grid(whole(to), 37):
        y0, y1, x0, x1 = resampling.needed(size, to, box)
        found = resampling.resized(image[y0:y1, x0:x1], (y0, x0), size, to, box)
        np.testing.assert_array_equal(found, all_of_it[box.y0 : box.y1, box.x0 : box.x1])


@pytest.mark.parametrize("shape, scale", [((517, 390), 0.737), ((300, 411), 1.6), ((40, 900), 1.0), ((150, 170), 0.9)])
def test_bits_do_not_depend_on_the_window(shape, scale):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    field = prediction.Field(stand_in, 2, [slides.reading(image)], shape, scale)
    wanted = field(whole(shape))
    assert np.abs(wanted).max() > 0.5
    for side in 64, 130, 256:
        for tile in tiles.grid(whole(shape), side):
            window = tile.grown(9, shape)
            np.testing.assert_array_equal(field(window), wanted[:, window.y0 : window.y1, window.x0 : window.x1])


def test_a_network_of_cells_is_shown_cytoplasm_and_nuclei_in_the_order_of_cellpose():
    """Each plane as if it were alone; cellpose takes the channel of the cytoplasm first, then that of the nuclei."""
    nuclear, membrane = np.random.default_rng(0).random((2, 300, 411)).astype(np.float32)
    by_cellpose = transforms.reshape(np.stack([nuclear, membrane], -1), channels=[2, 1])
    planes = [slides.reading(image) for image in (membrane, nuclear)]
    echo = lambda given: np.concatenate([given, given[:, :1]], axis=1)  # noqa: E731
    found = prediction.Field(echo, 2, planes, nuclear.shape, 1.0)(whole(nuclear.shape))
    for place in 0, 1:
        (alone, _, _) = prediction.Field(echo, 2, [planes[place]], nuclear.shape, 1.0)(whole(nuclear.shape))
        np.testing.assert_array_equal(found[place], alone)
        np.testing.assert_allclose(found[place], by_cellpose[..., place], rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [16, 224, 225, 240, 512, 1000, 4112, 26160])
def test_the_networks_tiles_lie_as_cellpose_lays_them(length):
    _, rows, _, _, _ = transforms.make_tiles(np.zeros((1, length, 1), np.float32), bsize=network_tiles.SIDE)
    assert network_tiles.starts(length).tolist() == [first for first, _ in rows]


@pytest.mark.parametrize("shape", [(1300, 1500), (1290, 1290), (1400, 1310)])
def test_where_nuclei_are_looked_for_bits_do_not_depend_on_what_is_left_out(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    field = prediction.Field(stand_in, 1, [slides.reading(image)], shape, 0.8)
    wanted = field(whole(shape))
    some = np.zeros((6, 6), bool)
    some[0, 5] = some[2, 1:3] = True
    some = squares.Squares(some)
    part = prediction.Field(stand_in, 1, [slides.reading(image)], shape, 0.8, squares=some)
    found, inside = part(whole(shape)), some.mask(whole(shape))
    np.testing.assert_array_equal(found[:, inside], wanted[:, inside])
    assert (found[2, ~inside] == -np.inf).all() and not found[:2, ~inside].any()
    assert 0 < part.tiles < field.tiles / 2
    for tile in tiles.grid(whole(shape), 400):
        np.testing.assert_array_equal(part(tile), found[:, tile.y0 : tile.y1, tile.x0 : tile.x1])


@pytest.fixture(scope="module")
def drawn():
    """A frame of drawn nuclei, what `screen` makes of it, and the field of its network, window by window."""
    random = np.random.default_rng(3)
    image, _ = draw_nuclei(random.uniform((10, 10), (410, 510), (40, 2)), shape=(420, 521))
    segmenter = segmentation.Segmenter(MODEL, diameter=22.0, device="cpu")
    checkpoint = segmenter.checkpoint
    network, scale = graph.ready(partial(cpnet.cpnet, checkpoint.weights)), checkpoint.trained / 22.0
    seen = slides.reading(contrast.normalize(image))
    field = prediction.Field(network, checkpoint.widths[0], [seen], image.shape, scale)
    return image, segmenter, field, segmentation.ROUNDS / scale


def test_the_network_sees_what_screen_shows_it(drawn):
    image, segmenter, field, _ = drawn
    flows, probability, _ = segmenter.predict(image)
    found = field(whole(image.shape))
    np.testing.assert_allclose(found, np.stack([*flows, probability]), rtol=0, atol=2e-4)


def test_the_labels_of_a_slide_are_those_of_screen(drawn, tmp_path):
    image, segmenter, field, rounds = drawn
    wanted, _ = segmenter.segment(image)
    found, numbers = slides.tiled(tmp_path, field, image.shape, 128, 7, rounds)
    assert wanted.max() > 20
    np.testing.assert_array_equal(found, wanted)
    assert numbers.uncertified == 0
