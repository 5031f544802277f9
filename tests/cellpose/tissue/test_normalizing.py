"""NORMALIZE: what the steps after it are shown is what scikit-image makes of the whole slide."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import exposure, transform
from test_steps import as_process, in_process, packet_of, write_channels

import onnx_networks
import slides
from idrstream.base import files, task
from idrstream.cells import heads
from idrstream.tissue import normalizing, tiles

SHAPE = 410, 530


def nuclear(seed, level=4000):
    random = np.random.default_rng(seed)
    image = ndimage.gaussian_filter((slides.crowded(SHAPE, 80, seed) > 0) * float(level), 1.5)
    return (image + random.normal(200, 20, SHAPE)).clip(0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A slide of three channels of nuclei, one membrane and one of one level, as READ left it."""
    folder = tmp_path_factory.mktemp("slide")
    planes = [nuclear(1), nuclear(2, 900), nuclear(3), np.full(SHAPE, 77, np.uint16)]
    write_channels(folder / "a.ome.tif", *planes)
    channels = [dict(file=0, channel=n, frame=0, number=n + 1, name=name) for n, name in enumerate("ABMC")]
    more = {"nuclear": [channels[0], channels[3], channels[1]], "membrane": [channels[2]]}
    more["scales"] = {"nuclei": [1.3, 1.3], "cells": [1.3, 1.3]}
    files.write_json(folder / "packet.json", packet_of(folder / "a.ome.tif", SHAPE) | more)
    in_process("tissue_read", folder / "packet.json", folder / "scratch")
    return folder, planes


def shown(folder, normalized):
    look = normalizing.read(normalized, files.read_json(folder / "packet.json"), folder / "scratch")
    return look(tiles.Box(0, look.shape[0], 0, look.shape[1]))


def by_scikit_image(image, shape):
    image = transform.resize(image.astype(np.float32), shape, order=1, mode="constant", preserve_range=True)
    image = np.minimum(image, np.float32(np.percentile(image[image != 0].astype(np.float64), 99.9)))
    return exposure.equalize_adapthist(exposure.rescale_intensity(image, out_range=(0.0, 1.0)), kernel_size=128)


def test_channels_are_combined_to_their_maximum_and_resized(slide, tmp_path):
    """0.65 µm a pixel, and 0.5 of the network; as a task of its own, by two threads."""
    folder, planes = slide
    model, out = onnx_networks.echo(tmp_path / "a.onnx"), tmp_path / "out"
    arguments = folder / "packet.json", folder / "scratch", out, "--model", model, "--layers", "nuclei,cells"
    as_process("tissue_normalize", *arguments, "--threads", 2)
    facts, found = files.read_json(out / "normalized.json"), shown(folder, out)
    assert facts["scale"] == [1.3, 1.3] and facts["shape"] == [533, 689] and found.shape == (2, 533, 689)
    for channel, plane in zip(found, (np.maximum(planes[0], planes[1]), planes[2]), strict=True):
        np.testing.assert_allclose(channel, by_scikit_image(plane, (533, 689)), rtol=0, atol=1e-6)
    assert facts["warnings"] == ["channel 4 C has one grey level: the network was not shown it"]
    cost = files.read_json(out / "normalize.cost.json")
    assert cost["step"] == "normalize" and cost["pixels"] == 410 * 530


def stated(**more):
    return heads.Heads(2, False, 256, ("cells", "nuclei"), 0.5, None)._replace(**more)


def test_a_slide_without_a_membrane_has_a_channel_of_zeros(slide, tmp_path):
    folder, _ = slide
    packet = files.read_json(folder / "packet.json")
    for name, given, empty in (
        ("none", {"membrane": []}, [False, True]),
        ("one level", {"membrane": packet["nuclear"][1:2]}, [False, True]),
    ):
        (tmp_path / name).mkdir()
        normalizing.normalize(packet | given, folder / "scratch", tmp_path / name, stated(), (1.0, 1.0))
        look = normalizing.read(tmp_path / name, packet | given, folder / "scratch")
        found = look(tiles.Box(0, 410, 0, 530))
        assert look.shape == SHAPE and [not channel.any() for channel in found] == empty


def test_a_channel_that_has_one_level_but_for_few_pixels_is_told(tmp_path):
    plane = np.full(SHAPE, 200, np.uint16)
    plane[100, 100] = 4000
    write_channels(tmp_path / "a.ome.tif", plane, nuclear(1))
    channels = [dict(file=0, channel=n, frame=0, number=n + 1, name=name) for n, name in enumerate("AB")]
    packet = packet_of(tmp_path / "a.ome.tif", SHAPE) | {"nuclear": channels[1:], "membrane": channels[:1]}
    files.write_json(tmp_path / "packet.json", packet)
    in_process("tissue_read", tmp_path / "packet.json", tmp_path / "scratch")
    facts = normalizing.normalize(packet, tmp_path / "scratch", tmp_path, stated(), (1.0, 1.0))
    assert facts["channels"]["membrane"] is None and facts["channels"]["nuclear"]
    (warning,) = facts["warnings"]
    assert warning.startswith("channel 1 A has one grey level in the network's pixels")
    assert warning.endswith("the network was not shown it")


def test_a_network_of_one_channel_is_shown_the_nuclei(slide, tmp_path):
    folder, planes = slide
    packet = files.read_json(folder / "packet.json")
    facts = normalizing.normalize(packet, folder / "scratch", tmp_path, stated(channels=1), (0.5, 0.5))
    assert facts["shape"] == (205, 265) and list(facts["channels"]) == ["nuclear"]
    (found,) = shown(folder, tmp_path)
    wanted = by_scikit_image(np.maximum(planes[0], planes[1]), (205, 265))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "properties, words",
    [
        ({"heads": "nuclei"}, "4 outputs"),
        ({"pixel_size": "0"}, "above 0"),
    ],
)
def test_what_the_user_has_to_mend_leaves_nothing(slide, tmp_path, properties, words):
    folder, _ = slide
    packet, model = folder / "packet.json", onnx_networks.echo(tmp_path / "a.onnx", **properties)
    with pytest.raises(task.UserError, match=words):
        in_process("tissue_normalize", packet, folder / "scratch", tmp_path / "out", "--model", model)
    assert not (tmp_path / "out").exists()
