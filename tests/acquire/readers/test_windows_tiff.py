"""Windows of a TIFF: the pixels that tifffile finds there, in whatever way they are stored."""

import struct

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import NotReadable, UnwrittenFrame
from reading import assert_says
from support import DATA
from windows import assert_windows_are_cut_out_of, image_of

PAINTING = DATA / "tissue/painting_6ch.ome.tif"
SHAPE = (150, 206)  # no multiple of a tile


def noise(*lead, dtype=np.uint16, shape=SHAPE):
    levels = np.random.default_rng(0).integers(0, 200, (*lead, *shape))
    return (levels * (1 if np.dtype(dtype).itemsize == 1 else 200)).astype(dtype)


STORED = {
    "tiles": {"tile": (32, 48)},
    "packed tiles": {"tile": (32, 48), "compression": "zlib", "predictor": True},
    "tiles wider than the image": {"tile": (256, 256), "compression": "zlib"},
    "strips": {"rowsperstrip": 7},
    "packed strips": {"rowsperstrip": 7, "compression": "zlib"},
    "one strip": {"rowsperstrip": SHAPE[0]},
    "one packed strip": {"rowsperstrip": SHAPE[0], "compression": "zstd"},
    "LZW": {"tile": (64, 64), "compression": "lzw", "predictor": True},
    "LZMA": {"tile": (64, 64), "compression": "lzma"},
    "PackBits": {"rowsperstrip": 16, "compression": "packbits"},
    "BigTIFF": {"tile": (64, 64), "bigtiff": True},
}


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("how", STORED.values(), ids=STORED)
def test_windows_are_parts_of_the_plane_however_it_is_stored(how, byteorder, tmp_path):
    truth = noise()
    tifffile.imwrite(tmp_path / "a.tif", truth, byteorder=byteorder, metadata=None, **how)
    with image_of(tmp_path / "a.tif") as image:
        assert_windows_are_cut_out_of(image, truth[None, None, None])


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("how", [{"tile": (32, 48), "compression": "zlib"}, {"rowsperstrip": 7}], ids=["tiles", "rows"])
def test_windows_are_parts_of_the_plane_of_any_type(how, dtype, tmp_path):
    truth = noise(dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", truth, byteorder=">", metadata=None, **how)
    with image_of(tmp_path / "a.tif") as image:
        assert_windows_are_cut_out_of(image, truth[None, None, None])


def test_windows_of_packed_bits_and_of_what_jpeg_lost_are_as_tifffile_decodes_them(tmp_path):
    deep, flat = noise() % 4096, noise(dtype=np.uint8)
    tifffile.imwrite(tmp_path / "12.tif", deep, bitspersample=12, rowsperstrip=16, metadata=None)
    tifffile.imwrite(tmp_path / "jpeg.tif", flat, compression="jpeg", tile=(64, 64), metadata=None)
    tifffile.imwrite(tmp_path / "jpeg2000.tif", deep, compression="jpeg2000", tile=(64, 64), metadata=None)
    for name in "12.tif", "jpeg.tif", "jpeg2000.tif":
        with image_of(tmp_path / name) as image:
            assert_windows_are_cut_out_of(image, tifffile.imread(tmp_path / name)[None, None, None])


@pytest.mark.parametrize("how", [{"tile": (32, 48), "compression": "zlib"}, {"rowsperstrip": 7}], ids=["tiles", "rows"])
@pytest.mark.parametrize("axes", ["TZC", "CTZ", "ZC", "C"])
@pytest.mark.parametrize("kind", ["ome", "shaped"])
def test_windows_are_of_the_channel_z_plane_and_time_asked_for(kind, axes, how, tmp_path):
    pixels = noise(*({"T": 2, "Z": 3, "C": 4}[axis] for axis in axes))
    options = {"ome": True} if kind == "ome" else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata={"axes": f"{axes}YX"}, **options, **how)
    order = [axes.index(axis) for axis in "TCZ" if axis in axes]
    truth = pixels.transpose(*order, -2, -1)
    truth = truth[tuple(slice(None) if axis in axes else None for axis in "TCZ")]
    with image_of(tmp_path / "a.tif") as image:
        assert image.axes == f"{axes}YX"
        assert_windows_are_cut_out_of(image, truth)


def test_windows_of_a_stack_with_one_directory_are_of_each_of_its_images(tmp_path):
    """As ImageJ writes a stack above 4 GB."""
    pixels = noise(3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        first, order = file.pages[0].offset, file.byteorder
    content = bytearray((tmp_path / "a.tif").read_bytes())
    (tags,) = struct.unpack_from(f"{order}H", content, first)
    struct.pack_into(f"{order}I", content, first + 2 + 12 * tags, 0)
    (tmp_path / "a.tif").write_bytes(content)
    with image_of(tmp_path / "a.tif") as image:
        assert_windows_are_cut_out_of(image, pixels[:, None, None])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("how", [{"tile": (32, 48), "compression": "zlib"}, {"rowsperstrip": 7}], ids=["tiles", "rows"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_samples_of_a_page_are_channels_and_colours_are_told(photometric, how, planar, tmp_path):
    pixels = noise(3, dtype=np.uint8)
    stored = np.moveaxis(pixels, 0, -1) if planar == "contig" else pixels
    options = how | {"planarconfig": planar, "photometric": photometric, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    with image_of(tmp_path / "a.tif") as image:
        assert image.axes == ("YXS" if planar == "contig" else "SYX")
        assert image.in_colour == (photometric == "rgb")
        assert_windows_are_cut_out_of(image, pixels[None, :, None])


# Resolutions


def halved(pixels):
    return pixels[..., ::2, ::2]


def pyramid(pixels, count):
    levels = [pixels]
    while len(levels) < count:
        levels.append(halved(levels[-1]))
    return levels


@pytest.mark.parametrize("ome", [True, False])
def test_resolutions_in_subifds_are_levels(ome, tmp_path):
    levels = pyramid(noise(2, 3), 3)
    how = {"tile": (32, 48), "compression": "zlib", "photometric": "minisblack"}
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=ome) as file:
        file.write(levels[0], subifds=2, metadata={"axes": "TCYX"}, **how)
        for lower in levels[1:]:
            file.write(lower, subfiletype=1, metadata=None if ome else {}, **how)
    with image_of(tmp_path / "a.tif") as image:
        assert [level.shape for level in image.levels] == [lower.shape[-2:] for lower in levels]
        for number, lower in enumerate(levels):
            assert_windows_are_cut_out_of(image, lower[:, :, None], number)


@pytest.mark.parametrize("metadata", [{}, None], ids=["described", "bare"])
def test_reduced_pages_after_the_only_image_are_its_levels(metadata, tmp_path):
    levels = pyramid(noise(), 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number, lower in enumerate(levels):
            file.write(lower, subfiletype=number > 0, tile=(32, 48), metadata=metadata)
    with image_of(tmp_path / "a.tif") as image:
        for number, lower in enumerate(levels):
            assert_windows_are_cut_out_of(image, lower[None, None, None], number)


THUMBNAIL = noise(shape=(40, 40))  # no lower resolution: of other proportions
ORDERS = {
    "thumbnail before the levels": [0, THUMBNAIL, 1, 2],
    "thumbnail between the levels": [0, 1, THUMBNAIL, 2],
    "thumbnail after the levels": [0, 1, 2, THUMBNAIL],
    "smallest level first": [0, 2, 1],
    "a level twice": [0, 1, 1, 2],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_levels_are_the_pages_of_the_images_proportions_by_their_size(order, tmp_path):
    levels = pyramid(noise(shape=(151, 203)), 3)  # sides that are rounded
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number, page in enumerate(order):
            pixels = levels[page] if isinstance(page, int) else page
            file.write(pixels, subfiletype=number > 0, tile=(32, 48), metadata=None)
    with image_of(tmp_path / "a.tif") as image:
        assert len(image.levels) == 3
        for number, lower in enumerate(levels):
            assert_windows_are_cut_out_of(image, lower[None, None, None], number)


def test_levels_in_subifds_are_found_though_a_thumbnail_is_a_page(tmp_path):
    levels = pyramid(noise(), 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(levels[0], subifds=2, tile=(32, 48), metadata=None)
        for lower in levels[1:]:
            file.write(lower, subfiletype=1, tile=(32, 48), metadata=None)
        file.write(THUMBNAIL, subfiletype=1, metadata=None)
    with image_of(tmp_path / "a.tif") as image:
        assert len(image.levels) == 3
        for number, lower in enumerate(levels):
            assert_windows_are_cut_out_of(image, lower[None, None, None], number)


def test_a_mask_is_no_level(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(), metadata=None)
        file.write(halved(noise()), subfiletype=1, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:  # tifffile writes no masks of grey levels
        file.pages[1].tags["NewSubfileType"].overwrite(4)
    with image_of(tmp_path / "a.tif") as image:
        assert len(image.levels) == 1


def test_a_thumbnail_of_another_kind_is_no_level(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(), metadata=None)
        file.write(noise(shape=(20, 30), dtype=np.uint8), subfiletype=1, metadata=None)
    with image_of(tmp_path / "a.tif") as image:
        assert len(image.levels) == 1


def test_a_scanners_file_has_its_channels_names_pixel_size_and_levels_and_no_thumbnail(tmp_path):
    """As a PerkinElmer scanner writes: a page a channel, a thumbnail in colour, and pages of lower resolutions."""
    levels = pyramid(noise(3, shape=(160, 192)), 3)
    names = ["DAPI", "CD8", "Keratin"]
    options = {"metadata": None, "tile": (32, 48), "compression": "lzw", "software": "PerkinElmer-QPI"}
    options |= {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(tmp_path / "a.qptiff") as file:
        for number, lower in enumerate(levels):
            for channel, name in zip(lower, names, strict=True):
                xml = f"<PerkinElmer-QPI-ImageDescription><Name>{name}</Name></PerkinElmer-QPI-ImageDescription>"
                file.write(channel, description=xml, subfiletype=number > 0, **options)
            if number == 0:
                file.write(
                    np.zeros((40, 48, 3), np.uint8), photometric="rgb", metadata=None, software="PerkinElmer-QPI"
                )
    with image_of(tmp_path / "a.qptiff", "tiff") as image:
        assert image.channels == names
        assert (image.pixel_size.y, image.pixel_size.x) == pytest.approx((0.5, 0.5))
        for number, lower in enumerate(levels):
            assert_windows_are_cut_out_of(image, lower[None, :, None], number)


@pytest.mark.skipif(not PAINTING.exists(), reason=f"there is no {PAINTING} (set IDRSTREAM_DATA)")
def test_a_real_painting_has_its_channels_its_pixel_size_and_both_resolutions():
    with image_of(PAINTING) as image, tifffile.TiffFile(PAINTING) as truth:
        assert image.channels == [f"ch{number}" for number in range(1, 7)]
        assert image.pixel_size == (0.598, 0.598, "OME-XML")
        for number, level in enumerate(truth.series[0].levels):
            assert_windows_are_cut_out_of(image, level.asarray()[None, :, None], number)


# What no window is read of


def test_a_window_outside_of_the_image_is_the_callers_mistake(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(2), metadata={"axes": "CYX"}, photometric="minisblack")
    good = {"channel": 1, "z": 0, "t": 0, "level": 0, "y0": 0, "y1": 2, "x0": 0, "x1": 2}
    wrong = [{"channel": 2}, {"channel": -1}, {"z": 1}, {"t": 1}, {"level": 1}, {"y0": -1}, {"y1": 151}, {"x1": 207}]
    wrong += [{"y0": 2}, {"x0": 3}]
    with image_of(tmp_path / "a.tif") as image:
        assert image.window(**good).shape == (2, 2)
        for change in wrong:
            with pytest.raises(IndexError, match="outside of the image"):
                image.window(**good | change)


def test_a_window_without_the_tile_that_was_never_written_is_read(tmp_path):
    truth = noise()
    tifffile.imwrite(tmp_path / "a.tif", truth, tile=(32, 48), metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        counts = file.pages[0].tags["TileByteCounts"]
        counts.overwrite((*counts.value[:3], 0, *counts.value[4:]))
    with image_of(tmp_path / "a.tif") as image:
        assert np.array_equal(image.window(0, 0, 0, 0, 0, 32, 0, 144), truth[:32, :144])
        with pytest.raises(UnwrittenFrame, match="the tile of rows from 0 and columns from 144 was never written"):
            image.window(0, 0, 0, 0, 0, 32, 0, 145)


def test_windows_of_an_image_in_which_0_is_white_are_refused_with_the_remedy(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(), photometric="miniswhite", metadata=None)
    with (
        image_of(tmp_path / "a.tif") as image,
        pytest.raises(NotReadable, match="0 is white in it; save it with black as 0"),
    ):
        image.window(0, 0, 0, 0, 0, 1, 0, 1)


def test_gdals_value_for_no_data_is_a_mask_in_windows_too(tmp_path):
    truth = noise(dtype="f4")
    truth[:40, :50] = -9999
    tag = (42113, 2, 6, "-9999", True)
    tifffile.imwrite(tmp_path / "a.tif", truth, tile=(32, 48), metadata=None, extratags=[tag])
    with image_of(tmp_path / "a.tif") as image:
        window = image.window(0, 0, 0, 0, 30, 60, 40, 70)
        assert np.array_equal(np.ma.getmaskarray(window), truth[30:60, 40:70] == -9999)
        assert np.array_equal(np.ma.getdata(window), truth[30:60, 40:70])


def test_a_page_of_another_size_than_the_first_is_no_plane_of_the_image(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for shape in (64, 80), (32, 40):
            file.write(noise(shape=shape), photometric="minisblack", metadata=None)
    with image_of(tmp_path / "a.tif") as image:
        with pytest.raises(NotReadable) as failure:
            image.window(0, 0, 1, 0, 0, 1, 0, 1)
        assert_says(failure.value, "a.tif frame 2: its size or type is not that of the first plane")
