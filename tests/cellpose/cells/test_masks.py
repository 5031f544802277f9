"""The masks are cellpose's own, pixel by pixel, and cost less."""

import itertools
import time

import numpy as np
import pytest
import torch
from scipy import ndimage

from cellpose import core, dynamics, metrics, transforms
from drawn_nuclei import draw_nuclei
from idrstream.base import networks
from idrstream.cells import contrast, masks, torch_cpnet
from idrstream.cells import segmentation as sg
from repository import MODEL

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
    found = masks.follow(masks.STEP * flows, np.ones(flows.shape[1:], bool), y, x, ROUNDS, flows.shape[1:])
    wanted = dynamics.steps_interp(masks.STEP * flows / np.float32(masks.STEP), (y, x), ROUNDS)
    np.testing.assert_array_equal(found, np.ravel_multi_index(wanted.astype(int), flows.shape[1:]))
    later = dynamics.steps_interp(flows, (y, x), ROUNDS + 1)
    assert (later != wanted).any()  # some of them never come to rest, and the number of steps matters


def test_the_errors_of_flows_are_those_of_cellpose(fields):
    flows, _, labels = fields
    wanted, _ = metrics.flow_error(labels, flows, torch.device("cpu"))
    boxes = ndimage.find_objects(labels)
    found = [masks.flow_error(labels[box] == n, flows[(slice(None), *box)]) for n, box in enumerate(boxes, 1)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def made_of(labels):
    """Flows and logits of which a network is sure: those that the label image itself has."""
    flows = masks.STEP * dynamics.masks_to_flows(labels)
    return flows.astype(np.float32), np.where(labels > 0, 2, -2).astype(np.float32)


def test_only_masks_that_are_too_small_go():
    labels = np.zeros((40, 80), np.int32)
    for number, column in enumerate(range(0, 80, 16), 1):
        labels[4:14, column : column + 10] = number
    labels[25:28, 4:8] = 6  # twelve pixels
    flows, probability = made_of(labels)
    flows[:, labels == 2] *= -1
    found, _ = masks.from_flows(flows, probability, ROUNDS, smallest=15)
    wanted = np.where((labels == 2) | (labels == 6), 0, labels)
    np.testing.assert_array_equal(masks.in_order(found), masks.in_order(wanted))
    assert masks.in_order(found).max() == 4


def test_a_nucleus_takes_what_it_encloses_whatever_the_order():
    ring, dot, larger = np.ones((9, 9), bool), np.ones((3, 3), bool), np.ones((15, 15), bool)
    ring[3:6, 3:6] = larger[2:13, 2:13] = False
    laid = {1: (ring, 10, 10), 2: (dot, 13, 13), 3: (larger, 7, 7)}
    for order, wanted in ([2, 1], 1), ([1, 2], 1), ([1, 2, 3], 3), ([3, 2, 1], 3), ([2, 3, 1], 3):
        canvas = masks.Canvas(5, 25, 5, 25)
        for number in order:
            canvas.lay(number, *laid[number])
        assert canvas.labels[9, 9] == wanted  # the middle
        assert np.unique(canvas.labels).tolist() == [0, wanted]


def test_a_nucleus_takes_what_it_encloses_of_a_larger_one():
    ring, scattered = np.ones((9, 9), bool), np.zeros((9, 40), bool)
    ring[3:6, 3:6] = False
    scattered[4, 4] = scattered[:, 10:] = True
    for order in (1, 2), (2, 1):
        canvas = masks.Canvas(0, 30, 0, 50)
        for number in order:
            canvas.lay(number, {1: ring, 2: scattered}[number], 10, 5)
        assert canvas.labels[14, 9] == 1 and np.bincount(canvas.labels.ravel())[1:].tolist() == [81, 270]


def test_a_canvas_shows_its_part_of_a_nucleus():
    nucleus = np.arange(1, 31).reshape(5, 6) % 4 > 0
    whole = masks.Canvas(0, 30, 0, 30)
    whole.lay(1, nucleus, 12, 12)
    for top, left in itertools.product((0, 10, 14, 17, 25), repeat=2):
        part = masks.Canvas(top, top + 5, left, left + 5)
        part.lay(1, nucleus, 12, 12)
        np.testing.assert_array_equal(part.labels, whole.labels[top : top + 5, left : left + 5])


def test_a_pixel_that_leaves_its_window_is_told_and_others_rest_where_they_do_in_the_whole(fields):
    flows, probability, _ = fields
    inside = probability > 0
    y, x = np.nonzero(inside)
    whole = masks.follow(flows, inside, y, x, ROUNDS, probability.shape)
    window = (y >= 60) & (y < 130) & (x >= 100) & (x < 250)
    y, x, whole = y[window], x[window], whole[window]
    part = np.s_[60:130, 100:250]
    found = masks.follow(flows[:, *part], inside[part], y, x, ROUNDS, probability.shape, (60, 100))
    stayed = found >= 0
    assert 0.8 < stayed.mean() < 1
    np.testing.assert_array_equal(found[stayed], whole[stayed])


def test_sinks_of_windows_add_up_to_those_of_the_image(fields):
    flows, probability, _ = fields
    inside = probability > 0
    y, x = np.nonzero(inside)
    rest = masks.follow(flows, inside, y, x, ROUNDS, probability.shape)
    whole = masks.sinks(rest, y, x)
    part = np.random.default_rng(3).integers(0, 7, len(y))
    added = masks.add(masks.sinks(rest[part == p], y[part == p], x[part == p]) for p in range(8))
    for found, wanted in zip(added, whole, strict=True):
        np.testing.assert_array_equal(found, wanted)
    place = whole.counts.argmax()
    there = rest == whole.places[place]
    assert whole.counts[place] == there.sum() > 50
    assert whole.boxes[place].tolist() == [y[there].min(), y[there].max() + 1, x[there].min(), x[there].max() + 1]


@pytest.mark.parametrize("side, largest, kept", [(19, 0.4, True), (19, 0.2, False), (29, 0.4, False), (29, 1.0, True)])
def test_a_mask_that_takes_more_of_the_image_than_it_may_is_dropped_and_counted(side, largest, kept):
    labels = np.zeros((30, 40), np.int32)
    labels[:side, :side] = 1  # 30 % of the image, or 70 %
    found, too_large = masks.from_flows(*made_of(labels), ROUNDS, largest=largest)
    assert (
        (too_large, np.array_equal(found > 0, labels > 0)) == (0, True) if kept else (too_large, found.any()) == (1, 0)
    )


def test_nothing_above_the_threshold_is_nothing():
    nothing = np.full((30, 40), -1, np.float32)
    found, too_large = masks.from_flows(np.zeros((2, 30, 40), np.float32), nothing, ROUNDS)
    assert not found.any() and too_large == 0


def test_the_network_sees_the_tiles_that_cellpose_shows_it():
    segmenter = sg.Segmenter(MODEL)
    image, _ = draw_nuclei([(40, 50), (150, 300), (260, 120)], shape=(300, 400))
    normalized = contrast.normalize(image)
    tiles = np.zeros((1, *image.shape, segmenter.checkpoint.widths[0]), np.float32)
    tiles[0, ..., 0] = normalized
    segmenter.checkpoint = segmenter.checkpoint._replace(trained=segmenter.diameter + 1e-6)  # no resizing
    net = torch_cpnet.network(segmenter.checkpoint)
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

    wanted = transforms.resize_image(core.run_net(Padded(net), tiles)[0][0], *image.shape)
    np.testing.assert_allclose(np.stack([*flows, probability], axis=-1), wanted, rtol=0, atol=5e-5)
    segmenter._compute = networks.by_torch(lambda pixels: net(pixels)[0], "cpu")
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
