"""A window of a remote image costs the tiles that it meets and the directory, whatever the file weighs."""

import h5py
import numpy as np
import pytest
import tifffile

import make_zarr
from support import http_server
from windows import image_of

SIDE = 2048
TILE = 256
DIRECTORY = 64 * 1024  # bytes: the first read of a file, and what is read ahead on the way from page to page


@pytest.fixture(scope="module")
def plane():
    return np.random.default_rng(0).integers(0, 2**16, (SIDE, SIDE), np.uint16)


def cost_of_window(image, box, level=0, channel=0):
    """(pixels, bytes, requests) of a window."""
    before = image.file.bytes, image.file.requests
    pixels = image.window(channel, 0, 0, level, *box)
    return pixels, image.file.bytes - before[0], image.file.requests - before[1]


WINDOWS = {
    "a pixel": (700, 701, 900, 901, 1),
    "across four tiles": (250, 260, 500, 520, 4),
    "a tile": (512, 768, 0, 256, 1),
}
WINDOWS |= {"a row of tiles": (256, 512, 0, SIDE, SIDE // TILE)}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_window_of_a_tiled_tiff_costs_its_tiles(window, plane, tmp_path):
    *box, tiles = window
    stack = np.stack([plane, plane[::-1], plane.T])
    how = {"tile": (TILE, TILE), "compression": "zlib", "metadata": {"axes": "CYX"}}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, ome=True, **how)
    assert (tmp_path / "a.ome.tif").stat().st_size > 20_000_000
    with http_server(tmp_path) as server, image_of(f"{server.url}/a.ome.tif") as image:
        assert image.file.bytes < 4 * DIRECTORY
        pixels, cost, requests = cost_of_window(image, box, channel=1)
        y0, y1, x0, x1 = box
        assert np.array_equal(pixels, plane[::-1][y0:y1, x0:x1])
        assert tiles * TILE * TILE * 1.9 < cost < tiles * TILE * TILE * 2.1 + DIRECTORY
        assert requests <= tiles + 2


def test_rows_of_strips_that_are_not_packed_cost_themselves(plane, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", plane, rowsperstrip=SIDE, metadata=None)
    with http_server(tmp_path) as server, image_of(f"{server.url}/a.tif") as image:
        pixels, cost, requests = cost_of_window(image, (1000, 1010, 5, 15))
    assert np.array_equal(pixels, plane[1000:1010, 5:15])
    assert cost <= 10 * SIDE * 2 + DIRECTORY and requests <= 2


def test_a_low_resolution_of_a_tiff_costs_its_own_tiles(plane, tmp_path):
    how = {"tile": (TILE, TILE), "compression": "zlib"}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(plane, subifds=2, metadata={"axes": "YX"}, **how)
        for step in 2, 4:
            file.write(plane[::step, ::step], subfiletype=1, metadata=None, **how)
    with http_server(tmp_path) as server, image_of(f"{server.url}/a.ome.tif") as image:
        pixels, cost, _ = cost_of_window(image, (0, 512, 0, 512), level=2)
        assert np.array_equal(pixels, plane[::4, ::4])
        assert cost < 512 * 512 * 2.1 + DIRECTORY


@pytest.mark.parametrize("options", [{}, {"shards": (1, 1, 1, 1024, 1024)}], ids=["chunks", "shards"])
def test_a_window_of_an_ome_zarr_costs_its_chunks(options, plane, tmp_path):
    chunks = (1, 1, 1, TILE, TILE)
    make_zarr.write(tmp_path / "a.zarr", plane[None, None, None], 3, "zstd", chunks=chunks, **options)
    with http_server(tmp_path) as server, image_of(f"{server.url}/a.zarr") as image:
        assert len(image.levels) == 2
        pixels, cost, requests = cost_of_window(image, (250, 260, 500, 520))
        assert np.array_equal(pixels, plane[250:260, 500:520])
        assert 4 * TILE * TILE * 1.9 < cost < 4 * TILE * TILE * 2.1 + DIRECTORY
        assert requests <= 4 + bool(options)


def test_a_window_of_a_remote_movie_costs_its_chunks(plane, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        place = "sample/0/plate/P/experiment/W/position/S/image/channel"
        file.create_dataset(place, data=plane[None, None, None], chunks=(1, 1, 1, TILE, TILE))
    with http_server(tmp_path) as server, image_of(f"{server.url}/a.ch5") as image:
        pixels, cost, _ = cost_of_window(image, (250, 260, 500, 520))
        assert np.array_equal(pixels, plane[250:260, 500:520])
        assert cost < 4 * TILE * TILE * 2.1 + DIRECTORY
