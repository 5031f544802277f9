"""Deep features: which pixels a network is given, what becomes of them, and that they do not depend on company."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import nn

from idrstream.base import files, gpu, stage_folder
from idrstream.base.task import UserError
from idrstream.cells import crops, embedding, torch_efficientnet
from idrstream.images.frames import write_frame
from idrstream.images.labels import read_cells, write_cells, write_labels
from keras_checkpoints import write_b0
from repository import ROOT
from small_gpu import small

COMMAND = ROOT / "bin/screen_embed.py"


@pytest.fixture(scope="module")
def engine():
    torch.set_num_threads(2)
    return embedding.ENGINES["efficientnet"](128, "cpu")


@pytest.fixture(scope="module")
def frame():
    """(300, 400) grey levels with structure at every place."""
    rows, columns = np.mgrid[:300, :400]
    return (100 + 80 * np.sin(rows / 9) * np.cos(columns / 13) + rows / 5).astype(np.uint8)


def test_a_crop_samples_both_ends_of_the_box_bilinearly_and_is_0_outside(frame):
    height, width = frame.shape
    for y, x in ((150, 200), (149.6, 201.3), (20.25, 390.5), (0, 0)):
        (crop,) = crops.crop(frame, [(y, x)])
        steps = np.arange(128) / 127
        rows = ((y - 64) + 128 * steps) / height * (height - 1)
        columns = ((x - 64) + 128 * steps) / width * (width - 1)
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"))
        outside = (grid[0] < 0) | (grid[0] > height - 1) | (grid[1] < 0) | (grid[1] > width - 1)
        truth = np.where(outside, 0, map_coordinates(frame.astype(float), grid, order=1, mode="nearest"))
        assert np.abs(crop - truth)[~_edge(outside)].max() < 5e-3
        assert outside.any() == ((y, x) in ((20.25, 390.5), (0, 0)))


def _edge(outside):
    """Samples beside the border, where rounding decides on which side they fall."""
    grown = np.pad(outside, 1, mode="edge")
    near = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
    return near & ~outside | outside & ~(grown[:-2, 1:-1] & grown[2:, 1:-1] & grown[1:-1, :-2] & grown[1:-1, 2:])


def embedded(engine, *image):
    """Features of the cells of one image: its pixels, centres and mask."""
    ((_, features),) = embedding.embed(engine, [("", crops.around(*image))])
    return features


def test_the_resize_is_that_of_tensorflow_1_without_half_pixel_centres():
    ramp = np.arange(128, dtype=np.float32)[None, None, :].repeat(128, axis=1)
    resized = crops.resize(ramp, 224)
    assert np.allclose(resized[0, 0], np.minimum(np.arange(224) * 128 / 224, 127), atol=1e-4)
    assert np.array_equal(crops.resize(ramp, 128), ramp)


def test_features_do_not_see_gain_or_offset(engine, frame):
    centers = [(150, 200), (160, 100)]
    plain = embedded(engine, frame, centers)
    assert plain.shape == (2, 1280)
    assert plain.dtype == np.float32
    bright = embedded(engine, frame.astype(np.float32) * 3, centers)
    assert np.allclose(plain, bright, atol=1e-3)
    assert not np.allclose(plain[0], plain[1], atol=1e-2)


def test_a_cell_has_the_same_bytes_whatever_other_cells_there_are(engine, frame):
    centers = np.random.default_rng(0).uniform((0, 0), frame.shape, (70, 2))
    together = embedded(engine, frame, centers)
    order = np.random.default_rng(1).permutation(70)
    assert np.array_equal(embedded(engine, frame, centers[order]), together[order])
    assert np.array_equal(embedded(engine, frame, centers[33:40]), together[33:40])


@pytest.mark.parametrize("threads", (1, 3))
@pytest.mark.parametrize("counts", [(0, 20, 0, 12, 0), (70, 1, 0, 33), (0, 0), (), (64, 0)])
def test_images_share_portions_and_each_gets_its_own_features(engine, frame, monkeypatch, counts, threads):
    centers = np.random.default_rng(0).uniform((0, 0), frame.shape, (sum(counts), 2))
    together = embedded(engine, frame, centers)
    of_each = np.split(centers, np.cumsum(counts)[:-1])[: len(counts)]
    images = [(number, crops.around(frame, some)) for number, some in enumerate(of_each)]
    monkeypatch.setattr(engine, "threads", threads)
    found = list(embedding.embed(engine, iter(images)))
    assert [(what, len(features)) for what, features in found] == list(enumerate(counts))
    assert np.array_equal(np.concatenate([together[:0], *(features for _, features in found)]), together)


def test_images_are_read_a_few_portions_ahead_and_no_further(engine, frame, monkeypatch):
    read = []

    def images():
        for number in range(20):
            read.append(number)
            yield number, crops.around(frame, [(150, 200)] * embedding.CROPS)

    monkeypatch.setattr(engine, "threads", 2)
    for number, _ in embedding.embed(engine, images()):
        assert read[-1] <= number + 3


def test_nothing_and_a_constant_crop_give_no_nan(engine):
    dark = np.zeros((200, 200), np.uint8)
    assert len(embedded(engine, dark, np.empty((0, 2)))) == 0
    assert np.isfinite(embedded(engine, dark, [(100, 100)])).all()


def test_features_are_the_same_where_the_gpu_holds_half_of_the_crops(engine, frame, monkeypatch):
    centers = np.random.default_rng(0).uniform(50, 250, (40, 2))
    whole = embedded(engine, frame, centers)
    monkeypatch.setattr(engine, "at_once", gpu.BatchSize(embedding.CROPS, "crops", torch.cuda.OutOfMemoryError))
    monkeypatch.setattr(engine, "_compute", small(engine._compute, 16))
    halved = embedded(engine, frame, centers)
    assert engine.at_once.size == 16
    np.testing.assert_allclose(halved, whole, rtol=1e-4, atol=1e-4)


def test_the_rules_scale_each_crop_by_itself():
    boxes = np.stack([np.linspace(7, 9, 128 * 128, dtype=np.float32).reshape(128, 128), np.full((128, 128), 5.0)])
    ours, theirs = (crops.RULES[rule](boxes.astype(np.float32), 128) for rule in ("idrstream", "deepprofiler"))
    assert (ours[0].min(), ours[0].max()) == (-1, 1)
    assert theirs[0].min() == 0 and theirs[0].max() == pytest.approx(1 / (1 + 1e-7 / 2))
    assert not ours[1].any() and not theirs[1].any()


@pytest.mark.parametrize("center", [(150, 200), (0, 200), (149.3, 399), (0, 0), (299, 20.7)])
def test_the_padded_share_is_that_of_the_samples_outside_of_the_image(center):
    (box,) = crops.crop(np.ones((300, 400), np.uint8), [center])
    (share,) = crops.padded([center], (300, 400))
    assert share.dtype == np.float32
    assert share == pytest.approx((box == 0).mean(), abs=1e-6)
    assert (share == 0) == (center == (150, 200)) and share < 0.76


# Neighbours blanked


def two_discs(grey):
    """(300, 400) with a disc of 200 and, 30 pixels to its right, one of so many grey levels; and the label image."""
    rows, columns = np.mgrid[:300, :400]
    labels = np.zeros((300, 400), np.uint16)
    labels[np.hypot(rows - 150, columns - 200) < 11] = 4
    labels[np.hypot(rows - 150, columns - 230) < 11] = 9
    return np.choose(np.searchsorted([0, 4, 9], labels), [20 + columns % 7, 200, grey]).astype(np.float32), labels


def test_the_pixels_of_neighbours_are_0_and_cell_and_background_stay():
    frame, labels = two_discs(90)
    blank = crops.others(labels, [4, 9], [(150, 200), (150, 230)])
    plain = crops.crop(frame, [(150, 200), (150, 230)])
    for crop, neighbour, own, away in zip(plain, blank, (200, 90), (30, -30), strict=True):
        y, x = np.mgrid[-64:64, -64:64]
        other = np.hypot(y, x - away)
        assert neighbour[other < 9].all() and not neighbour[other > 13].any()
        assert crop[64, 64] == own and not neighbour[np.hypot(y, x) < 13].any()
    assert not crops.others(labels, [4], [(150, 20)])[0, :, :43].any(), "outside of the image there is no cell"


def test_masked_features_do_not_see_neighbours_and_plain_ones_do(engine):
    masked, plain = [], []
    for grey in (60, 150):
        frame, labels = two_discs(grey)
        labels[:, 210:250] = 9  # the neighbour with all that is interpolated from it
        masked.append(embedded(engine, frame, [(150, 200)], labels, [4]))
        plain.append(embedded(engine, frame, [(150, 200)]))
    assert np.array_equal(*masked)
    assert not np.allclose(*plain, atol=1e-2)


# EfficientNet-B0 from a Keras checkpoint; DeepProfiler's own numbers are compared in tests/deepprofiler


def b0(path, rule="idrstream", size=128):
    return embedding.ENGINES["efficientnet-b0"](size, "cpu", rule, path)


def test_a_network_of_three_channels_sees_the_grey_levels_three_times(tmp_path, frame):
    centers = [(150, 200), (40, 60)]
    one = embedded(b0(write_b0(tmp_path / "one.h5")), frame, centers)
    three = b0(write_b0(tmp_path / "three.h5", 3, top=True, within="model_weights"))
    assert three.features[-1] == "efficientnet_1279" and one.shape == (2, 1280) and one.std() > 0.01
    np.testing.assert_allclose(embedded(three, frame, centers), one, rtol=1e-3, atol=1e-4)


def test_the_model_is_named_by_weights_size_and_rule(tmp_path):
    path = write_b0(tmp_path / "weights.h5")
    digest = files.sha256(path)[:12]
    assert b0(path).model == f"efficientnet-b0-{digest}-128px"
    assert b0(path, "deepprofiler", 224).model == f"efficientnet-b0-{digest}-224px-deepprofiler"


@pytest.mark.parametrize("length, before", [(128, 0), (65, 1), (7, 1)])
def test_a_step_of_two_is_padded_behind_first_as_tensorflow_pads(length, before):
    layer = torch_efficientnet._Same(1, 1, 3, 2)
    layer.weight.data[:] = torch.tensor([1.0, 10, 100])
    line = torch.arange(1.0, length + 1)[None, None, None, :]
    known = np.pad(np.arange(1.0, length + 1), (before, 1))
    wanted = [known[i] + 10 * known[i + 1] + 100 * known[i + 2] for i in range(0, len(known) - 2, 2)]
    assert layer(line)[0, 0, 0].tolist() == wanted and len(wanted) == (length + 1) // 2


def test_what_is_no_checkpoint_of_it_is_for_the_user_to_mend(tmp_path):
    (tmp_path / "text.h5").write_text("none")
    five = write_b0(tmp_path / "five.h5", 5)
    with h5py.File(write_b0(tmp_path / "part.h5"), "a") as file:
        file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name != "block3a_bn"]
    said = {"text.h5": "not a whole HDF5 file", five.name: "was trained on 5 channels", "part.h5": "1 of 130 layers"}
    for name, why in {**said, "nowhere.h5": "no such file"}.items():
        with pytest.raises(UserError, match=rf"--embed_model .*{name}: .*{why}"):
            b0(tmp_path / name)


# A user's network


class Net(nn.Module):
    """Three numbers a crop, or a map of them."""

    def __init__(self, channels=1, maps=False, made="features"):
        super().__init__()
        self.conv = nn.Conv2d(channels, 3, 8, 8)
        self.drop = nn.Dropout(0.5)
        self.maps, self.made = maps, made

    def forward(self, pixels):
        maps = self.drop(self.conv(pixels))
        if self.made == "no number":
            maps = maps / pixels.std(dim=(2, 3), keepdim=True)[:, :1]
        if self.made == "one for all":
            return maps.mean(dim=(0, 2, 3))
        return maps if self.maps else maps.mean(dim=(2, 3))


def saved(path, size=128, channels=1, train=True, **kind):
    torch.manual_seed(0)
    net = Net(channels, **kind)
    made = torch.jit.trace(net.eval(), torch.rand(2, channels, size, size), check_trace=False)
    torch.jit.save(torch.jit.freeze(made) if kind.get("maps") else made.train(train), path)
    return path


def own(path, size=128):
    return embedding.ENGINES["torchscript"](size, "cpu", "idrstream", path)


@pytest.mark.parametrize("size, channels, maps", [(128, 1, False), (224, 3, False), (128, 3, True)])
def test_a_torchscript_file_gives_what_the_network_gives(tmp_path, frame, size, channels, maps):
    made = own(saved(tmp_path / "net.pt", size, channels, maps=maps), size)
    centers = [(150, 200), (40, 60), (200, 300)]
    found = embedded(made, frame, centers)
    assert made.features == ["torchscript_0", "torchscript_1", "torchscript_2"] and made._channels == channels
    torch.manual_seed(0)
    seen = torch.from_numpy(crops.scale(crops.resize(crops.crop(frame, centers), size)))[:, None]
    with torch.inference_mode():
        truth = Net(channels).eval()(seen.expand(-1, channels, -1, -1)).numpy()
    np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-5)
    assert np.array_equal(embedded(made, frame, centers[1:]), found[1:])


def test_a_file_or_network_that_cannot_do_is_for_the_user_to_mend(tmp_path):
    (tmp_path / "text.pt").write_text("none")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    said = {
        "nowhere.pt": "not a file that torch.jit.load can read",
        "text.pt": "not a file that torch.jit.load can read",
        "weights.pt": "not a file that torch.jit.load can read",
        saved(tmp_path / "five.pt", channels=5).name: "takes neither .* nor one channel",
        saved(tmp_path / "one.pt", made="one for all").name: r"of 8 crops it makes \(3,\), and not \(8, features\)",
        saved(tmp_path / "nan.pt", made="no number").name: "makes features that are no numbers",
    }
    for name, why in said.items():
        with pytest.raises(UserError, match=rf"--embed_model .*{name}: .*{why}") as told:
            own(tmp_path / name)
        assert "\n" not in told.value.message


def test_a_torchscript_network_is_given_half_where_the_gpu_holds_no_more(tmp_path, frame):
    made = own(saved(tmp_path / "net.pt"))
    made.at_once = gpu.BatchSize(embedding.CROPS, "crops", torch.cuda.OutOfMemoryError)
    centers = np.random.default_rng(0).uniform(50, 250, (40, 2))
    whole, network = embedded(made, frame, centers), made._network

    def interpreter(pixels):
        if len(pixels) > 16:
            raise RuntimeError("The following operation failed in the TorchScript interpreter.\nCUDA out of memory.")
        return network(pixels)

    made._network = interpreter
    np.testing.assert_allclose(embedded(made, frame, centers), whole, rtol=1e-4, atol=1e-5)
    assert made.at_once.size == 16


# The command


def embed(folder, *options):
    """Exit code of the command, and what it says."""
    command = [sys.executable, COMMAND, folder / "frames", folder / "labels", folder / "features", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.fixture
def batch(tmp_path):
    frame, labels = two_discs(90)
    row = {"id": "1", "key": "P1_A01_s1_f1", "plate": "P1", "status": "ok", "shape": [300, 400]}
    cells = {"label": np.array([4, 9]), "center_y": np.array([150.0, 150]), "center_x": np.array([200.0, 230])}
    for name in ("frames", "labels"):
        (tmp_path / name).mkdir()
    stage_folder.write_rows(tmp_path / "frames", [row])
    write_frame(tmp_path / "frames", row["key"], frame)
    write_labels(tmp_path / "labels", row["key"], labels)
    write_cells(tmp_path / "labels", row["key"], cells)
    return tmp_path


def test_the_command_masks_on_request_and_says_so_in_the_models_name(batch):
    mine = ("--embedder", "torchscript", "--embed_model", saved(batch / "net.pt"))
    found, names = [], []
    for more in ((), ("--crop_mask",)):
        code, said = embed(batch, *mine, *more)
        assert code == 0, said
        found.append(read_cells(batch / "features", "P1_A01_s1_f1"))
        names.append(files.read_json(batch / "features/provenance.json")["model"])
        (batch / "features").rename(batch / f"features{len(names)}")
    assert names[1] == f"{names[0]}-masked" and names[0].startswith("torchscript-")
    assert not np.allclose(found[0]["features"], found[1]["features"], atol=1e-3)
    assert found[0]["padded"].tolist() == [0, 0]


def test_a_nucleus_that_is_no_cell_is_set_to_0_in_the_crops_of_others_all_the_same(batch):
    mine = ("--embedder", "torchscript", "--embed_model", saved(batch / "net.pt"), "--crop_mask")
    found = []
    for listed in slice(2), slice(1):
        cells = read_cells(batch / "labels", "P1_A01_s1_f1")
        write_cells(batch / "labels", "P1_A01_s1_f1", {name: values[listed] for name, values in cells.items()})
        assert embed(batch, *mine)[0] == 0
        found.append(read_cells(batch / "features", "P1_A01_s1_f1"))
        (batch / "features").rename(batch / f"features{len(found)}")
    assert found[1]["label"].tolist() == [4]
    assert np.array_equal(found[0]["features"][:1], found[1]["features"])


def test_a_cell_whose_features_are_no_numbers_is_told_by_name(batch):
    frame, _ = two_discs(90)
    frame[150, 290] = np.nan  # in the crop of the second only
    write_frame(batch / "frames", "P1_A01_s1_f1", frame)
    code, said = embed(batch, "--embedder", "torchscript", "--embed_model", saved(batch / "net.pt"))
    assert code == 1 and "P1_A01_s1_f1: cell 9 has features that are no numbers (NaN or infinite)" in said
    assert not (batch / "features").exists()


def test_the_command_ends_with_64_where_the_network_cannot_be_read(batch):
    (batch / "text.pt").write_text("none")
    code, said = embed(batch, "--embedder", "torchscript", "--embed_model", batch / "text.pt")
    assert code == 64 and "not a file that torch.jit.load can read" in said
