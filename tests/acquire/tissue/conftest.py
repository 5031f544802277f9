"""Tables of slides and the plans that are made of them."""

import numpy as np
import pytest
import tifffile

from idrstream.base.tables import Problems
from idrstream.tissue import plan
from planning import RULES, SCHEMA

DEFAULTS = {
    name: rule["x-workflows"]["tissue"].get("default")
    for name, rule in RULES.items()
    if "tissue" in rule["x-workflows"]
}
DEFAULTS |= {"workflow": "tissue", "redo": False, "connections": 4, "max_failed": 0.05, "require_gpu": False}
DEFAULTS |= {"keep_intermediates": False, "input": "slides.csv", "outdir": "out"}
NAMES = ["DNA1", "CD3", "CD8"]


@pytest.fixture
def defaults():
    """The params of a small run on the table slides.csv."""
    return DEFAULTS


@pytest.fixture
def here(tmp_path):
    """A folder with everything a run names, and a slide of three channels, 300 x 400 pixels of 0.5 µm."""
    (tmp_path / "out").mkdir()
    (tmp_path / "model.pth").write_bytes(b"weights")
    metadata = {"axes": "CYX", "Channel": {"Name": NAMES}} | {f"PhysicalSize{a}": 0.5 for a in "XY"}
    pixels = np.zeros((3, 300, 400), np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=metadata, tile=(128, 128), photometric="minisblack")
    tifffile.imwrite(tmp_path / "grey.tif", pixels[0])
    return tmp_path


@pytest.fixture
def planned(here):
    """A function that plans a run on a table of these lines, below its header."""

    def planned(*lines, header="slide,image,nuclear,pixel_size,region", **changed):
        (here / "slides.csv").write_text("\n".join([header, *lines]) + "\n")
        given = {"input": here / "slides.csv", "model": here / "model.pth", "outdir": here / "out"}
        given |= {name: here / changed[name] for name in ("model", "markers", "cell_model") if changed.get(name)}
        given = {name: path for name, path in given.items() if path.exists()}
        return plan.make(DEFAULTS | changed, str(here), "first", given, SCHEMA)

    return planned


@pytest.fixture
def refused(planned):
    """A function that gives the sentences with which a table is refused."""

    def refused(*lines, **changed):
        with pytest.raises(Problems) as problems:
            planned(*lines, **changed)
        return problems.value.sentences

    return refused
