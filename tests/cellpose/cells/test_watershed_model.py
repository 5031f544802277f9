"""The network for deep watershed that is shipped: what its file states, what it finds, and what it was taught."""

import numpy as np
import openvino
import pytest
from scipy import ndimage
from skimage.measure import regionprops
from skimage.segmentation import find_boundaries

import watershed_model
from drawn_nuclei import CENTRES, draw_nuclei
from repository import ROOT
from scikit_mesmer import Network, preprocess

MODEL = ROOT / "assets/models/watershed/nuclei.onnx"


@pytest.fixture(scope="module")
def network():
    return Network(MODEL)


def overlap(truth, labels):
    """Share of either (IoU) for each nucleus of TRUTH and the label at its middle."""
    shares = []
    for number, (y, x) in enumerate(ndimage.center_of_mass(truth > 0, truth, range(1, truth.max() + 1)), 1):
        nucleus, found = truth == number, labels == labels[round(y), round(x)]
        shares.append((nucleus & found).sum() / (nucleus | found).sum())
    return shares


def test_the_file_states_its_heads_scale_and_diameter():
    model = openvino.Core().read_model(MODEL)
    stated = {name: model.get_rt_info(["framework", name]).astype(str) for name in ("heads", "pixel_size", "diameter")}
    assert stated == {"heads": "nuclei", "pixel_size": "0.5", "diameter": "20"}
    assert [node.get_any_name() for node in model.outputs] == ["inner_distance", "interior"]
    assert [str(side) for side in model.input(0).get_partial_shape()] == ["?", "1", "?", "?"]
    assert MODEL.stat().st_size < 1.5e6


@pytest.mark.parametrize("radius", [7, 11, 16])
def test_drawn_nuclei_are_found_at_their_diameter(network, radius):
    image, truth = draw_nuclei(CENTRES, radius)
    labels = network(image, 2 * radius)
    assert len(np.unique(labels)) - 1 == len(CENTRES)
    assert min(overlap(truth, labels)) > 0.7


def test_touching_nuclei_come_apart(network):
    image, truth = draw_nuclei([(60, 60), (60, 79), (79, 70), (130, 150), (130, 169)], 10)
    labels = network(image, 20)
    assert len(np.unique(labels)) - 1 == 5
    assert min(overlap(truth, labels)) > 0.6


def test_noise_has_no_nuclei(network):
    noise = np.random.default_rng(0).normal(300, 15, (300, 400)).round().astype(np.uint16)
    assert network(noise, 20).max() == 0


def test_a_tile_gives_the_same_alone_and_beside_others_and_answers_are_shares(network):
    pixels = np.stack([preprocess(draw_nuclei(CENTRES, radius)[0])[None] for radius in (8, 11, 14)])
    distance, interior = network.maps(pixels)
    assert distance.shape == interior.shape == pixels.shape
    for number, pixel in enumerate(pixels):
        alone = network.maps(pixel[None])
        np.testing.assert_allclose(alone[0][0], distance[number], atol=1e-5)
        np.testing.assert_allclose(alone[1][0], interior[number], atol=1e-5)
    assert min(distance.min(), interior.min()) >= 0 and max(distance.max(), interior.max()) <= 1


def test_it_was_taught_deepcells_inner_distance_and_interior():
    image, labels = draw_nuclei([(60, 60), (60, 79), (79, 70), (3, 150), (130, 169)], 10)
    field = watershed_model.read_field(image, labels)
    eroded = np.where(find_boundaries(field.labels, connectivity=1, mode="inner"), 0, field.labels)
    expected = np.zeros(eroded.shape)
    for nucleus in regionprops(eroded, ndimage.distance_transform_edt(eroded)):
        squared = ((nucleus.coords - nucleus.centroid_weighted) ** 2).sum(axis=1)
        expected[tuple(nucleus.coords.T)] = 1 / (1 + squared / np.sqrt(nucleus.area))
    distance, interior = watershed_model.targets(field.labels, field.centres, field.areas)
    np.testing.assert_allclose(distance, expected, atol=1e-6)
    np.testing.assert_array_equal(interior, eroded > 0)
