"""Checkpoints of the U-Net of incasem: read without torch, and fitted to a network."""

import os
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.volume import checkpoint, unet_torch
from idrstream.volume.unet import Unet
from unets import ANISOTROPIC, ODD, SMALL, weights


def tensors(unet, seed=0):
    return {name: torch.from_numpy(array) for name, array in weights(unet, seed).items()}


def save(path, content, zipped=True):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def faults(action, *args):
    with pytest.raises(Problems) as raised:
        action(*args)
    return raised.value.sentences


@pytest.fixture
def theirs(tmp_path):
    """A file as incasem writes it: a trained network, and its optimizer."""
    module = unet_torch.module(SMALL)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-5, weight_decay=3e-5)
    module(torch.zeros((1, 1, *SMALL.input((4, 4, 4))))).sum().backward()
    optimizer.step()
    content = {"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    return save(tmp_path / "model_checkpoint_41000", content), content["model_state_dict"]


def test_incasems_file_has_the_weights_that_torch_reads(theirs):
    path, state = theirs
    found = checkpoint.read(path)
    assert list(found.weights) == list(state)
    assert all(np.array_equal(found.weights[name], state[name].numpy()) for name in state)
    assert (found.iteration, found.keys, found.sha256) == (41000, None, files.sha256(path))
    assert all(array.dtype == np.float32 for array in found.weights.values())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
@pytest.mark.parametrize("unet", [SMALL, ANISOTROPIC, ODD])
def test_ours_says_its_iteration_and_network(zipped, unet, tmp_path):
    content = {"model_state_dict": OrderedDict(tensors(unet)), "iteration": 7, "network": unet.to_keys()}
    found = checkpoint.read(save(tmp_path / "a.pt", content, zipped))
    assert found.iteration == 7 and checkpoint.fit(found) == (unet, [])


def test_tensors_alone_are_a_checkpoint_whose_network_is_seen_in_them(tmp_path):
    unet = Unet(maps=3, outputs=4, growth=3, down=(((3, 3, 3), (1, 3, 3)),) + (((3, 1, 3),),) * 3)
    found = checkpoint.read(save(tmp_path / "model_checkpoint_1841_er_CF.pt", tensors(unet)))
    seen, (sentence,) = checkpoint.fit(found)
    assert seen == unet and found.iteration is None  # 1841 is the number of a run
    assert "pools: 2,2,2; 2,2,2; 2,2,2 is assumed" in sentence and "downsample_factors" in sentence


def test_factors_of_the_network_file_are_taken(tmp_path):
    found = checkpoint.read(save(tmp_path / "a.pt", tensors(ANISOTROPIC)))
    assert checkpoint.fit(found, ANISOTROPIC) == (ANISOTROPIC, [])


def test_double_precision_becomes_single(tmp_path):
    double = {name: tensor.double() for name, tensor in tensors(SMALL).items()}
    found = checkpoint.read(save(tmp_path / "a.pt", double)).weights
    assert all(np.array_equal(found[name], array) for name, array in weights(SMALL).items())


# What does not fit


def test_all_tensors_that_do_not_fit_are_named_at_once(tmp_path):
    state = tensors(SMALL)
    del state["unet.l_conv.1.conv_pass.2.weight"], state["final_conv_pass.conv_pass.0.bias"]
    state["unet.r_up.0.weight"] = torch.zeros(3)
    state["unet.r_conv.0.1.conv_pass.0.weight"] = torch.zeros(8, 23, 3, 3, 3)
    missing, besides, shape = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", state)))
    assert missing.startswith("a.pt: tensors missing (2): unet.l_conv.1.conv_pass.2.weight, final_conv_pass")
    assert besides == "a.pt: tensors not of the network (1): unet.r_up.0.weight"
    assert "unet.r_conv.0.1.conv_pass.0.weight is 8 x 23 x 3 x 3 x 3 and not 8 x 24 x 3 x 3 x 3" in shape


def test_names_before_there_were_several_heads_are_said_to_be_missing(tmp_path):
    old = {name.replace("r_conv.0.", "r_conv."): tensor for name, tensor in tensors(Unet(maps=2)).items()}
    missing, besides = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", old)))
    assert "tensors missing (12): unet.r_conv.0.0.conv_pass.0.weight" in missing
    assert "tensors not of the network (12): unet.r_conv.0.conv_pass.0.weight" in besides


@pytest.mark.parametrize(
    "stated, words",
    [
        (Unet(maps=32, factors=SMALL.factors), "its network has num_fmaps 4, and the network file says 32"),
        (Unet(maps=4, outputs=3, factors=SMALL.factors), "num_fmaps_out 2, and the network file says 3"),
        (Unet(maps=4), "its network pools 2 times, and the network file says 3"),
        (
            Unet(maps=4, factors=SMALL.factors, final=(1, 3, 3)),
            "kernel_size_final [3, 3, 3], and the network file says",
        ),
    ],
)
def test_another_network_than_the_files_is_said_in_a_sentence(stated, words, tmp_path):
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", tensors(SMALL))), stated)
    assert words in fault


def test_a_description_of_another_network_is_refused(tmp_path):
    content = {"model_state_dict": tensors(SMALL), "network": Unet(maps=8, factors=SMALL.factors).to_keys()}
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", content)))
    assert fault == "a.pt: its network has num_fmaps 4, and its own description says 8"


def test_factors_other_than_the_checkpoints_own_are_refused(tmp_path):
    content = {"model_state_dict": tensors(SMALL), "network": SMALL.to_keys()}
    other = Unet(maps=4, factors=((1, 2, 2), (2, 2, 2)))
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", content)), other)
    assert (
        "trained with a pooling of 2,2,2; 2,2,2 (downsample_factors), and the network file says 1,2,2; 2,2,2" in fault
    )


def test_weights_that_are_not_finite_and_even_kernels_are_refused(tmp_path):
    state = tensors(Unet(maps=2, factors=((2, 2, 2),), final=(2, 3, 3)))
    state["unet.l_conv.0.conv_pass.0.bias"][1] = torch.nan
    even, void = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", state)))
    assert "kernels of 2 voxels are not supported" in even
    assert "unet.l_conv.0.conv_pass.0.bias holds numbers that are not finite" in void


def test_a_network_of_one_output_is_refused(tmp_path):
    state = tensors(Unet(maps=2, outputs=1, factors=((2, 2, 2),)))
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", state)))
    assert "its network has one output" in fault


def test_another_networks_weights_are_refused(tmp_path):
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", {"conv.weight": torch.zeros(3)})))
    assert "not a checkpoint of incasem's U-Net" in fault and "conv.weight" in fault


# Files that are none


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
def test_a_file_cannot_name_a_program_however_deep(zipped, tmp_path):
    class Program:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'run')!r}, 'w')",)

    content = {"model_state_dict": tensors(SMALL), "optimizer_state_dict": {"state": [Program()]}}
    (fault,) = faults(checkpoint.read, save(tmp_path / "a.pt", content, zipped))
    assert "not a checkpoint" in fault and "exec" in fault
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
def test_a_file_that_ends_early_is_refused(zipped, tmp_path):
    path = save(tmp_path / "a.pt", {"model_state_dict": tensors(SMALL)}, zipped)
    os.truncate(path, path.stat().st_size // 2)
    (fault,) = faults(checkpoint.read, path)
    assert "a.pt: not a checkpoint, or not all of one" in fault


@pytest.mark.parametrize(
    "content, words",
    [
        ([1, 2], "it holds a list"),
        ({"epoch": 3}, "neither"),
        ({"model_state_dict": {}}, "neither"),
        ({"model_state_dict": {"a": "b"}}, "neither"),
        ({"model_state_dict": {"a": torch.zeros(2)}, "loss": np.float64(1)}, "numpy"),
    ],
)
def test_what_torch_saved_of_something_else_is_refused(content, words, tmp_path):
    (fault,) = faults(checkpoint.read, save(tmp_path / "a.pt", content))
    assert fault.startswith("a.pt: not a checkpoint") and words in fault


def test_files_of_other_kinds_are_refused(tmp_path):
    assert "there is no such file" in faults(checkpoint.read, tmp_path / "a.pt")[0]
    (tmp_path / "empty.pt").touch()
    assert "not a checkpoint" in faults(checkpoint.read, tmp_path / "empty.pt")[0]
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("a.txt", "text")
    assert "not a checkpoint" in faults(checkpoint.read, tmp_path / "zip.pt")[0]
    assert "not a checkpoint" in faults(checkpoint.read, tmp_path)[0]  # a folder


def test_a_description_that_is_none_is_a_fault(tmp_path):
    content = {"model_state_dict": tensors(SMALL), "network": {"num_fmap": 4}}
    (fault,) = faults(checkpoint.fit, checkpoint.read(save(tmp_path / "a.pt", content)))
    assert fault == 'a.pt: unknown key "num_fmap". Did you mean num_fmaps?'
