"""The U-Net of incasem: names, sizes, cost, description."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from idrstream.base.tables import Problems
from idrstream.volume import layers_torch, unet_lean, unet_torch
from idrstream.volume.unet import Unet, from_keys
from unets import ANISOTROPIC, ODD, SMALL, weights

THEIRS = Unet()  # incasem's own
KEYS = {"type": "Unet", "num_fmaps": 32, "num_fmaps_out": 2, "fmap_inc_factor": 2, "constant_upsample": True}
KEYS["downsample_factors"] = [[2, 2, 2], [2, 2, 2], [2, 2, 2]]  # as its configuration describes it


@pytest.fixture(params=[SMALL, ANISOTROPIC, ODD], ids=["isotropic", "anisotropic", "odd"])
def unet(request):
    return request.param


def on_meta(unet, shape):
    """The shape of the output of torch's network, which is not computed."""
    return unet_torch.module(unet).to("meta")(torch.zeros((1, 1, *shape), device="meta")).shape


def test_incasems_network_has_30_tensors_of_5_837_730_numbers():
    names = THEIRS.names()
    assert len(names) == 30 and THEIRS.parameters == 5_837_730
    assert names["unet.l_conv.0.conv_pass.0.weight"] == (32, 1, 3, 3, 3)
    assert names["unet.l_conv.3.conv_pass.2.weight"] == (256, 256, 3, 3, 3)
    assert names["unet.r_conv.0.2.conv_pass.0.weight"] == (128, 384, 3, 3, 3)
    assert names["unet.r_conv.0.0.conv_pass.2.bias"] == (32,)
    assert names["final_conv_pass.conv_pass.0.weight"] == (2, 32, 3, 3, 3)


def test_torchs_network_has_its_tensors_in_its_order(unet):
    tensors = unet_torch.module(unet).state_dict()
    assert [(name, tuple(tensor.shape)) for name, tensor in tensors.items()] == list(unet.names().items())


@pytest.mark.parametrize("size, output", [(100, 10), (108, 18), (132, 42), (204, 114), (300, 210), (412, 322)])
def test_sizes_of_incasems_inputs_and_outputs(size, output):
    assert THEIRS.output((size,) * 3) == (output,) * 3 == on_meta(THEIRS, (size,) * 3)[2:]
    assert THEIRS.context == (45, 45, 45) and THEIRS.step == (8, 8, 8)


def test_no_other_sizes_between_steps_can_be_pooled():
    assert [size for size in range(93, 117) if THEIRS.output((size,) * 3)] == [100, 108, 116]
    assert THEIRS.output((92,) * 3) == (2, 2, 2) and THEIRS.output((84,) * 3) is None


def test_an_output_is_what_torch_gives(unet):
    shape = unet.input((5, 20, 9))
    found = unet.output(shape)
    assert found == on_meta(unet, shape)[2:]
    assert all(size == given - 2 * context for size, given, context in zip(found, shape, unet.context, strict=True))


@pytest.mark.parametrize("kept, given", [(128, 228), (256, 356), (16, 116)])
def test_inputs_of_incasems_tiles(kept, given):
    assert THEIRS.given((kept,) * 3) == (given,) * 3


def test_a_tile_fits_into_the_output_wherever_it_begins_and_into_no_smaller_one(unet):
    kept = (5, 20, 9)
    given = unet.given(kept)
    wanted = [size + step - 1 for size, step in zip(kept, unet.step, strict=True)]
    assert all(size >= least for size, least in zip(unet.output(given), wanted, strict=True))
    smaller = unet.output(tuple(size - step for size, step in zip(given, unet.step, strict=True)))
    assert all(size < least for size, least in zip(smaller, wanted, strict=True))


def test_the_cost_is_that_of_the_convolutions(unet):
    shape = unet.input((6, 12, 12))
    given = torch.zeros((1, 1, *shape), device="meta")
    with FlopCounterMode(display=False) as plain:
        unet_torch.module(unet).to("meta")(given)
    prepared = unet_lean.prepared(unet, weights(unet))
    tensors = {name: torch.from_numpy(array).to("meta") for name, array in prepared.items()}
    with FlopCounterMode(display=False) as lean:
        unet_lean.logits(unet, tensors, given, layers_torch)
    assert unet.flops(shape) == plain.get_total_flops()
    assert unet.flops(shape, lean=True) == lean.get_total_flops()


def test_incasems_description_is_its_network_and_comes_back():
    assert from_keys(KEYS) == from_keys({}) == THEIRS
    for unet in (THEIRS, ANISOTROPIC, ODD):
        assert from_keys(unet.to_keys()) == unet


def test_a_number_stands_for_three():
    three = from_keys({"downsample_factors": [2], "kernel_size_down": [[3], [5, [1, 3, 3]]], "kernel_size_final": 1})
    assert three.factors == ((2, 2, 2),) and three.final == (1, 1, 1)
    assert three.down == (((3, 3, 3),), ((5, 5, 5), (1, 3, 3))) and three.up == (((3, 3, 3), (3, 3, 3)),)


FAULTS = {
    "num_fmap": (8, 'unknown key "num_fmap". Did you mean num_fmaps?'),
    "type": ("MultitaskUnet", "MultitaskUnet"),
    "num_fmaps": (True, "num_fmaps must be"),
    "num_fmaps_out": (1, "num_fmaps_out must be a whole number from 2 on"),
    "fmap_inc_factor": (1.5, "fmap_inc_factor must be"),
    "downsample_factors": ([[2, 2]], "downsample_factors must be"),
    "constant_upsample": (False, "constant_upsample must be true"),
    "kernel_size_down": ([[[2, 3, 3]]] * 4, "kernel_size_down must be a list of 4 levels"),
    "kernel_size_up": ([[]] * 3, "kernel_size_up must be a list of 3 levels"),
    "kernel_size_final": (2, "kernel_size_final must be three odd numbers"),
}


def test_all_faults_of_a_description_are_said_at_once():
    with pytest.raises(Problems) as raised:
        from_keys({key: value for key, (value, _) in FAULTS.items()}, "net.yaml")
    sentences = raised.value.sentences
    assert len(sentences) == len(FAULTS) and all(sentence.startswith("net.yaml: ") for sentence in sentences)
    for _, part in FAULTS.values():
        assert any(part in sentence for sentence in sentences), part


# The same algebra


@pytest.mark.parametrize("factor, kernel", list(itertools.product([(2, 2, 2), (1, 2, 3)], [(3, 3, 3), (1, 5, 3)])))
def test_a_transposed_convolution_is_one_of_enlarged_maps(factor, kernel):
    draw = np.random.default_rng(1)
    maps, weights = draw.normal(size=(1, 2, 6, 7, 8)), draw.normal(size=(3, 2, *kernel)).astype(np.float32)
    enlarged = maps
    for axis, times in enumerate(factor, 2):
        enlarged = enlarged.repeat(times, axis)
    tensor = torch.nn.functional.conv3d(torch.from_numpy(enlarged), torch.from_numpy(weights).double())
    rise = torch.from_numpy(unet_lean.of_enlarged(weights, factor)).double()
    found = layers_torch.transposed(torch.from_numpy(maps), rise, factor, [side - 1 for side in kernel])
    assert torch.allclose(found, tensor, rtol=0, atol=1e-5)
