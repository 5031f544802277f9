"""The frames of a batch: each with the neighbours in time that its flat-field needs, whatever else is asked for."""

import asyncio
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import make_zarr
from idrstream import sources
from idrstream.base import files, stage_folder, task
from idrstream.images.calibration import FIELDS, read_corrected
from idrstream.images.frames import CONTEXT, image_key, read_frame
from idrstream.readers import planes
from idrstream.readers.movie import open_movie
from idrstream.screen import fetch
from make_screen import write_cellh5
from repository import BIN
from support import http_server

FRAMES = 6
UNWRITTEN = 4


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """Folder and pixels of a movie; its frame 4 is constant."""
    folder = tmp_path_factory.mktemp("movie")
    pixels = np.random.default_rng(0).integers(0, 255, (FRAMES, 64, 84), np.uint8)
    pixels[UNWRITTEN - 1] = 7
    write_cellh5(folder / "movie.ch5", "P", 1, pixels)
    return folder, pixels


def batch_of(*frames, source=None, window=True, plate="P"):
    rows = []
    for frame in frames:
        row = {"plate": plate, "well": "A01", "well_number": 1, "site": 1, "frame": frame, "locations": ["movie.ch5"]}
        rows.append(row | {"key": image_key(plate, "A01", 1, frame)})
    return {"images": rows, "source": source, "window": window}


def numbers(window):
    return [int(key.rsplit("_f")[1]) for key in window]


def test_a_window_is_a_frame_and_those_beside_it_and_at_the_ends_the_three_nearest(movie, tmp_path):
    folder, pixels = movie
    rows = fetch.fetch(batch_of(1, 2, 6), tmp_path / "frames", root=folder)
    assert [numbers(row["window"]) for row in rows] == [
        [1, 2, 3],
        [1, 2, 3],
        [5, 6],
    ]  # 4 shows nothing, so it is not in
    context = tmp_path / "frames" / CONTEXT
    assert sorted(path.stem for path in context.iterdir()) == ["P_A01_s1_f3", "P_A01_s1_f5"]
    assert np.array_equal(read_frame(context, "P_A01_s1_f5"), pixels[4])
    assert all(row["field_bytes"] > 0 for row in rows)


def test_the_background_is_the_median_of_the_frame_as_it_is_stored(movie, tmp_path):
    folder, pixels = movie
    good, constant = fetch.fetch(batch_of(2, UNWRITTEN, window=False), tmp_path / "frames", root=folder)
    assert good["background"] == np.median(pixels[1]) and isinstance(good["background"], float)
    assert constant["status"] == "failed" and constant["background"] is None


@pytest.mark.parametrize("frame", [1, 2, 3, 5, 6])
def test_a_window_is_the_same_whatever_else_is_asked_for(frame, movie, tmp_path):
    folder, _ = movie
    (alone,) = fetch.fetch(batch_of(frame), tmp_path / "alone", root=folder)
    together = fetch.fetch(batch_of(6, 5, 3, 2, 1), tmp_path / "together", root=folder)
    assert alone["window"] == next(row["window"] for row in together if row["frame"] == frame)
    assert not list((tmp_path / "together" / CONTEXT).iterdir())


def test_without_a_window_only_what_is_asked_for_is_read(movie, tmp_path):
    folder, _ = movie
    (row,) = fetch.fetch(batch_of(2, window=False), tmp_path / "frames", root=folder)
    assert "window" not in row and "field_bytes" not in row
    assert row["shape"] == [64, 84]
    assert not list((tmp_path / "frames" / CONTEXT).iterdir())


def test_the_column_channel_says_for_its_own_row_which_channel_is_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 200, (2, 2, 64, 80), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "TCYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    tifffile.imwrite(tmp_path / "b.tif", pixels[0, 0])
    rows = []
    for frame, name, channel in (1, "a.ome.tif", "DAPI"), (2, "a.ome.tif", "1"), (3, "b.tif", "DAPI"), (4, "b.tif", ""):
        (row,) = batch_of(frame, window=False)["images"]
        row |= {"locations": [name], "frame": 1 + (frame == 2), "metadata": {"Gene": "x", "Channel": channel}}
        rows.append(row)
    found = fetch.fetch({"images": rows, "source": None, "nuclear": "GFP"}, tmp_path / "frames", root=str(tmp_path))
    assert [row["status"] for row in found] == ["ok"] * 4, [row["reason"] for row in found]
    assert [row["channels"] for row in found] == [
        [{"number": number, "name": name}] for number, name in ((2, "DAPI"), (1, "GFP"), (1, ""), (1, ""))
    ]
    truth = pixels[0, 1], pixels[1, 0], pixels[0, 0], pixels[0, 0]
    for row, image_ in zip(found, truth, strict=True):
        assert np.array_equal(read_frame(tmp_path / "frames", row["key"]), image_)


@pytest.mark.parametrize("connections", [1, 3])
def test_a_server_is_sent_no_more_connections_than_it_should_get_though_chunks_travel_side_by_side(
    connections, tmp_path
):
    rows = []
    for number in range(4):
        make_zarr.write(tmp_path / f"{number}.zarr", make_zarr.noise())
        (row,) = batch_of(2, plate=f"P{number}", window=False)["images"]
        rows.append(row | {"locations": [f"{number}.zarr"]})
    with http_server(tmp_path, stall=0.01) as server:
        batch = {"images": rows, "source": server.url} | make_zarr.FIRST
        found = fetch.fetch(batch, tmp_path / "frames", connections=connections)
    assert [row["status"] for row in found] == ["ok"] * 4
    assert server.most == connections


def test_a_neighbour_that_cannot_be_reached_takes_its_image_along_and_may_heal(movie, tmp_path, monkeypatch):
    folder, _ = movie
    with http_server(folder) as server:

        def seen(frame):
            server.faults.status = 503
            return 0.0

        monkeypatch.setattr(fetch, "focus", seen)  # looks at the frame asked for, before its neighbours are read
        (row,) = fetch.fetch(batch_of(2, source=server.url), tmp_path / "frames", last=True)
    assert (row["status"], row["retryable"]) == ("failed", True)
    assert row["reason"].startswith("Unreachable: ")


def test_the_offset_that_was_given_is_taken_off_where_nothing_is_known_of_the_plate(movie, tmp_path):
    folder, pixels = movie
    (row,) = fetch.fetch(batch_of(2, window=False) | {"camera_offset": 6}, tmp_path / "frames", root=folder)
    assert np.array_equal(read_corrected(tmp_path / "frames", row), pixels[1].astype(np.float32) - 6)
    assert np.array_equal(read_frame(tmp_path / "frames", row["key"]), pixels[1])


def test_a_plate_whose_field_could_not_be_fetched_waits_for_another_day_and_the_others_go_on(movie, tmp_path):
    folder, _ = movie
    known = tmp_path / "calibration/P"
    known.mkdir(parents=True)
    files.write_json(known / FIELDS, {"offset": 0, "lost": "Unreachable: gone", "fields": {}})
    both = batch_of(2, window=False)
    both["images"] += batch_of(2, plate="Q")["images"]
    lost, other = fetch.fetch(both, tmp_path / "frames", root=folder, calibration=tmp_path / "calibration")
    assert (lost["status"], lost["retryable"], lost["bytes"]) == ("failed", True, 0)
    assert "its plate's flat-field could not be fetched (Unreachable: gone)" in lost["reason"]
    assert other["status"] == "ok"


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "longdouble", "i8", "u8"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 2), (40, 3)])
def test_whatever_the_shape_and_numbers_of_a_frame_its_batch_goes_on(shape, dtype, movie, tmp_path):
    folder, _ = movie
    numbers = np.array([0, 1, np.finfo(dtype).max] if np.dtype(dtype).kind == "f" else [0, 1, 2]).astype(dtype)
    with h5py.File(tmp_path / "odd.ch5", "w") as file:
        file["sample/0/plate/P/experiment/W/position/S/image/channel"] = np.resize(numbers, (1, 1, 1, *shape))
    shutil.copy(folder / "movie.ch5", tmp_path)
    batch = batch_of(2, window=False)
    batch["images"] += [row | {"locations": ["odd.ch5"]} for row in batch_of(1, plate="Q", window=False)["images"]]
    good, odd = fetch.fetch(batch, tmp_path / "frames", root=tmp_path)
    assert good["status"] == "ok"
    assert odd["status"] == "ok" or odd["reason"].startswith(("NotReadable: ", "ConstantFrame: ", "OutOfRange: "))


def test_a_full_disk_is_not_blamed_on_an_image(movie, tmp_path):
    folder, _ = movie
    files = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, files[1]))
    try:
        with pytest.raises(OSError):
            fetch.fetch(batch_of(2, window=False), tmp_path / "frames", root=folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, files)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_work_disk_that_does_not_answer_is_not_blamed_on_an_image(number, movie, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(number, os.strerror(number))

    folder, _ = movie
    monkeypatch.setattr(Path, "write_bytes", fails)  # as the system does
    with pytest.raises(OSError, match=os.strerror(number)):
        fetch.fetch(batch_of(2, window=False), tmp_path / "frames", root=folder, last=True)


@pytest.mark.parametrize("source", ["far", "near"])
def test_a_disk_that_takes_no_copy_of_a_whole_file_is_not_blamed_on_it(source, tmp_path):
    (tmp_path / "a.tif").write_bytes(bytes(9))
    with (
        http_server(tmp_path) as server,
        sources.open_location(f"{server.url}/a.tif" if source == "far" else tmp_path / "a.tif") as file,
        pytest.raises(FileNotFoundError),
        open_movie(file, "a.lsm", reader="bioformats", cache=tmp_path / "gone"),
    ):
        pass


def test_a_library_that_cannot_be_loaded_is_for_the_user_to_mend_and_no_fault_of_an_image(movie, tmp_path):
    folder, _ = movie
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/h5py.py").write_text("import ctypes\nraise ImportError('GLIBCXX_3.4.30 not found')")
    files.write_json(tmp_path / "batch.json", batch_of(2, window=False) | {"root": str(folder)})
    run = subprocess.run(
        [sys.executable, BIN / "screen_fetch.py", "batch.json", "frames", "--last"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "broken")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 64
    assert "a library cannot be loaded (GLIBCXX_3.4.30 not found): rebuild the environment from its lock" in run.stderr


def test_a_machine_that_starts_no_thread_is_not_blamed_on_an_image(tmp_path, monkeypatch):
    async def full(*_):
        raise RuntimeError("can't start new thread")

    make_zarr.write(tmp_path / "a.zarr", make_zarr.noise())
    with (
        sources.open_store(tmp_path / "a.zarr") as store,
        open_movie(store, "a.zarr", planes.Choice(**make_zarr.FIRST)) as movie,
    ):
        monkeypatch.setattr(asyncio, "to_thread", full)  # as Python does
        with pytest.raises(RuntimeError, match="start new thread"):
            movie.read(1)


@pytest.mark.parametrize("last", [False, True])
def test_an_image_too_large_for_memory_is_tried_with_more_and_then_a_row(last, movie, tmp_path):
    folder, _ = movie
    shutil.copy(folder / "movie.ch5", tmp_path)
    tifffile.memmap(tmp_path / "large.tif", shape=(15_000, 15_000), dtype="f8")[7, 7] = 1
    batch = batch_of(2, window=False)
    batch["images"] += [row | {"locations": ["large.tif"]} for row in batch_of(1, plate="Q", window=False)["images"]]
    (tmp_path / "batch.json").write_text(json.dumps(batch | {"root": str(tmp_path)}))
    command = [sys.executable, BIN / "screen_fetch.py", "batch.json", "frames", "--connections", "1"]
    run = subprocess.run(
        ["bash", "-c", 'ulimit -v 1500000; exec "$@"', "bash", *command, *(["--last"] if last else [])],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == (0 if last else 137), run.stderr
    if last:
        good, large = stage_folder.read_rows(tmp_path / "frames")
        assert good["status"] == "ok" and "large.tif: reading it needs more memory" in large["reason"]


@pytest.mark.parametrize("there", [False, True])
def test_a_command_that_fails_takes_the_folder_it_made_along_but_none_that_was_there(there, tmp_path):
    out = tmp_path / "out"
    if there:
        out.mkdir()

    @task.whole("out")
    def command(out):
        out.mkdir(exist_ok=True)
        (out / "half").write_text("")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        command(out=out)
    assert out.exists() == there
