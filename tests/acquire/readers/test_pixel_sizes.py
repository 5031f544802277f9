"""The size of a pixel is what the file states, in micrometres, and nothing where it states none."""

import json

import numpy as np
import pytest
import tifffile

from make_zarr import noise, write
from windows import image_of

PIXELS = np.zeros((16, 20), np.uint16)


def ome(size=None, unit=None, y=None):
    about = {"axes": "YX"}
    for axis, value in zip("XY", (size, size if y is None else y), strict=True):
        about |= {f"PhysicalSize{axis}": value} if value is not None else {}
        about |= {f"PhysicalSize{axis}Unit": unit} if unit else {}
    return {"ome": True, "metadata": about}


def imagej(per_unit, unit):
    return {"imagej": True, "resolution": (per_unit, per_unit), "metadata": {"unit": unit}}


def tags(per_unit, unit):
    return {"resolution": (per_unit, per_unit), "resolutionunit": unit, "metadata": None}


STATED = {
    "OME-XML, unit unsaid": (ome(0.325), (0.325, 0.325, "OME-XML")),
    "OME-XML, nm": (ome(325, "nm"), (0.325, 0.325, "OME-XML")),
    "OME-XML, mm": (ome(0.002, "mm"), (2, 2, "OME-XML")),
    "OME-XML, not square": (ome(0.5, "µm", y=0.25), (0.25, 0.5, "OME-XML")),
    "OME-XML, pixels": (ome(1, "pixel"), None),
    "OME-XML, of its own": (ome(1, "reference frame"), None),
    "OME-XML, one edge": ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.5}}, None),
    "OME-XML, 0": (ome(0, "µm"), None),
    "OME-XML, none": (ome(), None),
    "ImageJ, micron": (imagej(4, "micron"), (0.25, 0.25, "ImageJ")),
    "ImageJ, um": (imagej(4, "um"), (0.25, 0.25, "ImageJ")),
    "ImageJ, µm": (imagej(4, "\\u00B5m"), (0.25, 0.25, "ImageJ")),
    "ImageJ, pixels": (imagej(1, "pixel"), None),
    "ImageJ, none": ({"imagej": True}, None),
    "per centimetre": (tags(20000, "CENTIMETER"), (0.5, 0.5, "resolution tags")),
    "per inch": (tags(50800, "INCH"), (0.5, 0.5, "resolution tags")),
    "a printer's 300": (tags(300, "INCH"), None),
    "a screen's 72": (tags(72, "INCH"), None),
    "no unit": (tags(2, "NONE"), None),
    "nothing": ({"metadata": None}, None),
}


@pytest.mark.parametrize("options, stated", STATED.values(), ids=STATED)
def test_a_tiff_states_the_size_of_its_pixels_or_has_none(options, stated, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, **options)
    with image_of(tmp_path / "a.tif") as image:
        assert image.pixel_size == (
            None if stated is None else (pytest.approx(stated[0]), pytest.approx(stated[1]), stated[2])
        )


def scaled(*scales, unit="micrometer"):
    """Change an image's description: a scale of level 0, and one of all levels."""

    def change(multiscale):
        for axis in multiscale["axes"]:
            if axis["name"] in "yx" and unit:
                axis["unit"] = unit
        holders = [multiscale["datasets"][0], multiscale]
        for holder, scale in zip(holders, scales, strict=False):
            holder["coordinateTransformations"] = [{"type": "scale", "scale": scale}]

    return change


def both(y, x):
    return [1.0, 1.0, 1.0, y, x]


OF_ZARR = {
    "micrometres": (scaled(both(0.25, 0.5)), (0.25, 0.5, "OME-Zarr")),
    "nanometres": (scaled(both(250, 500), unit="nanometer"), (0.25, 0.5, "OME-Zarr")),
    "of all levels too": (scaled(both(1.0, 2.0), both(0.25, 0.25)), (0.25, 0.5, "OME-Zarr")),
    "no unit": (scaled(both(0.25, 0.5), unit=None), None),
    "no length": (scaled(both(0.25, 0.5), unit="second"), None),
    "no scale": (scaled(), None),
    "too few": (scaled([0.25]), None),
    "words": (scaled(both("a", "b")), None),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("change, stated", OF_ZARR.values(), ids=OF_ZARR)
def test_an_ome_zarr_states_the_size_of_its_pixels_or_has_none(change, stated, version, tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), version)
    path = folder / (".zattrs" if version == 2 else "zarr.json")
    content = json.loads(path.read_text())
    holder = content if version == 2 else content["attributes"]["ome"]
    change(holder["multiscales"][0])
    path.write_text(json.dumps(content))
    with image_of(folder) as image:
        assert image.pixel_size == stated
