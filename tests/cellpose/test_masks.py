"""The masks are cellpose's own, pixel by pixel, and cost less."""

import time

import numpy as np
import pytest
import torch
from scipy import ndimage
from test_nuclei import draw_nuclei

from cellpose import core, dynamics, metrics, transforms
from idrstream.base import networks
from idrstream.cells import contrast, masks
from idrstream.cells import segmentation as sg

ROUNDS = 250
LARGEST = 0.4  # of an image, in cellpose


@pytest.fixture(scope="module")
def fields():
    """Flows and logits of 60 crowded discs, as a network would give them: noisy, and some of them wrong."""
    random = np.random.default_rng(1)
    labels = np.zeros((256, 320), np.int32)
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    for number, (cy, cx) in enumerate(random.uniform((0, 0), labels.shape, (60, 2)), 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 < random.uniform(3, 14) ** 2] = number
    labels = masks.in_order(labels).astype(np.int32)
    flows = masks.STEP * dynamics.masks_to_flows(labels) + random.normal(0, 0.7, (2, *labels.shape))
    for number in (5, 20, 40):
        flows[:, labels == number] *= -0.6  # away from the middle
    return flows.astype(np.float32), np.where(labels > 0, 2, -2).astype(np.float32), labels


def cellposes(flows, probability, **limits):
    return dynamics.compute_masks(flows.copy(), probability, niter=ROUNDS, **limits)


@pytest.mark.parametrize("limits", [(0.4, 15), (0.4, 1), (0.0, 15), (0.1, 15)])
def test_the_masks_are_those_of_cellpose(fields, limits, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "argsort", lambda sizes: torch.sort(sizes, stable=True).indices)
    flows, probability, _ = fields
    flow_threshold, smallest = limits
    found, _ = masks.from_flows(flows, probability, ROUNDS, 0.0, flow_threshold, smallest, LARGEST)
    wanted = cellposes(flows, probability, flow_threshold=flow_threshold, min_size=smallest)
    assert wanted.max() > 20
    np.testing.assert_array_equal(masks.in_order(found), masks.in_order(wanted))


def test_pixels_rest_where_cellposes_do_on_any_field():
    random = np.random.default_rng(2)
    flows = ndimage.gaussian_filter(random.normal(0, 8, (2, 90, 110)), (0, 2, 2)).astype(np.float32)
    y, x = np.nonzero(np.ones(flows.shape[1:]))
    found = masks._followed(flows, y.astype(np.float32), x.astype(np.float32), ROUNDS)
    wanted = dynamics.steps_interp(flows, (y, x), ROUNDS)
    np.testing.assert_array_equal(found, wanted)
    later = dynamics.steps_interp(flows, (y, x), ROUNDS + 1)
    assert (later != wanted).any()  # some of them never come to rest, and the number of steps matters


def test_the_errors_of_flows_are_those_of_cellpose(fields):
    flows, _, labels = fields
    wanted, _ = metrics.flow_error(labels, flows, torch.device("cpu"))
    np.testing.assert_allclose(masks.flow_errors(labels, flows), wanted, rtol=1e-6)


def test_only_masks_that_are_too_small_go():
    labels = np.zeros((40, 80), np.int32)
    for number, column in enumerate(range(0, 80, 16), 1):
        labels[4:14, column : column + 10] = number
    labels[labels == 2] = 0  # as if its flows were wrong
    labels[30:32, 4:6] = 6  # four pixels
    found = masks.in_order(masks._whole(labels.copy(), 15))
    assert found.max() == 4
    labels[6:9, 2:5] = 0
    assert (masks._whole(labels.copy(), 15)[6:9, 2:5] == 1).all()  # holes are filled


@pytest.mark.parametrize("side, largest, kept", [(19, 0.4, True), (19, 0.2, False), (29, 0.4, False), (29, 1.0, True)])
def test_a_mask_that_takes_more_of_the_image_than_it_may_is_dropped_and_counted(side, largest, kept):
    labels = np.zeros((30, 40), np.int32)
    labels[:side, :side] = 1  # 30 % of the image, or 70 %
    flows = (masks.STEP * dynamics.masks_to_flows(labels)).astype(np.float32)
    found, too_large = masks.from_flows(flows, np.where(labels > 0, 2, -2).astype(np.float32), ROUNDS, largest=largest)
    assert (
        (too_large, np.array_equal(found > 0, labels > 0)) == (0, True) if kept else (too_large, found.any()) == (1, 0)
    )


def test_nothing_above_the_threshold_is_nothing():
    nothing = np.full((30, 40), -1, np.float32)
    found, too_large = masks.from_flows(np.zeros((2, 30, 40), np.float32), nothing, ROUNDS)
    assert not found.any() and too_large == 0


def test_the_network_sees_the_tiles_that_cellpose_shows_it():
    segmenter = sg.Segmenter(sg.Path(__file__).parents[2] / "assets/models/nuclei/nuclei.pth")
    image, _ = draw_nuclei([(40, 50), (150, 300), (260, 120)], shape=(300, 400))
    normalized = contrast.normalize(image)
    tiles = np.zeros((1, *image.shape, segmenter.net.nchan), np.float32)
    tiles[0, ..., 0] = normalized
    segmenter.net.diam_mean.data.fill_(segmenter.diameter + 1e-6)  # no resizing
    flows, probability, scale = segmenter.predict(image)
    assert scale == pytest.approx(1)

    class Padded(torch.nn.Module):
        """run_net expects a style of 256."""

        def __init__(self, net):
            super().__init__()
            self.net, self.nout, self.device, self.mkldnn = net, net.nout, net.device, False

        def forward(self, x):
            y, style, _ = self.net(x.contiguous(memory_format=torch.channels_last))
            return y, torch.nn.functional.pad(style, (0, 256 - style.shape[1]))

    wanted = transforms.resize_image(core.run_net(Padded(segmenter.net), tiles)[0][0], *image.shape)
    np.testing.assert_allclose(np.stack([*flows, probability], axis=-1), wanted, rtol=0, atol=5e-5)
    segmenter._compute = networks.by_torch(lambda tiles: segmenter.net(tiles)[0], segmenter.device)
    segmenter.at_once.size = sg.TILES
    flows, probability, _ = segmenter.predict(image)
    np.testing.assert_array_equal(np.stack([*flows, probability], axis=-1), wanted)


def test_they_cost_less_than_half(fields):
    flows, probability, _ = (
        np.tile(field, (2, 2)) if field.ndim == 2 else np.tile(field, (1, 2, 2)) for field in fields
    )

    def cost(function, *more):
        function(flows, probability, *more)  # compiled
        start = time.process_time()
        for _ in range(3):
            function(flows, probability, *more)
        return time.process_time() - start

    assert cost(masks.from_flows, ROUNDS) < 0.5 * cost(cellposes)
