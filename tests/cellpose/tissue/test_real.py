"""Real nuclei on a made slide: no pixel depends on the tiles, and the labels are those of `screen` and of cellpose."""

import importlib.util
from functools import partial

import numpy as np
import pytest
import torch

import slides
from cellpose import dynamics
from idrstream.base import graph
from idrstream.cells import contrast, cpnet, masks, segmentation
from idrstream.tissue import labelling, levels, prediction, tiles, view
from repository import MODEL
from support import DATA

MAKER = DATA / "tissue/make_slide.py"
SHAPE = 910, 1030
DIAMETER = 21.7  # pixels

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not MAKER.exists(), reason=f"no {MAKER} to make a slide with (set IDRSTREAM_DATA)"),
]


@pytest.fixture(scope="module")
def slide():
    """(Y, X) uint16 of the fields of real nuclei that no model was trained on."""
    spec = importlib.util.spec_from_file_location("make_slide", MAKER)
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker.Slide(DATA / "nuclei", SHAPE, split="val").window(0, 0, SHAPE[0], 0, SHAPE[1])


@pytest.fixture(scope="module")
def segmenter():
    return segmentation.Segmenter(MODEL, DIAMETER, device="cpu")


@pytest.fixture(scope="module")
def network(slide, segmenter):
    """The network's field of the slide, window by window, and steps that its pixels go."""
    read, checkpoint = slides.reading(slide), segmenter.checkpoint
    compute = graph.ready(partial(cpnet.cpnet, checkpoint.weights))
    scale = checkpoint.trained / DIAMETER
    seen = view.shown([(read, *contrast.window(levels.levels(read, SHAPE, slide.dtype)))])
    return prediction.Field(compute, checkpoint.widths[0], [seen], SHAPE, scale), segmentation.ROUNDS / scale


@pytest.fixture(scope="module")
def field(network):
    """(3, Y, X) of the whole slide."""
    return network[0](tiles.Box(0, SHAPE[0], 0, SHAPE[1]))


@pytest.mark.parametrize("side", [512, 300])
def test_the_networks_field_has_the_same_bits_in_any_tile(network, field, side):
    for tile in tiles.grid(tiles.Box(0, SHAPE[0], 0, SHAPE[1]), side):
        window = tile.grown(labelling.FOLLOWING, SHAPE)
        np.testing.assert_array_equal(network[0](window), slides.reading(field)(window))


@pytest.mark.parametrize("side, group", [(4096, 1), (1024, 1), (512, 7), (97, 7)])
def test_the_labels_are_those_of_screen_whatever_the_tiles(slide, segmenter, network, field, side, group, tmp_path):
    wanted, _ = segmenter.segment(slide)
    found, numbers = slides.tiled(tmp_path, slides.reading(field), SHAPE, side, group, network[1])
    assert wanted.max() > 100
    np.testing.assert_array_equal(found, wanted)
    assert numbers.uncertified == 0


def test_the_labels_are_those_that_cellpose_makes_of_the_same_flows(network, field, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "argsort", lambda sizes: torch.sort(sizes, stable=True).indices)
    rounds = int(network[1])
    wanted = dynamics.compute_masks(field[:2].copy(), field[2], niter=rounds, min_size=15, max_size_fraction=1.0)
    found, _ = slides.tiled(tmp_path, slides.reading(field), SHAPE, 512, 7, network[1])
    np.testing.assert_array_equal(found, masks.in_order(wanted))
