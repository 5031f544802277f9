"""The frames of a batch: each with the neighbours in time that its flat-field needs, whatever else is asked for."""

import numpy as np
import pytest

import make_zarr
from idrstream import fetch, files, image, task
from make_screen import write_cellh5
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
        rows.append(row | {"key": image.key(plate, "A01", 1, frame)})
    return {"images": rows, "source": source, "channel": 0, "window": window}


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
    context = tmp_path / "frames" / image.CONTEXT
    assert sorted(path.stem for path in context.iterdir()) == ["P_A01_s1_f3", "P_A01_s1_f5"]
    assert np.array_equal(image.read_frame(context, "P_A01_s1_f5"), pixels[4])
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
    assert not list((tmp_path / "together" / image.CONTEXT).iterdir())


def test_without_a_window_only_what_is_asked_for_is_read(movie, tmp_path):
    folder, _ = movie
    (row,) = fetch.fetch(batch_of(2, window=False), tmp_path / "frames", root=folder)
    assert "window" not in row and "field_bytes" not in row
    assert row["shape"] == [64, 84]
    assert not list((tmp_path / "frames" / image.CONTEXT).iterdir())


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
        batch = {"images": rows, "source": server.url, "channel": 0}
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
    assert (row["status"], row["heals"]) == ("failed", True)
    assert row["reason"].startswith("Unreachable: ")


def test_a_plate_whose_field_could_not_be_fetched_waits_for_another_day_and_the_others_go_on(movie, tmp_path):
    folder, _ = movie
    known = tmp_path / "known/P"
    known.mkdir(parents=True)
    files.write_json(known / image.FIELDS, {"offset": 0, "lost": "Unreachable: gone", "fields": {}})
    both = batch_of(2, window=False)
    both["images"] += batch_of(2, plate="Q")["images"]
    lost, other = fetch.fetch(both, tmp_path / "frames", root=folder, known=tmp_path / "known")
    assert (lost["status"], lost["heals"], lost["bytes"]) == ("failed", True, 0)
    assert "its plate's flat-field could not be fetched (Unreachable: gone)" in lost["reason"]
    assert other["status"] == "ok"


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
