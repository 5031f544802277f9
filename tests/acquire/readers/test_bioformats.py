"""Files read by Bio-Formats: the pixels that other readers find."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from idrstream import sources
from idrstream.base.failures import (
    NoSuchFrame,
    NoSuchPlane,
    UnchosenPlane,
)
from idrstream.images.frames import image_key, read_frame
from idrstream.readers import planes
from idrstream.readers.movie import open_movie
from idrstream.screen.fetch import fetch
from java_reading import frames_of, write_ics
from reading import assert_says, noise, same
from support import http_server, needs_java


@needs_java
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_the_pages_of_a_tiff_are_its_frames_in_any_type_and_order_of_bytes(dtype, byteorder, tmp_path):
    images = (noise(3, (64, 80)).astype(np.int16) * 100).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="minisblack", byteorder=byteorder, compression="zlib")
    *found, beyond = frames_of(tmp_path / "a.tif", [1, 2, 3, 4])
    assert all(map(same, found, images))
    assert_says(beyond, r"the movie has 3 frames \(a.tif\)", NoSuchFrame)


@needs_java
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_nothing_else_reads_goes_to_bio_formats_by_its_suffix(dtype, tmp_path):
    images = noise(3, (64, 80)).astype(dtype) * 200
    write_ics(tmp_path / "a.ICS", images)
    assert all(map(same, frames_of(tmp_path / "a.ICS", [1, 2, 3], reader=None), images))


@needs_java
@pytest.mark.parametrize("dtype, said, bits", [
    ("uint16", None, None), ("uint16", 12, 12), ("uint16", 16, 16), ("uint16", 32, None), ("uint32", 20, None),
    ("uint8", 8, 8),
])  # fmt: skip
def test_an_ome_tiff_says_its_bits_whatever_reads_it(dtype, said, bits, tmp_path):
    word = f'SignificantBits="{said}" ' if said else ""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        f'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{dtype}" {word}SizeX="80" SizeY="64" '
        'SizeC="1" SizeZ="1" SizeT="1"><Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, noise(1, (64, 80))[0].astype(dtype), description=xml, metadata=None)
    for reader in ("auto", "bioformats"):
        with sources.open_location(path) as file, open_movie(file, path.name, planes.Choice(), reader) as movie:
            assert (movie.failure, movie.significant_bits) == (None, bits), reader


@needs_java
@pytest.mark.parametrize("said, bits", [(12, 12), (16, None)])
def test_of_other_formats_the_width_of_the_type_counts_as_nothing_said(said, bits, tmp_path):
    write_ics(tmp_path / "a.ics", noise(1, (64, 80)).astype(np.uint16) * 16)
    header, _, pixels = (tmp_path / "a.ics").read_bytes().partition(b"end\n")
    header = header.replace(b"significant_bits\t16", b"significant_bits\t%d" % said)
    (tmp_path / "a.ics").write_bytes(header + b"end\n" + pixels)
    with sources.open_location(tmp_path / "a.ics") as file, open_movie(file, "a.ics", planes.Choice()) as movie:
        assert (movie.failure, movie.significant_bits) == (None, bits)


@needs_java
def test_a_channel_and_a_z_plane_are_chosen_by_the_user(tmp_path):
    images = noise(2 * 4 * 3, (64, 80)).reshape(2, 4, 3, 64, 80)
    tifffile.imwrite(tmp_path / "a.tif", images, imagej=True, metadata={"axes": "TZCYX"})
    for channel in 0, 2:
        found = frames_of(tmp_path / "a.tif", [1, 2], nuclear=channel + 1, z=3)
        assert all(map(same, found, images[:, 2, channel]))
        found = frames_of(tmp_path / "a.tif", [1, 2], nuclear=channel + 1, z="max")
        assert all(map(same, found, images[:, :, channel].max(1)))
    assert_says(frames_of(tmp_path / "a.tif", [1], nuclear=4, z=1)[0], 'a.tif: it has no channel "4"', NoSuchPlane)
    unsaid = "a.tif: it has 3 channels .*--nuclear.*, and 4 z planes; choose by --z max"
    assert_says(frames_of(tmp_path / "a.tif", [1])[0], unsaid, UnchosenPlane)


@needs_java
def test_what_a_tiff_says_of_white_thumbnails_channels_and_z_planes_is_read_as_bio_formats_reads_it(tmp_path):
    pixels = noise(3 * 5 * 2, (64, 80)).reshape(3, 5, 2, 64, 80)
    tifffile.imwrite(
        tmp_path / "axes.ome.tif", pixels, metadata={"axes": "TZCYX", "Channel": {"Name": ["GFP", "DAPI"]}}
    )
    tifffile.imwrite(tmp_path / "white.tif", pixels[0, 0, 0], photometric="miniswhite")
    tifffile.imwrite(tmp_path / "white16.tif", pixels[0, 0, 0] * np.uint16(200), photometric="miniswhite")
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as file:
        file.write(pixels[0, 0, 0, ::4, ::4], subfiletype=1, photometric="minisblack", metadata=None)
        file.write(pixels[0, 0, 0], photometric="minisblack", metadata=None)
    for name, frame, choice in (
        ("axes.ome.tif", 3, {"nuclear": "DAPI", "z": "max"}),
        ("axes.ome.tif", 2, {"nuclear": 1, "z": 4}),
        ("white.tif", 1, {}),
        ("white16.tif", 1, {}),
        ("thumb.tif", 1, {}),
    ):
        ((theirs,), (ours,)) = (
            frames_of(tmp_path / name, [frame], reader, **choice) for reader in ("bioformats", None)
        )
        assert same(ours, theirs), name


@needs_java
def test_movies_are_read_at_the_same_time_each_its_own(tmp_path):
    images = noise(8 * 3, (64, 80)).reshape(8, 3, 64, 80)
    for number, movie in enumerate(images):
        tifffile.imwrite(tmp_path / f"{number}.tif", movie, photometric="minisblack")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: frames_of(tmp_path / f"{number}.tif", [3, 1, 2]), range(8)))
    assert all(
        same(frames[at], movie[(2, 0, 1)[at]]) for frames, movie in zip(found, images, strict=True) for at in range(3)
    )


@needs_java
def test_the_frames_of_other_files_of_a_set_are_not_this_files(tmp_path):
    images = noise(2, (64, 80))
    for number, page in enumerate(images):
        tifffile.imwrite(tmp_path / f"set_t{number}.ome.tif", page, description=ome_set(number))
    for number in 0, 1:
        first, second = frames_of(tmp_path / f"set_t{number}.ome.tif", [1, 2])
        assert same(first, images[number])
        assert isinstance(second, NoSuchFrame)


def ome_set(number):
    """The description of one of two OME-TIFF files that make a movie of two frames."""
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="set_t{t}.ome.tif">urn:uuid:{t:032}</UUID></TiffData>'
        for t in (0, 1)
    )
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="urn:uuid:{number:032}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        'SizeX="80" SizeY="64" SizeZ="1" SizeC="1" SizeT="2" BigEndian="false">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )


@needs_java
@pytest.mark.parametrize("no_ranges", [False, True])
def test_the_reader_named_in_a_batch_reads_all_of_it_the_far_files_too(no_ranges, tmp_path):
    images = noise(3, (64, 80)).astype(np.uint16) * 200
    (tmp_path / "far").mkdir()
    tifffile.imwrite(tmp_path / "far" / "a.tif", images, imagej=True, metadata={"axes": "TYX"})
    write_ics(tmp_path / "far" / "b.ics", images)
    with http_server(tmp_path / "far", no_ranges=no_ranges) as server:
        rows = [
            {"key": image_key("P", "A01", site, frame), "locations": [f"{server.url}/{name}"], "frame": frame}
            | {"plate": "P", "well": "A01", "well_number": 1, "site": site}
            for site, name in enumerate(("a.tif", "b.ics"), 1)
            for frame in (3, 1)
        ]
        found = fetch({"images": rows, "source": None, "reader": "bioformats"}, tmp_path / "frames")
    assert [row["reason"] for row in found] == [""] * 4
    for row in found:
        assert same(read_frame(tmp_path / "frames", row["key"]), images[row["frame"] - 1])
        assert row["bytes"] >= images[0].nbytes * 3 // 2
    assert not [path for path in (tmp_path / "frames").iterdir() if path.name.startswith(".")], "no copy is left"
