"""Frames out of files: each by itself; what is no number is no frame, and trouble on the way is not the file's."""

import io
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

import make_zarr
from idrstream.base.failures import NoSuchFrame, NotFinite, NotReadable, Unreachable
from idrstream.readers.watched_file import WatchedFile
from idrstream.sources import open_location, open_store
from reading import assert_says, noise, same
from support import http_server, read_frames


def test_frames_come_in_the_order_asked_for_and_those_that_do_not_exist_leave_the_others_alone(movie):
    with open_location(movie) as file:
        results = list(read_frames(file, movie.name, [3, 0, 4, 1, 3]))
    assert [frame for frame, _ in results] == [3, 0, 4, 1, 3]
    truth = noise(3)
    assert [same(image, truth[frame - 1]) for frame, image in results if frame in (1, 3)] == [True] * 3
    for _, failure in results[1:3]:
        assert isinstance(failure, NoSuchFrame)
        assert "the movie has 3 frames (00027_01.ch5)" in str(failure)


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
    assert_says(failure, r"'.doc'.*\.ch5.*Try --reader bioformats", NotReadable)


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
        from idrstream.base.failures import Unreachable
        from idrstream.readers.movie import open_movie

        class Gone:
            def __init__(self, path):
                self.file = open(path, "rb")
                self.tell, self.seek = self.file.tell, self.file.seek

            def readinto(self, buffer):
                if self.file.tell():
                    raise Unreachable("the network is gone")
                return self.file.readinto(buffer)

        with open_movie(Gone(sys.argv[1]), sys.argv[1]) as movie:
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
