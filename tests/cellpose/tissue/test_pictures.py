"""Which places of a slide its pictures show."""

import numpy as np

import measured_slides
from idrstream.base import files
from idrstream.tissue import assembly

SHAPE = 600, 1800


def test_cells_without_nuclei_are_shown_where_they_lie(tmp_path):
    images = {"nuclei": np.zeros(SHAPE, np.uint32), "cells": np.zeros(SHAPE, np.uint32)}
    images["cells"][20:30, 1700:1710] = 5
    folders = [measured_slides.layer(tmp_path / name, image, 512) for name, image in images.items()]
    packet = {"size": list(SHAPE), "tile": 512, "pixel_size": None, "region": None}
    found = assembly.Found(packet, *folders)
    (picture,) = assembly.pictures(tmp_path, found, None, images)
    y0, y1, x0, x1 = picture["box"]
    assert y0 <= 20 < y1 and x0 <= 1700 < x1 and files.sha256(tmp_path / picture["file"])


def test_without_nuclei_and_cells_the_middle_is_shown(tmp_path):
    image = np.zeros(SHAPE, np.uint32)
    folder = measured_slides.layer(tmp_path / "nuclei", image, 512)
    found = assembly.Found({"size": list(SHAPE), "tile": 512, "pixel_size": None, "region": None}, folder)
    (picture,) = assembly.pictures(tmp_path, found, None, {"nuclei": image})
    assert picture["box"] == [44, 556, 644, 1156]
