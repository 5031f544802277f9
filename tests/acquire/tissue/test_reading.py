"""READ leaves the channels of a slide as its files have them, whatever the format, at the cost of their bytes."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

import make_zarr
from idrstream.base import files
from idrstream.cells import contrast
from idrstream.readers.image import Level
from idrstream.tissue import reading, scratch, tiles
from repository import BIN
from support import http_server

COMMAND = BIN / "tissue_read.py"
SHAPE = 700, 1100


def noise(shape=SHAPE, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(5, 250, shape).astype(dtype)


def packet_of(location, size, dtype="uint16", nuclear=((0, 0, "DNA"),), **more):
    """The planner's JSON of a slide; NUCLEAR: (file, channel, name) of each."""
    locations = [location] if isinstance(location, str | Path) else location
    channels = [
        {"file": file, "channel": channel, "frame": 0, "number": 10 * file + channel + 1, "name": name}
        for file, channel, name in nuclear
    ]
    region = more.get("region")
    content = {"id": "A1", "slide": "A1", "locations": list(map(str, locations)), "folders": []}
    content |= {"size": list(region[2:] if region else size), "whole_size": list(size), "region": None}
    return content | {"dtype": dtype, "nuclear": channels, "membrane": [], "npz": None, "layers": ["nuclei"]} | more


def run(folder, packet, *options):
    """The finished process of the command in FOLDER; what it made is in `slide` there."""
    files.write_json(folder / "packet.json", packet)
    command = [sys.executable, COMMAND, folder / "packet.json", folder / "slide", *options]
    return subprocess.run(command, capture_output=True, text=True)


def read(folder, packet, *options):
    """((C, Y, X) pixels, statistics.json) that the command leaves."""
    done = run(folder, packet, *options)
    assert done.returncode == 0, done.stderr
    copy = scratch.open(folder / "slide" / scratch.CHANNELS)
    whole = tiles.Box(0, copy.shape[0], 0, copy.shape[1])
    count = len(packet["nuclear"])
    return np.stack([copy.read(i)(whole) for i in range(count)]), files.read_json(folder / "slide/statistics.json")


def failure(folder, packet):
    """(exit code, last line of stderr) of a command that fails, having left nothing."""
    done = run(folder, packet)
    assert not (folder / "slide").exists()
    return done.returncode, done.stderr.splitlines()[-1]


TIFFS = {
    "tiles": {"tile": (256, 256), "compression": "zlib"},
    "odd tiles": {"tile": (112, 304)},
    "strips": {"rowsperstrip": 37, "compression": "zlib"},
    "one strip": {"rowsperstrip": SHAPE[0]},
    "big-endian": {"rowsperstrip": 50, "byteorder": ">"},
    "tiles larger than the image": {"tile": (2048, 2048), "compression": "zlib"},
}


@pytest.mark.parametrize("how", TIFFS.values(), ids=TIFFS)
def test_a_channel_is_as_the_tiff_has_it(how, tmp_path):
    stack = np.stack([noise(seed=1), noise(seed=2), noise(seed=3)])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata={"axes": "CYX"}, ome=True, **how)
    packet = packet_of(tmp_path / "a.tif", SHAPE, nuclear=[(0, 2, "DNA"), (0, 0, "")])
    pixels, found = read(tmp_path, packet)
    np.testing.assert_array_equal(pixels, stack[[2, 0]])
    low, high = contrast.window(contrast.levels_of(stack[2]))
    wanted = {"name": "DNA", "number": 3, "low": low, "high": high, "constant": False, "masked": 0}
    assert found["channels"][0] == wanted
    cost = files.read_json(tmp_path / "slide/read.cost.json")
    assert cost["step"] == "read" and cost["pixels"] == SHAPE[0] * SHAPE[1]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_the_contrast_is_that_of_the_whole_plane_whatever_the_type(dtype, tmp_path):
    plane = noise(dtype=dtype)
    plane[:300] -= np.array(5, dtype)
    tifffile.imwrite(tmp_path / "a.tif", plane, metadata=None, rowsperstrip=64)
    pixels, found = read(tmp_path, packet_of(tmp_path / "a.tif", SHAPE, dtype))
    np.testing.assert_array_equal(pixels[0], plane)
    assert pixels.dtype == plane.dtype
    assert (found["channels"][0]["low"], found["channels"][0]["high"]) == contrast.window(contrast.levels_of(plane))


def test_a_region_is_the_crop_of_the_image(tmp_path):
    plane = noise()
    tifffile.imwrite(tmp_path / "a.tif", plane, tile=(128, 128), metadata=None)
    pixels, _ = read(tmp_path, packet_of(tmp_path / "a.tif", SHAPE, region=[100, 301, 333, 500]))
    np.testing.assert_array_equal(pixels[0], plane[100:433, 301:801])


def test_channels_of_several_files_in_staged_folders_are_one_slide(tmp_path):
    home, staged = tmp_path / "somewhere", tmp_path / "folders"
    home.mkdir()
    staged.mkdir()
    (staged / "1").symlink_to(home)
    for number in range(3):
        tifffile.imwrite(home / f"{number}.tif", noise(seed=number), metadata=None)
    nuclear = [(2, 0, "A"), (1, 0, "B")]
    locations = [f"/not/here/{number}.tif" for number in range(3)]  # as the planner has them
    packet = packet_of(locations, SHAPE, nuclear=nuclear) | {"folders": ["/not/here"]}
    pixels, _ = read(tmp_path, packet, "--folders", staged)
    np.testing.assert_array_equal(pixels, [noise(seed=2), noise(seed=1)])


def test_pixels_that_the_file_does_not_hold_get_the_smallest_level_and_are_counted(tmp_path):
    pixels = noise((1, 1, 1, *SHAPE))
    make_zarr.write(tmp_path / "a.zarr", pixels, 3, "zstd", chunks=(1, 1, 1, 256, 256))
    [chunk] = (tmp_path / "a.zarr").glob("0/c/0/0/0/1/1")
    chunk.unlink()
    found, statistics = read(tmp_path, packet_of(tmp_path / "a.zarr", SHAPE))
    wanted = pixels[0, 0, 0].copy()
    wanted[256:512, 256:512] = 65535
    wanted[256:512, 256:512] = wanted.min()
    np.testing.assert_array_equal(found[0], wanted)
    assert statistics["channels"][0]["masked"] == 256 * 256


def test_a_channel_of_one_level_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full(SHAPE, 7, np.uint16), metadata=None)
    _, found = read(tmp_path, packet_of(tmp_path / "a.tif", SHAPE))
    assert found["channels"][0]["constant"] and found["channels"][0]["low"] == found["channels"][0]["high"] == 7


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_gives_up_the_slide(value, tmp_path):
    plane = noise(dtype=np.float32)
    plane[650, 20] = value
    tifffile.imwrite(tmp_path / "a.tif", plane, metadata=None, rowsperstrip=100)
    code, line = failure(tmp_path, packet_of(tmp_path / "a.tif", SHAPE, "float32"))
    assert code == 65
    assert line.startswith('Error: NotFinite: a.tif channel 1 "DNA", rows ') and "NaN" in line


def test_where_no_network_looks_pictures_are_without_a_channel_that_has_no_numbers(tmp_path):
    """Label images exist: the channel would be seen in pictures alone."""
    plane = noise(dtype=np.float32)
    plane[650, 20] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", plane, metadata=None, rowsperstrip=100)
    _, found = read(tmp_path, packet_of(tmp_path / "a.tif", SHAPE, "float32", layers=[]))
    (channel,) = found["channels"]
    assert channel["unusable"].startswith('a.tif channel 1 "DNA", rows ') and channel["low"] is None
    nuclear = [{"number": 1}]
    assert scratch.shown(tmp_path / "slide", nuclear) is None


def test_a_file_that_ends_early_gives_up_the_slide(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(), metadata=None, rowsperstrip=100)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 2 // 3])
    code, line = failure(tmp_path, packet_of(tmp_path / "a.tif", SHAPE))
    assert code == 65 and line.startswith("Error: Truncated: a.tif") and "ends before its pixels do" in line


def test_a_file_that_changed_since_it_was_planned_gives_up_the_slide(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(), metadata=None)
    code, line = failure(tmp_path, packet_of(tmp_path / "a.tif", (700, 1101)))
    assert code == 65 and "a.tif: 700 x 1,100 pixels of uint16 in 1 channels, where PLAN read 700 x 1,101" in line


def test_a_disk_that_is_gone_may_heal(tmp_path):
    assert failure(tmp_path, packet_of(tmp_path / "gone/a.tif", SHAPE))[0] == 75


def test_one_channel_of_forty_costs_its_own_bytes(tmp_path):
    """1.05 of them, the file's directory and a megabyte; the whole file is forty times as much."""
    side, count = 768, 40
    planes = np.stack([noise((side, side), seed=number) for number in range(count)])
    how = {"tile": (256, 256), "photometric": "minisblack"}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        names = {"Channel": {"Name": [f"M{number}" for number in range(count)]}}
        file.write(planes, subifds=1, metadata={"axes": "CYX"} | names, **how)
        file.write(planes[:, ::2, ::2], subfiletype=1, metadata=None, **how)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        channel = sum(file.pages[25].databytecounts)
    with http_server(tmp_path) as server:
        pixels, found = read(tmp_path, packet_of(f"{server.url}/a.ome.tif", (side, side), nuclear=[(0, 25, "M25")]))
        sent, requests = server.sent, len(server.log)
    np.testing.assert_array_equal(pixels[0], planes[25])
    assert (found["bytes"], found["requests"]) == (sent, requests)
    assert channel < sent <= 1.05 * channel + 1_000_000 < (tmp_path / "a.ome.tif").stat().st_size / 20
    assert requests < 120


def test_a_channel_of_a_remote_zarr_costs_its_chunks(tmp_path):
    pixels = noise((1, 8, 1, 600, 700))
    make_zarr.write(tmp_path / "a.zarr", pixels, 3, "zstd", chunks=(1, 1, 1, 256, 256))
    channel = sum(path.stat().st_size for path in (tmp_path / "a.zarr/0/c/0/5").rglob("*") if path.is_file())
    with http_server(tmp_path) as server:
        found, _ = read(tmp_path, packet_of(f"{server.url}/a.zarr", (600, 700), nuclear=[(0, 5, "")]))
        sent = server.sent
    np.testing.assert_array_equal(found[0], pixels[0, 5, 0])
    assert channel <= sent <= 1.05 * channel + 50_000


@pytest.mark.parametrize("tile", [(1, 100_000), (512, 512), (5000, 5000), (30, 100_000), (7, 11), (60_000, 100_000)])
@pytest.mark.parametrize("box", [tiles.Box(0, 60_000, 0, 100_000), tiles.Box(77, 5001, 20_000, 99_999)])
def test_windows_are_whole_tiles_none_of_them_twice_and_bounded(tile, box):
    found = reading.windows(Level((60_000, 100_000), tile, 0), box, 2)
    area = sum((y1 - y0) * (x1 - x0) for y0, y1, x0, x1 in found)
    assert area == (box.y1 - box.y0) * (box.x1 - box.x0)
    for y0, y1, x0, x1 in found:
        assert y0 == box.y0 or y0 % tile[0] == 0
        assert x0 == box.x0 or x0 % tile[1] == 0
        assert y1 == box.y1 or y1 % tile[0] == 0
        assert x1 == box.x1 or x1 % tile[1] == 0
        assert (y1 - y0) * (x1 - x0) * 2 <= max(reading.AT_ONCE, 2 * tile[0] * tile[1])
        assert -(-(y1 - y0) // tile[0]) * -(-(x1 - x0) // tile[1]) <= 4 * reading.MOST_TILES


MEMORY = """
import json, sys
sys.path.insert(0, {bin!r})
from pathlib import Path
from idrstream.base import memory
from idrstream.tissue import reading
before = memory.peak()
reading.read(json.loads(Path("packet.json").read_text()), Path("slide"), {{}}, lambda windows, name: windows)
print((memory.peak() - before) / 1e6)
"""


def test_strips_as_wide_as_the_slide_need_no_more_memory_for_a_larger_slide(tmp_path):
    """A window is 64 MB, of strips too; the larger slide is 320 MB."""
    height, width = 4000, 40_000
    how = {"rowsperstrip": 16, "compression": "zlib", "metadata": None}
    rows = (zlib.compress(np.full((16, width), number, np.uint16).tobytes(), 1) for number in range(height // 16))
    tifffile.imwrite(tmp_path / "a.tif", rows, shape=(height, width), dtype="uint16", **how)
    files.write_json(tmp_path / "packet.json", packet_of(tmp_path / "a.tif", (height, width)))
    (tmp_path / "slide").mkdir()
    code = MEMORY.format(bin=str(COMMAND.parent))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 300
