"""Files made to do harm, or cut: windows of them are refused in one line, and no memory is asked for."""

import lzma
import struct
import zlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import h5py
import imagecodecs
import numcodecs
import numpy as np
import pytest
import tifffile

from idrstream.base import memory
from idrstream.base.failures import ImageFailure, NotReadable, Truncated
from make_zarr import edit, noise, write
from reading import assert_says
from support import one_line
from windows import image_of

LIMIT = 150_000_000  # bytes by which a process may grow to refuse a window
BOMB = 1 << 29  # bytes that a tile unpacks to


def refusal(path):
    """What is said of the first pixel of an image, and by how many bytes the process grew for it."""
    before = memory.peak()
    try:
        with image_of(path) as image:
            said = image.window(0, 0, 0, 0, 0, 1, 0, 1)
    except ImageFailure as failure:
        said = failure
    return said, memory.peak() - before


@pytest.fixture(scope="module")
def first_pixel():
    """What is said of the first pixel of an image, by a process of its own, which must not grow."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:

        def first_pixel(path):
            said, grown = alone.submit(refusal, path).result()
            assert grown < LIMIT
            return said

        yield first_pixel


@pytest.fixture
def refused(first_pixel):
    """As `first_pixel`, of an image that must be refused in one line."""

    def refused(path):
        said = first_pixel(path)
        assert isinstance(said, ImageFailure), said
        assert one_line(str(said))
        return said

    return refused


# A tile that is too large to be decoded for a window


def test_a_tile_that_is_too_large_is_refused_with_the_command_that_makes_it_small(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((6000, 6000), np.uint16), rowsperstrip=6000, compression="zlib", metadata=None)
    said = "a.tif: its pixels are stored in tiles of 6,000 x 6,000 pixels, each of 72 MB; 67 MB at most are decoded for"
    with image_of(tmp_path / "a.tif") as image:
        assert image.plane(0, 0, 0).shape == (6000, 6000), "a plane is read all the same"
        with pytest.raises(NotReadable) as failure:
            image.window(0, 0, 0, 0, 0, 1, 0, 1)
    assert_says(
        failure.value, f"^{said}.*bfconvert -bigtiff -compression zlib -tilex 512 -tiley 512 a.tif tiled.ome.tif$"
    )


def test_a_chunk_that_is_too_large_is_refused_with_a_command(refused, tmp_path):
    write(tmp_path / "a.zarr", noise(), 2)
    edit(tmp_path / "a.zarr/0/.zarray", chunks=[1, 1, 1, 8192, 8192])
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        shape = 1, 1, 1, 6000, 6000
        file.create_dataset("sample/0/plate/P/experiment/W/position/S/image/channel", shape, "u2", chunks=shape)
    for name, command in (
        ("a.zarr", "ngff-zarr -c 512 -i a.zarr"),
        ("a.ch5", "h5repack -l .*:CHUNK=1x1x1x512x512 a.ch5"),
    ):
        assert_says(
            refused(tmp_path / name), f"are decoded for a window. Store it in smaller ones: {command}", NotReadable
        )


def test_a_plane_without_tiles_that_is_not_packed_is_read_by_rows_however_large(tmp_path):
    """As cameras and ImageJ write planes of any size; the file has holes, so it takes no room on the disk."""
    side = 60_000
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2), np.uint16), metadata=None, bigtiff=True)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        page = file.pages[0]
        (offset,) = page.dataoffsets
        for tag in "ImageWidth", "ImageLength", "RowsPerStrip":
            page.tags[tag].overwrite(side)
        page.tags["StripByteCounts"].overwrite(2 * side * side)
    with (tmp_path / "a.tif").open("r+b") as file:
        file.truncate(offset + 2 * side * side)
        file.seek(offset + 2 * (59_999 * side + 7))
        file.write(struct.pack("<2H", 500, 600))
    with image_of(tmp_path / "a.tif") as image:
        assert image.shape == (1, 1, 1, side, side)
        assert image.window(0, 0, 0, 0, 59_998, 60_000, 6, 9).tolist() == [[0, 0, 0], [0, 500, 600]]
        with pytest.raises(NotReadable, match="60,000 x 60,000 pixels"):
            image.plane(0, 0, 0)


# What a file says of itself


def tiff_of(size, tile, **tags):
    """A BigTIFF of one tile of a few bytes that states other sizes."""
    known = {256: (4, size), 257: (4, size), 258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1)}
    known |= {322: (4, tile), 323: (4, tile), 324: (16, 400), 325: (16, 100)} | tags
    rows = [struct.pack("<HHQQ", number, kind, 1, value) for number, (kind, value) in sorted(known.items())]
    content = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, len(rows)) + b"".join(rows) + bytes(8)
    return content.ljust(400, b"\0") + zlib.compress(bytes(10_000)).ljust(1000, b"\0")


TIFF = {
    "10^9 x 10^9 pixels in a tile": (tiff_of(10**9, 10**9), "tiles of 1,000,000,000 x 1,000,000,000 pixels"),
    "10^9 x 10^9 pixels in small tiles": (tiff_of(10**9, 256), "only 1 of its 15,258,789,062,500 pieces are listed"),
    "a tile that is too large": (tiff_of(100, 2**20), "tiles of 1,048,576 x 1,048,576 pixels"),
}


@pytest.mark.parametrize("content, said", TIFF.values(), ids=TIFF)
def test_a_tiff_that_states_too_much_is_refused(content, said, refused, tmp_path):
    (tmp_path / "a.tif").write_bytes(content)
    assert_says(refused(tmp_path / "a.tif"), said, NotReadable)


def jpeg_of(side):
    """A JPEG of 64 x 64 pixels that states others."""
    content = bytearray(imagecodecs.jpeg8_encode(noise((64, 64), np.uint8)))
    at = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, at + 5, side, side)
    return bytes(content)


def jpeg2000_of(side):
    content = bytearray(imagecodecs.jpeg2k_encode(noise((64, 64), np.uint8), codecformat=0))
    struct.pack_into(">IIIIII", content, 8, side, side, 0, 0, side, side)
    return bytes(content)


BOMBS = {
    "zlib": lambda: zlib.compress(bytes(BOMB)),
    "zstd": lambda: imagecodecs.zstd_encode(bytes(BOMB)),
    "lzw": lambda: imagecodecs.lzw_encode(bytes(BOMB // 8)),
    "lzma": lambda: imagecodecs.lzma_encode(bytes(BOMB // 4)),
    "packbits": lambda: b"\x81\0" * (BOMB // 128),
    "jpeg": lambda: jpeg_of(65_000),
    "jpeg2000": lambda: jpeg2000_of(60_000),
}


@pytest.mark.parametrize("compression", BOMBS)
def test_a_tile_that_unpacks_to_more_than_itself_takes_no_memory(compression, first_pixel, tmp_path):
    truth = noise((64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", truth, tile=(64, 64), compression=compression, metadata=None)
    bomb = BOMBS[compression]()
    with (tmp_path / "a.tif").open("ab") as file:
        start = file.tell()
        file.write(bomb)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags["TileOffsets"].overwrite(start)
        file.pages[0].tags["TileByteCounts"].overwrite(len(bomb))
    assert isinstance(
        first_pixel(tmp_path / "a.tif"), NotReadable | np.ndarray
    )  # some decoders stop where the tile is full


def test_a_compression_that_could_unpack_to_any_size_is_read_in_planes_alone(refused, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((64, 64), np.uint8), tile=(64, 64), compression="lerc", metadata=None)
    assert_says(
        refused(tmp_path / "a.tif"), "a.tif frame 1: no windows are read of images compressed by LERC", NotReadable
    )


ZARR = {
    "a large image": (
        {"shape": [1, 1, 1, 10**9, 10**9], "chunks": [1, 1, 1, 10**9, 10**9]},
        "its chunks .* larger than",
    ),
    "a deep chunk": ({"chunks": [4, 2, 2, 8192, 4096]}, "its chunks .* are larger than 536,870,912 bytes"),
}


@pytest.mark.parametrize("changes, said", ZARR.values(), ids=ZARR)
def test_an_ome_zarr_that_states_too_much_is_refused(changes, said, refused, tmp_path):
    write(tmp_path / "a.zarr", noise(), 2)
    edit(tmp_path / "a.zarr/0/.zarray", **changes)
    assert_says(refused(tmp_path / "a.zarr"), said, NotReadable)


CHUNKS = {"gzip": lambda bomb: numcodecs.GZip(1).encode(bomb), "zlib": lambda bomb: numcodecs.Zlib(1).encode(bomb)}
CHUNKS |= {
    "bz2": lambda bomb: numcodecs.BZ2(1).encode(bomb[: BOMB // 8]),
    "lz4": lambda bomb: numcodecs.LZ4().encode(bomb),
}
CHUNKS |= {
    "zstd": lambda bomb: numcodecs.Zstd(1).encode(bomb),
    "lzma": lambda bomb: lzma.compress(bomb[: BOMB // 8], preset=0),
}


@pytest.mark.parametrize("version, codec", [*((2, codec) for codec in CHUNKS), (3, "gzip"), (3, "zstd")])
def test_a_chunk_that_decompresses_to_more_than_a_tile_may_takes_no_memory(version, codec, refused, tmp_path):
    pixels = noise((1, 1, 1, 64, 64), np.uint8)
    folder = write(tmp_path / "a.zarr", pixels, version, "gzip" if version == 2 else codec, chunks=pixels.shape)
    if version == 2:
        edit(folder / "0/.zarray", compressor={"id": codec})
    (chunk,) = (path for path in (folder / "0").rglob("0") if path.is_file())
    chunk.write_bytes(CHUNKS[codec](bytes(BOMB)))
    said = "a.zarr frame 1: chunk .* does not decode .it decompresses to more than [0-9,]+ bytes"
    assert_says(refused(folder), said, NotReadable)


def test_a_small_window_of_an_ome_zarr_of_any_size_is_read(tmp_path):
    write(tmp_path / "a.zarr", noise(), 2)
    edit(tmp_path / "a.zarr/0/.zarray", shape=[4, 2, 2, 10**9, 10**9])
    with image_of(tmp_path / "a.zarr") as image:
        assert np.array_equal(image.window(0, 0, 0, 0, 3, 9, 5, 8), noise()[0, 0, 0, 3:9, 5:8])
        with pytest.raises(NotReadable, match="10,000,000 x 10,000,000 pixels"):
            image.window(0, 0, 0, 0, 0, 10**7, 0, 10**7)


# Cut


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}], ids=["raw", "packed"])
@pytest.mark.parametrize("pages", [1, 3])
def test_an_ome_tiff_cut_anywhere_never_passes_for_one_without_channels(pages, how, tmp_path):
    """Its OME-XML and its lower resolutions lie behind the pixels: tifffile opens such a file without a word."""
    pixels = noise((pages, 150, 206))
    with tifffile.TiffWriter(tmp_path / "whole.ome.tif") as file:
        names = ["DNA", "CD8", "Keratin"][:pages]
        file.write(pixels, subifds=1, tile=(32, 48), metadata={"axes": "CYX", "Channel": {"Name": names}}, **how)
        file.write(pixels[..., ::2, ::2], subfiletype=1, tile=(32, 48), **how)
    content = (tmp_path / "whole.ome.tif").read_bytes()
    with image_of(tmp_path / "whole.ome.tif") as image:
        image.check_whole()
        assert image.channels == names
    for share in np.linspace(0.02, 0.999, 40):
        (tmp_path / "a.ome.tif").write_bytes(content[: int(share * len(content))])
        with pytest.raises((Truncated, NotReadable)) as failure, image_of(tmp_path / "a.ome.tif") as image:
            image.check_whole()
        assert_says(failure.value, "^a.ome.tif", (Truncated, NotReadable))
    assert type(failure.value) is Truncated
