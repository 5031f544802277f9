"""The artificial cells of the demo."""

import numpy as np
import pytest
from scipy import ndimage

import drawn_cell
from idrstream.volume import counts, scores
from idrstream.volume.box import Box

SHAPE = (88, 96, 104)


@pytest.fixture(scope="module")
def cell():
    return drawn_cell.draw(SHAPE, 7, edge=True)


def smooth(cell):
    return ndimage.gaussian_filter(cell.raw.astype(np.float32), 2)


def test_a_seed_always_gives_the_same_cell(cell):
    again, other = (drawn_cell.draw((40, 50, 60), seed) for seed in (3, 4))
    assert all(np.array_equal(*pair) for pair in zip(drawn_cell.draw((40, 50, 60), 3), again, strict=True))
    assert not np.array_equal(again.raw, other.raw)
    assert [array.dtype for array in again] == [np.uint8, np.uint32, bool, bool]


def test_a_fair_share_of_the_cell_are_mitochondria_and_lysosomes(cell):
    assert 0.05 < (cell.mitochondria > 0).mean() < 0.25
    assert 0.02 < cell.lysosomes.mean() < 0.25


def test_mitochondria_are_apart_and_in_one_piece(cell):
    nearly = ndimage.binary_dilation(cell.mitochondria > 0)
    found, count = ndimage.label(nearly, np.ones((3, 3, 3)))
    assert count == cell.mitochondria.max() > 3
    pairs = np.unique(np.stack([found, cell.mitochondria])[:, cell.mitochondria > 0], axis=1)
    assert pairs.shape == (2, count)


def test_lysosomes_are_no_mitochondria_but_as_dark(cell):
    assert not cell.mitochondria[cell.lysosomes].any()
    mitochondria, lysosomes = (smooth(cell)[where].mean() for where in (cell.mitochondria > 0, cell.lysosomes))
    rest = smooth(cell)[cell.sample & ~cell.lysosomes & (cell.mitochondria == 0)].mean()
    assert lysosomes < mitochondria + 5 < rest - 20


def test_no_threshold_on_grey_levels_tells_them_apart(cell):
    dark = 255 - np.rint(smooth(cell)).astype(np.uint8)
    truth = (cell.mitochondria > 0).astype(np.int16)
    found = counts.count(dark[None], truth, cell.sample, cell.sample)
    assert scores.best(scores.of(found[0, 0].tolist())).f1 < 0.9


def test_resin_is_bright_and_holds_no_organelle(cell):
    assert 0.02 < (~cell.sample).mean() < 0.3
    assert smooth(cell)[~cell.sample].mean() > smooth(cell)[cell.sample].mean() + 20
    assert not cell.mitochondria[~cell.sample].any()
    assert not cell.lysosomes[~cell.sample].any()
    assert drawn_cell.draw((40, 40, 40), 3).sample.all()


def test_another_microscope_shows_the_same_cell_with_less_contrast(cell):
    other = drawn_cell.draw(SHAPE, 7, drawn_cell.OTHER, edge=True)
    assert np.array_equal(other.mitochondria, cell.mitochondria)
    assert smooth(other).std() < 0.8 * smooth(cell).std()


@pytest.mark.parametrize("begin", [(0, 0, 0), (-7, 3, 40), (100, -100, 1)])
def test_a_mirrored_volume_goes_on_without_a_step(begin):
    array = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    endless = np.pad(array, [(120, 240)] * 3, "symmetric")
    box = Box(begin, (11, 13, 17))
    expected = endless[box.within(Box((-120, -120, -120), endless.shape))]
    assert np.array_equal(drawn_cell.mirrored(array, box), expected)
