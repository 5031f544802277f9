"""Windows of OME-Zarr, CellH5 and what Bio-Formats reads: the pixels that zarr, h5py and tifffile find there."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from idrstream.base.failures import UnwrittenFrame
from make_screen import write_cellh5
from make_zarr import SHAPE, edit, noise, write
from support import needs_java
from windows import assert_windows_are_cut_out_of, boxes, image_of

SHARDS = (2, 2, 1, 128, 200)


@pytest.mark.parametrize("codec", ["blosc", "gzip", "zstd", "raw"])
@pytest.mark.parametrize("version, options", [(2, {}), (3, {}), (3, {"shards": SHARDS})], ids=["0.4", "0.5", "shards"])
def test_windows_of_every_resolution_are_those_that_zarr_reads(version, options, codec, tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), version, codec, **options)
    group = zarr.open_group(folder, mode="r")
    with image_of(folder) as image:
        assert image.axes == "TCZYX" and image.shape == SHAPE
        assert [level.tile for level in image.levels] == [(64, 100)] * 2
        for level in 0, 1:
            assert_windows_are_cut_out_of(image, group[str(level)][:], level)


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tyx", "tcyx", "czyx"])
def test_axes_that_an_image_lacks_have_length_1(axes, tmp_path):
    lead = [{"t": 2, "c": 3, "z": 2}[axis] for axis in axes[:-2]]
    pixels = noise((*lead, 100, 132))
    folder = write(tmp_path / "a.zarr", pixels, 3, axes=axes, chunks=(*[1] * len(lead), 64, 100))
    with image_of(folder) as image:
        assert image.axes == axes.upper()
        assert_windows_are_cut_out_of(image, pixels[tuple(slice(None) if a in axes else None for a in "tcz")])


@pytest.mark.parametrize("dtype", [">u2", ">f4", "u1", "i4", "f8"])
def test_pixels_of_any_type_come_in_this_machines_order_of_bytes(dtype, tmp_path):
    pixels = noise((1, 1, 1, 100, 132), dtype)
    with image_of(write(tmp_path / "a.zarr", pixels)) as image:
        assert_windows_are_cut_out_of(image, pixels.astype(np.dtype(dtype).newbyteorder("=")))


@pytest.mark.parametrize("options", [{}, {"shards": SHARDS}], ids=["chunks", "shards"])
def test_a_chunk_that_was_never_written_is_a_mask_in_the_windows_that_meet_it(options, tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), 3, fill_value=7, **options)
    array = zarr.open_array(folder / "0", mode="r+")
    array[0, 0, 0, :64, :100] = 7  # zarr leaves such out
    with image_of(folder) as image:
        for box in boxes(100, 132, (64, 100)):
            y0, y1, x0, x1 = box
            window = image.window(0, 0, 0, 0, *box)
            absent = np.zeros((100, 132), bool)
            absent[:64, :100] = True
            assert np.array_equal(np.ma.getmaskarray(window), absent[y0:y1, x0:x1])
            assert np.array_equal(np.ma.getdata(window), array[0, 0, 0][y0:y1, x0:x1])


def test_where_nothing_is_said_of_chunks_never_written_the_windows_that_meet_none_are_read(tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), 2)
    edit(folder / "0/.zarray", fill_value=None)
    (folder / "0/0/0/0/1/0").unlink()
    with image_of(folder) as image:
        assert np.array_equal(image.window(0, 0, 0, 0, 0, 64, 0, 132), noise()[0, 0, 0, :64])
        with pytest.raises(UnwrittenFrame, match="1 of its chunks were never written, the first 0/0/0/0/1/0"):
            image.window(0, 0, 0, 0, 0, 65, 0, 1)


@pytest.mark.parametrize(
    "how", [{"chunks": (1, 1, 1, 32, 48)}, {"chunks": (1, 2, 1, 150, 20), "compression": "gzip"}, {}]
)
def test_windows_of_a_movie_are_those_that_h5py_reads(how, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 999, (2, 3, 2, 150, 206)).astype(">u2")
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        place = "sample/0/plate/P/experiment/W/position/S/image/channel"
        file.create_dataset(place, data=pixels, **how)
    with image_of(tmp_path / "a.ch5") as image:
        assert (image.axes, image.pixel_size) == ("CTZYX", None)
        assert_windows_are_cut_out_of(image, pixels.transpose(1, 0, 2, 3, 4).astype(np.uint16))


def test_windows_of_a_screens_movie_are_parts_of_its_frames(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 512, 512), np.uint8)
    write_cellh5(tmp_path / "a.ch5", "P", 1, pixels)
    with image_of(tmp_path / "a.ch5") as image:
        assert_windows_are_cut_out_of(image, pixels[:, None, None])


@needs_java
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_windows_that_bio_formats_reads_are_those_of_tifffile_in_every_resolution(byteorder, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2**16, (2, 3, 150, 206), np.uint16)
    how = {"tile": (32, 48), "compression": "zlib"}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True, byteorder=byteorder) as file:
        about = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm"}
        file.write(pixels, subifds=1, metadata={"axes": "TCYX", "Channel": {"Name": ["a", "b", "c"]}} | about, **how)
        file.write(pixels[..., ::2, ::2], subfiletype=1, metadata=None, **how)
    with image_of(tmp_path / "a.ome.tif", "bioformats") as image:
        assert image.channels == ["a", "b", "c"]
        assert (image.pixel_size.y, image.pixel_size.x) == (0.25, 0.5)
        assert_windows_are_cut_out_of(image, pixels[:, :, None])
        assert_windows_are_cut_out_of(image, pixels[:, :, None, ::2, ::2], 1)
