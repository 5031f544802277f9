"""Frames out of the pages of a TIFF: the pixels that were written, or the reason why not."""

import io
import random

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import NoSuchFrame, NotReadable, Truncated, UnwrittenFrame
from idrstream.sources import open_location
from reading import assert_says, frames_of, noise, same
from support import http_server, read_frames


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_pages_of_a_tiff_are_its_frames(dtype, compression, tmp_path):
    images = noise(3, (64, 80)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="minisblack", compression=compression)
    tifffile.imwrite(tmp_path / "b.TIFF", images[0], compression=compression)
    found = frames_of(tmp_path / "a.tif", [1, 2, 3, 4])
    assert all(same(found[frame], images[frame - 1]) for frame in (1, 2, 3))
    assert_says(found[4], r"the movie has 3 frames \(a.tif\)", NoSuchFrame)
    assert same(frames_of(tmp_path / "b.TIFF", [1])[1], images[0])


def test_one_page_of_a_far_tiff_travels_alone(tmp_path):
    images = noise(10)
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="minisblack", compression="zlib", rowsperstrip=16)
    with http_server(tmp_path) as server, open_location(f"{server.url}/a.tif") as file:
        ((_, image),) = read_frames(file, "a.tif", [9])
        assert same(image, images[8])
        assert file.bytes < 2 * images[0].size
        assert file.requests <= 12  # of them nine on the way from page to page


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_a_colour_tiff_is_refused_with_the_remedy(planes, tmp_path):
    shape = (64, 80, 3) if planes == "contig" else (3, 64, 80)
    tifffile.imwrite(tmp_path / "a.tif", noise(1, shape)[0], photometric="rgb", planarconfig=planes)
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif: grey images are needed.*Split Channels", NotReadable)


def test_a_tiff_cut_anywhere_gives_failures_but_never_wrong_pixels(tmp_path):
    truth = noise(3, (64, 80))
    for compression in None, "zlib":
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, truth, photometric="minisblack", compression=compression)
        whole = path.read_bytes()
        for length in [0, 4, 8, *random.Random(0).sample(range(9, len(whole)), 40)]:
            for frame, image in read_frames(io.BytesIO(whole[:length]), "a.tif", [1, 3]):
                assert isinstance(image, Truncated | NotReadable) or same(image, truth[frame - 1]), length


def test_a_tiff_that_ends_too_early_is_truncated_not_shorter(tmp_path):
    truth = noise(3, (64, 80))
    tifffile.imwrite(tmp_path / "a.tif", truth, photometric="minisblack", compression="zlib")
    whole = (tmp_path / "a.tif").read_bytes()
    within_pages, within_pixels = whole[: len(whole) // 2], whole[:-5]
    for frame in 1, 3:
        assert_says(
            dict(read_frames(io.BytesIO(within_pages), "a.tif", [frame]))[frame], "before its page 3", Truncated
        )
    found = dict(read_frames(io.BytesIO(within_pixels), "a.tif", [1, 3]))
    assert same(found[1], truth[0])
    assert_says(found[3], "a.tif frame 3: the file ends before its pixels do", Truncated)


@pytest.mark.parametrize("tag, kind", [("TileByteCounts", UnwrittenFrame), ("ImageLength", NotReadable)])
def test_a_tiff_that_lacks_a_tile_is_not_filled_up_with_black(tag, kind, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(2, (64, 64)), tile=(16, 32), photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        known = file.pages[0].tags[tag]
        known.overwrite(known.value * 4 if tag == "ImageLength" else (*known.value[:3], 0, *known.value[4:]))
    first, second = frames_of(tmp_path / "a.tif", [1, 2]).values()
    assert_says(first, r"a.tif frame 1: .* of its \d+ pieces", kind)
    assert same(second, noise(2, (64, 64))[1])


@pytest.mark.parametrize("compression, tile, read", [(None, None, True), ("zlib", None, False), (None, (16, 32), 0)])
def test_strips_as_old_writers_leave_them_without_a_length_are_read(compression, tile, read, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(1, (64, 64))[0], compression=compression, tile=tile)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        known = file.pages[0].tags["TileByteCounts" if tile else "StripByteCounts"]
        known.overwrite([0] * known.count)
    (found,) = frames_of(tmp_path / "a.tif", [1]).values()
    assert same(found, noise(1, (64, 64))[0]) if read else type(found) is UnwrittenFrame


def test_what_is_not_a_tiff_is_refused(tmp_path):
    (tmp_path / "a.tif").write_text("<html>gone</html>")
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif: this is not a TIFF file: it is a web page", NotReadable)
