"""The network for mitochondria that is shipped, and its card."""

import numpy as np
import pytest

import drawn_cell
from idrstream.volume import checkpoint, counts, network, prediction, scores
from idrstream.volume.box import Box
from repository import ROOT

FOLDER = ROOT / "assets/models/volume"


@pytest.fixture(scope="module")
def shipped():
    return checkpoint.read(FOLDER / "mito.pt")


def test_the_file_says_what_network_it_is_of(shipped):
    unet, assumed = checkpoint.fit(shipped)
    assert (unet.maps, unet.outputs, unet.factors) == (16, 2, ((2, 2, 2), (2, 2, 2)))
    assert unet.parameters == 354_130
    assert shipped.iteration == 420
    assert assumed == []


def test_the_card_is_that_of_the_files(shipped):
    card = (FOLDER / "README.md").read_text()
    earlier = checkpoint.read(FOLDER / "model_checkpoint_200")
    assert shipped.sha256 in card
    assert earlier.sha256 in card
    assert earlier.iteration == 200
    assert f"{(FOLDER / 'mito.pt').stat().st_size} bytes" in card


class Whole:
    """A raw volume in memory, as `prediction.predict` takes it."""

    def __init__(self, raw):
        self.raw, self.box = raw, Box((0, 0, 0), raw.shape)

    def read(self, box):
        return self.raw[box.within(self.box)]


def test_it_finds_the_mitochondria_of_a_cell_that_it_never_saw(shipped):
    cell = drawn_cell.draw((72, 80, 88), 2001, edge=True)
    unet, _ = checkpoint.fit(shipped)
    tile = prediction.tile(96, cell.raw.shape, unet)
    net = network.load(unet, shipped.weights, unet.given(tile))
    whole = Whole(cell.raw)
    ((_, probabilities),) = prediction.predict(whole, whole.box, tile, net, unet)
    truth = (cell.mitochondria > 0).astype(np.int16)
    found = counts.count(probabilities, truth, cell.sample, cell.sample)
    assert scores.half(scores.of(found[0, 0].tolist())).f1 > 0.8
