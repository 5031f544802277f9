"""The slide of the demo: what its file says, and that it is the same every time."""

import hashlib

import numpy as np
import pytest
import tifffile

from idrstream import readers
from idrstream.sources import open_location
from make_slide import make_slide

SIZE = (700, 2100)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slide")
    make_slide(folder, size=SIZE, truth=True)
    return folder


def test_the_file_tells_its_channels_its_pixel_size_and_its_levels(made):
    with open_location(made / "slide.ome.tif") as file, readers.open_image(file, "slide.ome.tif") as image:
        assert image.shape == (1, 6, 1, *SIZE) and image.dtype == np.uint16
        assert tuple(image.channels) == ("DNA1", "CD3", "CD8", "CD20", "PanCK", "DNA2")
        assert image.pixel_size == (0.325, 0.325, "OME-XML")
        assert [level.shape for level in image.levels] == [SIZE, (350, 1050), (175, 525)]
        assert image.levels[0].tile == (512, 512)
        half = image.window(0, 0, 0, 1, 0, 350, 0, 1050)
        whole = image.plane(0, 0, 0).reshape(350, 2, 1050, 2).mean((1, 3))
    assert np.abs(half - whole).max() <= 0.5


def test_the_same_arguments_give_the_same_bytes(made, tmp_path):
    make_slide(tmp_path, size=SIZE)
    assert digest(tmp_path / "slide.ome.tif") == digest(made / "slide.ome.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slide.ome.tif", "slides.csv"]


def test_nuclei_are_bright_where_the_truth_has_them_and_touch(made):
    labels, image = tifffile.imread(made / "labels.tif"), tifffile.imread(made / "slide.ome.tif", key=0)
    assert np.median(image[labels > 0]) > 5 * np.median(image[labels == 0])
    left, right = labels[:, :-1], labels[:, 1:]
    touching = set(right[(left != right) & (left > 0) & (right > 0)])
    assert len(touching) > 0.1 * labels.max() > 50


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
