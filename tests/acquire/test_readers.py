"""Frames out of files: the pixels that were written, or the reason why not, one frame at a time."""

import io
import os
import random
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

import make_zarr
from idrstream.failures import (
    ConstantFrame,
    ImageFailure,
    NoSuchFrame,
    NoSuchPlane,
    NotFinite,
    NotReadable,
    Truncated,
    UnchosenPlane,
    Unreachable,
    UnwrittenFrame,
)
from idrstream.readers import WatchedFile
from idrstream.sources import open_location, open_store
from make_screen import make_screen, write_cellh5
from support import MOVIES, SCREEN, http_server, images_of, needs_kit, read_frames

SHAPE = (512, 512)  # noise of this size has 16 chunks of 16 KB: larger than the index, as real ones are


def noise(frames, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, *shape), np.uint8)


def frames_of(path, frames, **choice):
    """{frame: image or failure} of a file on disk."""
    with open_location(path) as file:
        return dict(read_frames(file, path.name, frames, **choice))


def same(image, truth):
    return not isinstance(image, ImageFailure) and image.dtype == truth.dtype and np.array_equal(image, truth)


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """A CellH5 movie of three frames of noise."""
    path = tmp_path_factory.mktemp("movie") / "00027_01.ch5"
    write_cellh5(path, "XX0001_01", 27, noise(3))
    return path


# The right pixels


@needs_kit
@pytest.mark.parametrize("path", MOVIES, ids=lambda path: f"{path.parts[-3][:6]}-{path.stem}")
def test_a_far_frame_is_the_same_pixels_and_costs_little_more_than_its_own_bytes(path):
    with h5py.File(path) as file:
        dataset = images_of(file)
        truth = dataset[0, :, 0]
        stored = np.zeros(len(truth), int)
        for number in range(dataset.id.get_num_chunks()):
            chunk = dataset.id.get_chunk_info(number)
            stored[chunk.chunk_offset[1]] += chunk.size
    with http_server(SCREEN) as server:
        for time, image in enumerate(truth):
            with open_location(f"{server.url}/{path.relative_to(SCREEN)}") as file:
                ((_, found),) = read_frames(file, path.name, [time + 1])
                assert same(found, image)
                assert file.requests <= 6
                assert file.bytes <= 1.05 * stored[time] + 64 * 1024


def test_one_frame_of_a_far_long_movie_takes_few_requests_wherever_it_stands(tmp_path):
    images = noise(93)
    write_cellh5(tmp_path / "00001_01.ch5", "XX0001_01", 1, images)
    for frame in 1, 47, 93:
        with http_server(tmp_path) as server, open_location(f"{server.url}/00001_01.ch5") as file:
            ((_, image),) = read_frames(file, "00001_01.ch5", [frame])
            assert same(image, images[frame - 1])
            assert file.requests <= 6
            assert file.bytes <= 1.05 * images[0].size + 64 * 1024


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("chunks", [None, (1, 1, 1, 64, 70), (2, 1, 1, 128, 140), (1, 3, 1, 100, 60), (2, 40, 1, 8, 8)])
def test_however_a_movie_is_stored_its_pixels_are_the_same(chunks, libver, tmp_path):
    images = noise(2 * 40, (128, 140)).reshape(2, 40, 1, 128, 140)
    path = tmp_path / "00001_01.ch5"
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("sample/0/plate/P/experiment/W/position/S/image/channel", data=images, chunks=chunks)
    for channel in 0, 1:
        found = frames_of(path, [1, 2, 40], nuclear=channel + 1)
        assert all(same(image, images[channel, frame - 1, 0]) for frame, image in found.items())


def test_sixteen_bit_frames_stay_sixteen_bit(tmp_path):
    images = noise(2).astype(np.uint16) * 200
    write_cellh5(tmp_path / "00001_01.ch5", "XX0001_01", 1, images)
    assert same(frames_of(tmp_path / "00001_01.ch5", [2])[2], images[1])


# What is wrong with a frame


def test_frames_come_in_the_order_asked_for_and_those_that_do_not_exist_leave_the_others_alone(movie):
    with open_location(movie) as file:
        results = list(read_frames(file, movie.name, [3, 0, 4, 1, 3]))
    assert [frame for frame, _ in results] == [3, 0, 4, 1, 3]
    truth = noise(3)
    assert [same(image, truth[frame - 1]) for frame, image in results if frame in (1, 3)] == [True] * 3
    for _, failure in results[1:3]:
        assert isinstance(failure, NoSuchFrame)
        assert "the movie has 3 frames (00027_01.ch5)" in str(failure)


@pytest.mark.parametrize(
    ("fault", "expected", "reason"),
    [
        ("truncated", [Truncated, Truncated], r"00003_01.ch5: only [\d,]+ of its [\d,]+ bytes are there"),
        ("web page", [NotReadable, NotReadable], "00003_01.ch5: this is not an HDF5 file: it is a web page"),
        ("unwritten", [None, UnwrittenFrame], "00003_01.ch5 frame 2: the file says that this frame was never written"),
        ("constant", [None, ConstantFrame], "00003_01.ch5 frame 2: every pixel is 6"),
        ("corrupt", [NotReadable, None], "00003_01.ch5: frame 1 cannot be read"),
    ],
)
def test_each_fault_of_a_movie_is_told_apart_and_spoils_no_good_frame(fault, expected, reason, tmp_path):
    arguments = {"plates": ["XX0001_01"], "wells": [3], "shape": (256, 336)}
    make_screen(tmp_path / "good", **arguments)
    make_screen(tmp_path / "bad", **arguments, faults={("XX0001_01", 3): fault})
    ((good,), (bad,)) = ((tmp_path / kind).glob("pub/**/*.ch5") for kind in ("good", "bad"))
    truth, found = frames_of(good, [1, 2]), frames_of(bad, [1, 2])
    for (frame, image), failure in zip(found.items(), expected, strict=True):
        if failure is None:
            assert same(image, truth[frame])
        else:
            assert type(image) is failure
            assert_says(image, reason)


@pytest.mark.parametrize("rows", [0, 256, 512])
def test_a_frame_of_which_some_blocks_were_never_written_is_not_filled_up_with_black(rows, tmp_path):
    path = tmp_path / "00001_01.ch5"
    (image,) = noise(1)
    with h5py.File(path, "w") as file:
        place = "sample/0/plate/P/experiment/W/position/S/image/channel"
        dataset = file.create_dataset(place, (1, 2, 1, *SHAPE), np.uint8, chunks=(1, 1, 1, 128, 128))
        dataset[0, 0, 0] = image
        dataset[0, 1, 0, :rows] = image[:rows]
    found = frames_of(path, [1, 2])
    assert same(found[1], image)
    if rows == 512:
        assert same(found[2], image)
    else:
        assert_says(found[2], f"{16 - rows // 32} of its 16 blocks of pixels were never written", UnwrittenFrame)


def test_a_movie_cut_anywhere_gives_failures_but_never_wrong_pixels(movie):
    whole, truth = movie.read_bytes(), noise(3)
    for length in [0, 1, 8, 50, 95, *random.Random(0).sample(range(100, len(whole)), 40)]:
        for frame, image in read_frames(io.BytesIO(whole[:length]), movie.name, [1, 3]):
            assert isinstance(image, Truncated | NotReadable) or same(image, truth[frame - 1]), length
            assert isinstance(image, Truncated) or length < 100


def test_a_movie_whose_writer_died_gives_the_frames_that_reached_the_disk(movie):
    whole, truth = movie.read_bytes(), noise(3)
    half = bytearray(whole[: len(whole) // 2])
    half[40:48] = len(half).to_bytes(8, "little")  # what the superblock says is the end of the file
    found = dict(read_frames(io.BytesIO(half), movie.name, [1, 3]))
    assert same(found[1], truth[0])
    assert_says(found[3], f"{movie.name} frame 3: its pixels lie behind the end of the file", Truncated)


@pytest.mark.parametrize("level", ["plate", "experiment", "position"])
def test_a_file_of_several_plates_wells_or_positions_is_refused_by_name(level, movie, tmp_path):
    path = shutil.copy(movie, tmp_path)
    with h5py.File(path, "r+") as file:
        group = images_of(file).parent
        while group.name.rsplit("/", 1)[1] != level:
            group = group.parent
        group.create_group("another")
    assert_says(frames_of(tmp_path / movie.name, [1])[1], f"{movie.name}.*here are 2.*another", NotReadable)


def test_hdf5_that_is_not_cellh5_is_refused_with_what_is_lacking(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = noise(1)
    assert_says(frames_of(tmp_path / "data.h5", [1])[1], "data.h5: this is not CellH5.*sample/0/plate", NotReadable)


def test_a_channel_that_the_movie_lacks_is_refused(movie):
    assert_says(frames_of(movie, [1], nuclear=2)[1], 'no channel "2"', NoSuchPlane)


NAMED = {
    "named": ([(b"gfp", 1), (b"rfp", 2)], [("channel_name", "S9"), ("x", "i4")], "1 gfp, 2 rfp"),
    "one of two": ([(b"gfp", 1)], [("channel_name", "S9"), ("x", "i4")], "1 gfp, 2"),
    "another table": ([(1,), (2,)], [("x", "i4")], "1, 2"),
    "numbers": ([(1,), (2,)], [("channel_name", "f4")], "1"),
    "none": (None, None, "1, 2"),
}


@pytest.mark.parametrize("rows, dtype, said", NAMED.values(), ids=NAMED)
def test_a_movie_of_several_channels_and_z_planes_asks_which_by_the_names_it_gives(rows, dtype, said, tmp_path):
    images = noise(2 * 3 * 5, (64, 80)).reshape(2, 3, 5, 64, 80)
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        file["sample/0/plate/P/experiment/W/position/S/image/channel"] = images
        if rows:
            file["definition/image/channel"] = np.array(rows, dtype)
    unsaid = frames_of(tmp_path / "a.ch5", [1])[1]
    assert_says(unsaid, f"^a.ch5: it has 2 channels .{said}.*--nuclear.*, and 5 z planes; choose by --z", UnchosenPlane)
    assert same(frames_of(tmp_path / "a.ch5", [2], nuclear=2, z="max")[2], images[1, 1].max(0))
    assert same(frames_of(tmp_path / "a.ch5", [2], nuclear=2, z="middle")[2], images[1, 1, 2])
    if said == "1 gfp, 2 rfp":
        assert same(frames_of(tmp_path / "a.ch5", [3], nuclear="RFP", z=5)[3], images[1, 2, 4])


def test_names_of_channels_that_lead_into_another_file_are_not_looked_up(tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["names"] = np.array([(b"secret",), (b"secret",)], [("channel_name", "S9")])
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        file["sample/0/plate/P/experiment/W/position/S/image/channel"] = noise(2, (64, 80)).reshape(2, 1, 1, 64, 80)
        file["definition/image/channel"] = h5py.ExternalLink(str(tmp_path / "b.h5"), "names")
    said = str(frames_of(tmp_path / "a.ch5", [1])[1])
    assert "secret" not in said and "it has 2 channels (1, 2)" in said


def test_more_channels_than_a_file_can_have_are_refused_before_memory_is_asked_for(tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        place = "sample/0/plate/P/experiment/W/position/S/image/channel"
        file.create_dataset(place, (2**40, 1, 1, 64, 80), "u1", chunks=(1, 1, 1, 64, 80))
    assert_says(
        frames_of(tmp_path / "a.ch5", [1])[1], "1,099,511,627,776 channels; 1 to 10,000 can be read", NotReadable
    )
    with h5py.File(tmp_path / "b.ch5", "w") as file:
        file.create_dataset(place, (1, 1, 2**40, 64, 80), "u1", chunks=(1, 1, 1, 64, 80))
    assert_says(frames_of(tmp_path / "b.ch5", [1], z="max")[1], "1,099,511,627,776 z planes", NotReadable)
    for shape, lacking in ((0, 1, 1, 64, 80), "has 0 channels"), ((1, 1, 0, 64, 80), "has no z plane"):
        with h5py.File(tmp_path / "c.ch5", "w") as file:
            file.create_dataset(place, shape, "u1")
        assert_says(frames_of(tmp_path / "c.ch5", [1])[1], lacking, NotReadable)


# What is no number


NOT_FINITE = {
    "one NaN": (
        [(10, 20)],
        [],
        "1 of its 5,120 pixels are not finite .1 NaN, 0 infinite., in rows 10 to 10 and",
    ),
    "infinite": ([], [(3, 4), (60, 79)], "2 of .* .0 NaN, 2 infinite., in rows 3 to 60 and columns 4 to 79"),
    "both": ([(0, 0)], [(63, 0)], "2 of .* .1 NaN, 1 infinite., in rows 0 to 63 and columns 0 to 0"),
}


@pytest.mark.parametrize("suffix", ["tif", "ch5", "zarr"])
@pytest.mark.parametrize("nan, infinite, said", NOT_FINITE.values(), ids=NOT_FINITE)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_frame_with_pixels_that_are_no_numbers_fails_with_how_many_and_where(
    dtype, nan, infinite, said, suffix, tmp_path
):
    images = noise(2, (64, 80)).astype(dtype)
    for place in nan:
        images[1][place] = np.nan
    for number, place in enumerate(infinite):
        images[1][place] = (-1) ** number * np.inf
    path = tmp_path / f"a.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, images, photometric="minisblack")
    elif suffix == "ch5":
        with h5py.File(path, "w") as file:
            file["sample/0/plate/P/experiment/W/position/S/image/channel"] = images[None, :, None]
    else:
        make_zarr.write(path, images, axes="tyx", chunks=(1, 64, 80))
    with open_store(str(path)) if suffix == "zarr" else open_location(path) as file:
        found = dict(read_frames(file, path.name, [1, 2]))
    assert same(found[1], images[0])
    assert_says(found[2], f"a.{suffix} frame 2: {said}", NotFinite)


def test_a_suffix_without_reader_is_refused_with_those_that_have_one():
    ((_, failure),) = read_frames(io.BytesIO(), "frame.doc", [1])
    assert_says(failure, r"'.doc'.*\.ch5.*--reader bioformats may", NotReadable)


# Trouble on the way is not trouble of the file


class Failing(io.BytesIO):
    """A file of which one read fails."""

    def __init__(self, content, failing):
        super().__init__(content)
        self.reads, self.failing = 0, failing

    def readinto(self, buffer):
        self.reads += 1
        if self.reads == self.failing:
            raise Unreachable("the network is gone")
        return super().readinto(buffer)


@pytest.mark.parametrize("name", ["00027_01.ch5", "frames.tif"])
def test_whichever_read_fails_the_network_is_blamed_and_not_the_file(name, movie, tmp_path):
    tifffile.imwrite(tmp_path / "frames.tif", noise(3), photometric="minisblack", compression="zlib", rowsperstrip=64)
    content = (movie if name == movie.name else tmp_path / name).read_bytes()
    all_well = Failing(content, None)
    assert same(dict(read_frames(all_well, name, [2]))[2], noise(3)[1])
    assert all_well.reads > 10
    for failing in range(1, all_well.reads + 1):
        assert_says(dict(read_frames(Failing(content, failing), name, [2]))[2], "the network is gone", Unreachable)


def test_a_failure_of_the_file_comes_out_whatever_a_library_makes_of_it():
    for made_of_it in OSError("corrupt"), None:
        file = WatchedFile(Failing(b"pixels", 1))
        with pytest.raises(Unreachable), file.blamed_first():
            try:
                file.read(3)
            except Unreachable:
                if made_of_it:
                    raise made_of_it from None
    with pytest.raises(OSError, match="corrupt"), file.blamed_first():
        raise OSError("corrupt")


def test_python_ends_well_with_a_failure_still_in_hand(movie):
    script = """if True:
        import sys
        from idrstream.failures import Unreachable
        from idrstream.readers import opened

        class Gone:
            def __init__(self, path):
                self.file = open(path, "rb")
                self.tell, self.seek = self.file.tell, self.file.seek

            def readinto(self, buffer):
                if self.file.tell():
                    raise Unreachable("the network is gone")
                return self.file.readinto(buffer)

        with opened(Gone(sys.argv[1]), sys.argv[1]) as movie:
            kept = movie.read(1)
        print(type(kept).__name__)
    """
    found = subprocess.run(
        [sys.executable, "-c", script, movie], env={"PYTHONPATH": os.pathsep.join(sys.path)}, stdout=-1
    )
    assert (found.stdout, found.returncode) == (b"Unreachable\n", 0)  # HDF5 would take a handle left over for a crash


LOST = [{"status": 503}, {"reset_after": 500}, {"edited": True}, {"no_ranges": True}]


@pytest.mark.parametrize("name", ["00027_01.ch5", "frames.tif"])
@pytest.mark.parametrize("trouble", LOST, ids=str)
@pytest.mark.parametrize("good", [0, 1])
def test_a_server_lost_while_frames_are_read_is_unreachable_not_a_corrupt_file(good, trouble, name, movie, tmp_path):
    shutil.copy(movie, tmp_path)
    tifffile.imwrite(tmp_path / "frames.tif", noise(3), photometric="minisblack")
    with http_server(tmp_path) as server, open_location(f"{server.url}/{name}") as file:
        results = read_frames(file, name, [3, 1, 2])
        for _ in range(good):
            assert same(next(results)[1], noise(3)[2])
        vars(server.faults).update(trouble)
        lost = list(results)
        asked = file.requests
    assert [frame for frame, _ in lost] == [3, 1, 2][good:]
    assert {type(failure) for _, failure in lost} == {Unreachable}
    assert asked <= 12  # the frames after the first are not waited for


def test_a_web_page_in_place_of_a_movie_is_not_readable(tmp_path):
    with http_server(tmp_path, html_instead=True) as server, open_location(f"{server.url}/00001_01.ch5") as file:
        assert_says(dict(read_frames(file, "00001_01.ch5", [1]))[1], "it is a web page", NotReadable)


# TIFF


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
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif frame 1.*Split Channels", NotReadable)


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


def assert_says(failure, pattern, kind=ImageFailure):
    with pytest.raises(kind, match=pattern):
        raise failure
