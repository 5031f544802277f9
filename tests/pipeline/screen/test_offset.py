"""A camera's offset that nobody gives, from the plate's frames to the tables."""

import json

import numpy as np
import pytest
import tifffile
from runs import rms
from streams import Stream

from make_screen import OFFSET, make_screen

PLATE = "DM0001_01"


@pytest.fixture(scope="module")
def estimated(light, tmp_path_factory):
    """A run over one plate of eight wells, whose offset is to be estimated."""
    folder = tmp_path_factory.mktemp("offset")
    make_screen(folder / "screen", plates=[PLATE], wells=range(1, 9), frames=1, shape=(512, 672))
    run = Stream(light, folder / "screen", folder / "run").run("--illumination", "plate", "--stop_after", "qc")
    assert run.code == 0, run.said
    return run


def test_the_offset_is_estimated_said_and_told_of_every_image(estimated):
    facts = json.loads((estimated.out / f"flatfields/{PLATE}/fields.json").read_text())
    offset = facts["fields"][PLATE]["camera_offset"]
    assert offset["state"] == "rough" and offset["low"] <= OFFSET <= offset["high"]
    assert offset["offset"] == facts["offset"]
    roughly = f"roughly, {offset['low']} to {offset['high']} grey levels from {offset['nuclei']} nuclei"
    assert f"{PLATE}: the camera's offset is estimated {roughly}" in estimated.said
    columns = estimated.images[["camera_offset", "offset_low", "offset_high", "offset_bound"]].astype(float)
    assert (columns == [offset[name] for name in ("offset", "low", "high", "bound")]).all(axis=None)
    assert set(estimated.images["offset_state"]) == {"rough"}
    field = tifffile.imread(estimated.out / f"flatfields/{PLATE}/{PLATE}.tif")
    assert rms(field / np.load(estimated.folder.parent / f"screen/truth/{PLATE}_flatfield.npy")) < 0.05
