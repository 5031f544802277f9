"""A network on a processor: what torch computes, whatever the shape and however many threads."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from idrstream.base import networks, task

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU()
    return nn.Sequential(*layers, nn.Conv2d(16, 3, 1)).eval().requires_grad_(False)


def grey(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def test_it_computes_what_torch_computes_for_arrays_of_any_shape(network):
    compute, truth = networks.ready(network, CPU), networks.by_torch(network, CPU)
    for shape in [(1, 1, 32, 48), (4, 1, 17, 16), (1, 1, 32, 48)]:
        found = compute(grey(*shape))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, truth(grey(*shape)), rtol=0, atol=1e-5)


def test_an_answer_stays_as_it_is_when_the_network_is_called_again(network):
    compute = networks.ready(network, CPU)
    first = compute(grey(1, 1, 32, 48))
    kept = first.copy()
    assert not np.array_equal(compute(np.zeros_like(grey(1, 1, 32, 48))), kept)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("threads, callers", [(2, 2), (2, 5), (3, 1)])
def test_any_number_of_threads_gives_the_same_bytes(network, threads, callers):
    given = [grey(2, 1, 32, 32 + 16 * (number % 3)) for number in range(24)]
    truth = list(map(networks.ready(network, CPU), given))
    with ThreadPoolExecutor(callers) as pool:
        found = list(pool.map(networks.ready(network, CPU, threads), given))
    assert all(map(np.array_equal, found, truth))


def test_nothing_is_installed_that_tells_others_of_it():
    assert find_spec("openvino_telemetry") is None


def test_a_gpu_is_to_compute_in_float32_and_alike_each_time(network):
    """No GPU is needed to see what torch is told."""
    torch.backends.cudnn.allow_tf32 = True
    networks.by_torch(network, torch.device("cuda"))
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (False, False)
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU that works")
def test_a_gpu_that_takes_no_task_in_is_tried_again_later(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(task.TransientError, match="the GPU is occupied"):
        task.torch_device(require_gpu=False)
