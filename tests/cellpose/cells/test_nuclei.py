"""Nuclei: what a segmenter finds, and what it refuses."""

import numpy as np
import pytest
import tifffile
import torch
from cellpose.metrics import average_precision
from cellpose.resnet_torch import CPnet

from drawn_nuclei import CENTRES, draw_nuclei
from idrstream.base import gpu, networks
from idrstream.cells import cpnet, masks, torch_cpnet
from idrstream.cells import segmentation as sg
from idrstream.images.labels import read_labels, read_too_large, write_labels
from make_slide import make_slide
from repository import MODEL
from small_gpu import small

DAMAGED = {
    "text": b"not a network\n",
    "nothing": b"",
    "cut short": MODEL.read_bytes()[:50_000] if MODEL.exists() else b"PK\x03\x04",
}


def scores(truth, labels):
    """F1 of nuclei matched at IoU 0.5."""
    _, hits, extra, missed = average_precision(truth.astype(np.int32), labels.astype(np.int32), threshold=[0.5])
    return 2 * hits[0] / (2 * hits[0] + extra[0] + missed[0])


@pytest.fixture(scope="module")
def segmenter():
    return sg.Segmenter(MODEL, device="cpu")


@pytest.fixture(scope="module")
def discs():
    return draw_nuclei(CENTRES)


def test_the_nuclei_of_the_demo_slide_are_found(segmenter, tmp_path):
    make_slide(tmp_path, size=(500, 700), truth=True)
    image, truth = (tifffile.imread(tmp_path / name, key=0) for name in ("slide.ome.tif", "labels.tif"))
    labels, _ = segmenter.segment(image, diameter=19)
    assert truth.max() > 150 and scores(truth, labels) > 0.9


@pytest.mark.parametrize("radius", [60, 95, 110])
def test_one_nucleus_may_fill_the_image(segmenter, radius):
    image, truth = draw_nuclei([(128, 128)], radius=radius, shape=(256, 256))
    labels, too_large = segmenter.segment(image, diameter=2 * radius)
    assert labels.max() == 1 and too_large == 0
    assert (labels > 0).sum() == pytest.approx((truth > 0).sum(), rel=0.15)
    cellposes = sg.Segmenter(MODEL, device="cpu", largest=0.4)
    assert cellposes.segment(image, diameter=2 * radius)[1] == (radius > 91)


def test_the_count_of_dropped_nuclei_stays_with_the_label_image(tmp_path):
    for name, count in (("none", 0), ("two", 2)):
        write_labels(tmp_path, name, np.ones((20, 30), np.uint16), count)
        assert read_too_large(tmp_path, name) == count and read_labels(tmp_path, name).all()


def test_drawn_nuclei_are_found_and_nothing_else(segmenter, discs):
    image, truth = discs
    labels = segmenter(image, diameter=22)
    assert labels.shape == image.shape and labels.dtype == np.uint16
    assert labels.max() == len(CENTRES)
    assert scores(truth, labels) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float32, np.float64, ">u2"])
def test_the_type_of_the_image_does_not_matter(segmenter, discs, dtype):
    image = discs[0][60:, 80:] // 8
    assert np.array_equal(segmenter(image.astype(dtype), diameter=22), segmenter(image, diameter=22))


def test_gain_and_offset_of_the_camera_do_not_matter(segmenter, discs):
    image = discs[0][60:, 80:]
    assert np.array_equal(segmenter(image / 4096.0 - 7, diameter=22) > 0, segmenter(image, diameter=22) > 0)


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_a_constant_image_has_no_nuclei(segmenter, value):
    labels = segmenter(np.full((70, 90), value, np.uint16))
    assert labels.dtype == np.uint16 and labels.shape == (70, 90) and not labels.any()


def test_a_few_nuclei_on_an_even_ground_are_found(segmenter):
    image = np.zeros((300, 300), np.uint8)
    y, x = np.mgrid[:300, :300]
    image[np.hypot(y - 150, x - 140) < 11] = 200
    assert np.percentile(image, 99) == 0
    assert segmenter(image, diameter=22).max() == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 7), (17, 300)])
def test_an_image_of_any_size_has_labels_of_that_size(segmenter, shape):
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    assert segmenter(image, diameter=30).shape == shape


def test_labels_are_numbered_by_their_first_pixel():
    labels = np.array([[0, 7, 7, 0], [3, 0, 0, 9], [3, 0, 9, 9]], np.uint32)
    assert masks.in_order(labels).tolist() == [[0, 1, 1, 0], [2, 0, 0, 3], [2, 0, 3, 3]]
    assert masks.in_order(labels).dtype == np.uint16


def test_more_than_65535_nuclei_take_a_wider_type():
    labels = np.zeros((300, 600), np.uint32)
    labels[:, ::2] = np.arange(1, 300 * 300 + 1).reshape(300, 300)[::-1]
    ordered = masks.in_order(labels)
    assert ordered.dtype == np.uint32
    assert np.array_equal(ordered[:, ::2].ravel(), np.arange(1, 90_001))


def test_the_same_image_has_the_same_labels_whatever_ran_before(segmenter, discs):
    image, _ = discs
    before = segmenter(image, diameter=22)
    segmenter(np.random.default_rng(3).integers(0, 4096, (90, 110)).astype(np.uint16), diameter=9)
    segmenter(image[:100], diameter=40)
    assert np.array_equal(segmenter(image, diameter=22), before)
    assert np.array_equal(sg.Segmenter(MODEL, device="cpu")(image, diameter=22), before)


@pytest.mark.parametrize("radius", [6, 11, 18])
def test_the_diameter_of_drawn_nuclei_is_estimated_within_a_fifth(segmenter, radius):
    shape = (230, 280)
    centres = [(y, x) for y in range(40, 200, 65) for x in range(40, 260, 65)]
    image, _ = draw_nuclei(centres, radius, shape)
    diameter, count = segmenter.estimate_diameter([image, image])
    assert count == 2 * len(centres)
    assert diameter == pytest.approx(2 * radius, rel=0.2)
    assert diameter == round(diameter, 1)


def test_debris_does_not_make_nuclei_smaller(segmenter):
    image, _ = draw_nuclei([(y, x) for y in range(40, 200, 65) for x in range(40, 260, 65)], 11, (230, 280))
    clean = segmenter.estimate_diameter([image], sg.plate_area)
    specks = [(y, x) for y in (8, 72, 137) for x in (8, 73)]  # half as many, of 4 pixels
    dirty = np.maximum(image, draw_nuclei(specks, 2.2, image.shape)[0])
    found = np.bincount(segmenter(dirty, diameter=segmenter.diameter).ravel())[1:]
    assert len(found) == clean[1] + len(specks)
    assert np.quantile(found, 0.25) < np.median(found) / 4
    diameter, _ = segmenter.estimate_diameter([dirty], sg.plate_area)
    assert diameter == pytest.approx(clean[0], rel=0.05)


def test_without_nuclei_the_diameter_is_the_models_own(segmenter):
    assert segmenter.estimate_diameter([np.full((60, 60), 7, np.uint8)]) == (segmenter.diameter, 0)
    assert segmenter.estimate_diameter(iter([])) == (segmenter.diameter, 0)


def test_a_stock_checkpoint_of_full_width_loads_and_runs(tmp_path, discs):
    torch.manual_seed(0)
    net = CPnet([2, 32, 64, 128, 256], 3, 3, diam_mean=30.0)
    net.diam_labels.data.fill_(25.0)
    net.save_model(tmp_path / "stock")
    stock = sg.Segmenter(tmp_path / "stock", device="cpu")
    assert stock.checkpoint.widths == [2, 32, 64, 128, 256]
    assert stock.diameter == 25
    assert stock(discs[0][:100, :100]).shape == (100, 100)


def test_the_old_nuclei_checkpoint_is_known_to_be_of_17_pixels(tmp_path):
    weights = CPnet([2, 8, 8], 3, 3).state_dict()
    torch.save({key: value for key, value in weights.items() if "diam" not in key}, tmp_path / "nucleitorch_0")
    checkpoint = cpnet.read(tmp_path / "nucleitorch_0")
    assert (checkpoint.trained, checkpoint.diameter) == (17, 17)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path, content):
    (tmp_path / "wrong.pth").write_bytes(content)
    with pytest.raises(cpnet.BadModel, match=r"wrong\.pth: not a Cellpose 3 checkpoint"):
        sg.Segmenter(tmp_path / "wrong.pth")


@pytest.mark.parametrize(
    "weights",
    [{"W2": torch.zeros(1)}, {"a": 1}, [1, 2], {"output.2.weight": torch.zeros(3, 8, 1, 1)}],
    ids=["Cellpose 4", "other", "list", "one layer"],
)
def test_weights_of_another_network_are_refused(tmp_path, weights):
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(cpnet.BadModel, match="not a Cellpose 3 checkpoint"):
        sg.Segmenter(tmp_path / "other.pth")


def test_a_checkpoint_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(cpnet.BadModel, match="no such file"):
        sg.Segmenter(tmp_path / "nowhere.pth")


# A GPU whose memory runs out


def test_nuclei_are_the_same_where_the_gpu_holds_half_of_the_tiles(segmenter, monkeypatch):
    nuclei = np.tile(draw_nuclei(CENTRES)[0], (2, 3))
    halved = sg.Segmenter(MODEL, device="cpu")
    halved.at_once = gpu.BatchSize(8, "tiles", torch.cuda.OutOfMemoryError)
    net = torch_cpnet.network(halved.checkpoint)
    monkeypatch.setattr(halved, "_compute", networks.by_torch(small(lambda pixels: net(pixels)[0], 4), "cpu"))
    assert np.array_equal(halved(nuclei, diameter=22), segmenter(nuclei, diameter=22))
    assert (segmenter.at_once.size, halved.at_once.size) == (1, 4)
