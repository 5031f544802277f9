"""Grey levels of a TIFF, by what it says of white, of places without a pixel and of colours."""

import struct

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import (
    NotReadable,
    UnwrittenFrame,
)
from reading import assert_says, frames_of, noise, same
from tiff_stacks import imagej, ome


@pytest.mark.parametrize("dtype, bits", [("u1", 8), ("u2", 16), ("u2", 12), ("u4", 32)])
def test_where_0_is_white_the_levels_are_turned_round_within_their_bits(dtype, bits, tmp_path):
    image = np.random.default_rng(0).integers(0, 2**bits, (32, 40), dtype)
    packed = {} if bits == np.dtype(dtype).itemsize * 8 else {"bitspersample": bits}
    tifffile.imwrite(tmp_path / "a.tif", 2**bits - 1 - image, photometric="miniswhite", **packed)
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_where_0_is_white_and_there_is_no_black_the_image_is_refused(dtype, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(1, (32, 40))[0].astype(dtype), photometric="miniswhite")
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif frame 1: 0 is white in it.*Invert", NotReadable)


def test_a_palette_from_white_to_black_is_turned_round_and_another_is_colours_for_grey_levels(tmp_path):
    image = noise(1, (32, 40))[0]
    rising = np.arange(256, dtype=np.uint16) * 257
    fire = np.stack([rising, rising[::-1], np.zeros_like(rising)])
    for colormap, wanted in ([rising] * 3, image), ([rising[::-1]] * 3, 255 - image), (fire, image):
        tifffile.imwrite(tmp_path / "a.tif", image, photometric="palette", colormap=np.stack(colormap))
        assert same(frames_of(tmp_path / "a.tif", [1])[1], wanted)


def test_where_0_is_white_the_bits_are_those_that_ome_xml_says(tmp_path):
    image = noise(1, (32, 40))[0].astype(np.uint16) * 16
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint16" SignificantBits="12" SizeX="40" SizeY="32" SizeC="1" SizeZ="1" SizeT="1">'
        "<TiffData/></Pixels></Image></OME>"
    )
    options = {"photometric": "miniswhite", "description": xml, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", 4095 - image, **options)
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


LOWEST = float(np.finfo("f4").min)


@pytest.mark.parametrize("dtype, said, held, masked", [
    ("f4", "nan", np.nan, True), ("f4", "-9999", -9999, True), ("f4", " -9999,5 ", -9999.5, True),
    ("f4", "-3.4028234663852886e+38", LOWEST, True), ("f4", "-3.40282346638529e+38", LOWEST, True),
    ("f4", "-1.797e308", -np.inf, True), ("f8", "-1.797e308", -1.797e308, True), ("f2", "-9999.3", -9999.3, True),
    ("f4", "0.5", 0.5, False), ("f4", "none", -9999, False), ("f4", "", -9999, False), ("u2", "0", 0, False),
])  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_gdals_value_for_no_data_is_a_mask_where_it_is_no_grey_level(dtype, said, held, masked, tmp_path):
    image = noise(1, (32, 40))[0].astype(dtype)
    image[:4, :5] = held
    tag = (42113, 2, len(said) + 1, said, True)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", metadata=None, extratags=[tag])
    found = frames_of(tmp_path / "a.tif", [1])[1]
    if not masked:
        assert same(found, image) and not np.ma.isMaskedArray(found)
        return
    empty = np.zeros(image.shape, bool)
    empty[:4, :5] = True
    assert np.array_equal(found.mask, empty) and np.array_equal(found.data[~empty], image[~empty])
    assert np.all(found.data[empty] == np.median(image[~empty]))


def test_a_place_without_a_pixel_in_one_plane_has_the_brightest_pixel_of_the_others(tmp_path):
    planes = [[[100, 100], [90, -1], [-1, -1]], [[5, 6], [7, 5], [-1, 8]]]
    imagej(tmp_path / "a.tif", np.float32(planes), "Z", extratags=[(42113, 2, 3, "-1", False)])
    found = frames_of(tmp_path / "a.tif", [1], z="max")[1]
    assert found.data.tolist() == [[100, 100], [90, 5], [90, 8]]  # 90: the median of the five
    assert found.mask.tolist() == [[False, False], [False, True], [True, True]]
    nothing = [[[-1, -1]] * 3]
    imagej(tmp_path / "b.tif", np.float32(planes + nothing), "Z", extratags=[(42113, 2, 3, "-1", False)])
    whole = frames_of(tmp_path / "b.tif", [1], z="max")[1]
    assert np.array_equal(whole.data, found.data) and whole.mask.all(), "one plane is lost as a whole"
    imagej(tmp_path / "a.tif", np.float32(nothing * 2), "Z", extratags=[(42113, 2, 3, "-1", False)])
    assert_says(frames_of(tmp_path / "a.tif", [1], z="max")[1], "none of its pixels was ever written", UnwrittenFrame)


def test_without_a_word_on_white_black_is_0(tmp_path):
    image = noise(1, (32, 40))[0]
    tifffile.imwrite(tmp_path / "a.tif", image, metadata=None)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(struct.pack("<H", 262), struct.pack("<H", 263), 1))
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


@pytest.mark.parametrize("write", [ome, imagej])
def test_a_stack_in_colour_is_refused_with_the_remedy(write, tmp_path):
    images = noise(3, (32, 40, 3))
    metadata = {"axes": "TYXS"}
    how = {"ome": True} if write is ome else {"imagej": True}
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="rgb", metadata=metadata, **how)
    refused = frames_of(tmp_path / "a.tif", [2])[2]
    assert_says(refused, "a.tif: grey images are needed.*Split Channels", NotReadable)
