"""Frames out of CellH5: the pixels that were written, for few requests, or the reason why not."""

import io
import random
import shutil

import h5py
import numpy as np
import pytest

from idrstream.base.failures import (
    ConstantFrame,
    NoSuchPlane,
    NotReadable,
    Truncated,
    UnchosenPlane,
    UnwrittenFrame,
)
from idrstream.sources import open_location
from make_screen import make_screen, write_cellh5
from reading import SHAPE, assert_says, frames_of, noise, same
from support import MOVIES, SCREEN, http_server, images_of, needs_kit, read_frames

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


@pytest.mark.parametrize(
    ("fault", "expected", "reason"),
    [
        ("truncated", [Truncated, Truncated], r"00003_01.ch5: only [\d,]+ of its [\d,]+ bytes exist"),
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
    for shape, lacking in ((0, 1, 1, 64, 80), "states 0 channels"), ((1, 1, 0, 64, 80), "states 0 z planes"):
        with h5py.File(tmp_path / "c.ch5", "w") as file:
            file.create_dataset(place, shape, "u1")
        assert_says(frames_of(tmp_path / "c.ch5", [1])[1], lacking, NotReadable)
