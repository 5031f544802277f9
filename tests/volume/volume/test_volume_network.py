"""The network as it is computed, against torch's own layers."""

import numpy as np
import pytest
import torch

from idrstream.base import networks, task
from idrstream.volume import network, unet_lean, unet_torch
from idrstream.volume.grey import normalized
from idrstream.volume.unet import Unet
from unets import ANISOTROPIC, ODD, SMALL, grey, weights

NETS = {"isotropic": SMALL, "anisotropic": ANISOTROPIC, "odd": ODD, "incasem's, 4 maps": Unet(maps=4)}


@pytest.fixture(params=NETS.values(), ids=NETS.keys())
def unet(request):
    return request.param


def plain(unet, levels):
    """The logits of torch's network, layer for layer as incasem's."""
    module = unet_torch.module(unet).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights(unet).items()})
    with torch.inference_mode():
        return module(torch.from_numpy(levels)[None, None])[0].numpy()


@pytest.mark.parametrize("on_gpu", [False, True], ids=["OpenVINO", "torch"])
def test_less_work_gives_the_same_logits(unet, on_gpu):
    levels = normalized(grey(unet.given((8, 12, 16))))
    truth = plain(unet, levels)
    if on_gpu:  # what a GPU is to compute, by the processor
        found = network._on_gpu(unet, unet_lean.prepared(unet, weights(unet)), "cpu")(levels[None, None])[0]
    else:
        found = network.load(unet, weights(unet), levels.shape).compute(levels)
    assert found.dtype == np.float32 and found.shape == truth.shape == (unet.outputs, *unet.output(levels.shape))
    assert np.abs(truth).max() > 0.1 and np.abs(found - truth).max() < 1e-5


def test_an_output_begins_behind_the_context(unet):
    """Layers that hand on what they see give the input without its rim."""
    handing_on = {name: np.zeros(shape, np.float32) for name, shape in unet.names().items()}
    for name, array in handing_on.items():
        if name.startswith(("unet.l_conv.0.", "unet.r_conv.0.0.", "final")) and array.ndim == 5:
            array[(0, 0, *(side // 2 for side in array.shape[2:]))] = 1
    levels = grey(unet.given((4, 8, 8))).astype(np.float32)
    found = network.load(unet, handing_on, levels.shape).compute(levels)[0]
    z, y, x = (slice(context, -context) for context in unet.context)
    assert np.array_equal(found, levels[z, y, x])


def test_any_number_of_threads_gives_the_same_bits():
    levels = normalized(grey(SMALL.given((24, 24, 24))))
    one, two = (network.load(SMALL, weights(SMALL), levels.shape, threads=count).compute(levels) for count in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    "free, own, error, words",
    [
        (1, 78, task.UserError, "voxels; give a smaller --tile"),
        (1, 40, task.TransientError, "voxels: other programs have a part of it"),
    ],
    ids=["alone", "shared"],
)
def test_a_gpu_that_is_too_small_is_the_users_and_one_that_is_shared_is_tried_again(
    free, own, error, words, monkeypatch
):
    def by_torch(*_):
        def compute(_):
            raise networks.OutOfMemory("CUDA out of memory")

        return compute

    monkeypatch.setattr(networks, "by_torch", by_torch)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 80))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: own)
    compute = network._on_gpu(SMALL, unet_lean.prepared(SMALL, weights(SMALL)), "cpu")
    with pytest.raises(error, match=f"does not hold the maps of 60 x 64 x 68 {words}"):
        compute(np.zeros((1, 1, 60, 64, 68), np.float32))
