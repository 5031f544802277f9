"""Flat-fields, diameters, label images, what is told of nuclei, and deep features are what they were."""

import numpy as np
import pytest
import torch

from golden import CENTRES, SHAPE, assert_golden, nuclei
from idrstream.cells import crops, embedding, segmentation
from idrstream.cells import nuclei as told
from idrstream.screen import illumination
from keras_checkpoints import write_b0
from repository import MODEL


@pytest.fixture(scope="module")
def segmenter():
    return segmentation.Segmenter(MODEL, device="cpu")


def vignetted(number):
    """A frame of one nucleus, at a place of its own, under the light of the plate."""
    image, _ = nuclei(SHAPE, [CENTRES[number]])
    rows, columns = (np.linspace(-1, 1, side) for side in SHAPE)
    light = 1.1 - 0.3 * (rows[:, None] ** 2 + columns**2)
    return np.rint((image + 200) * light).astype(np.uint16)


def test_flat_field():
    plate = illumination.of_plate([vignetted(number) for number in range(12)], offset=6.0)
    assert_golden("flatfield", [*plate.field[::53, ::66].ravel(), plate.halves, *plate.used], rtol=1e-3)


def test_diameter(segmenter):
    assert_golden("diameter", segmenter.estimate_diameter([nuclei()[0]], segmentation.plate_area))


def test_label_images(segmenter):
    labels = segmenter(nuclei()[0], diameter=22.0)
    assert_golden("segment", np.bincount(labels.ravel()), rtol=0, atol=2)  # pixels


def test_what_is_told_of_nuclei():
    _, labels = nuclei()
    columns = np.concatenate([column[::5] for column in told.table(labels).values()])
    assert_golden("cells", [*columns, *map(len, told.outlines(labels))])


class Small(torch.nn.Module):
    """A network for the engine that takes any."""

    def forward(self, pixels):
        wave = torch.arange(9, dtype=torch.float32).reshape(1, 1, 3, 3).expand(2, 3, 3, 3).sin()
        return torch.nn.functional.conv2d(pixels, wave * torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)).abs()


def network_of(engine, folder):
    """The file of the network that an engine is given; None where it has its own."""
    if engine == "torchscript":
        torch.jit.save(torch.jit.script(Small()), folder / "net.pt")
        return folder / "net.pt"
    return write_b0(folder / "b0.h5") if engine == "efficientnet-b0" else None


def test_every_engine_has_a_version():
    assert embedding.VERSIONS.keys() == embedding.ENGINES.keys()


@pytest.mark.parametrize("engine", embedding.ENGINES)
@pytest.mark.parametrize("rule", crops.RULES)
def test_deep_features(engine, rule, tmp_path):
    made = embedding.ENGINES[engine](64, "cpu", rule, network_of(engine, tmp_path))
    image, labels = nuclei()
    boxes = crops.around(image, np.array(CENTRES, float)[:3], labels, np.arange(1, 4))
    ((_, features),) = embedding.embed(made, [("image", boxes)])
    found = features if engine == "torchscript" else features[:, ::300]
    assert_golden(f"embed.{engine}", found, rtol=1e-3, atol=1e-5, case=rule)
