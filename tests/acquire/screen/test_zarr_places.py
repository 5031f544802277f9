"""Wells of OME-Zarr plates on disks and servers, which may lack them or fail, and in batches."""

import shutil

import numpy as np
import pytest

from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.images.frames import image_key, read_frame
from idrstream.screen import fetch
from idrstream.sources import https, open_store
from make_screen import write_cellh5
from make_zarr import FIRST, WELL, noise, write
from reading import same
from support import http_server, read_frames
from zarr_reading import assert_says, frames_of

# Wells and servers


def test_a_well_that_the_plate_lacks_is_missing_near_and_far(well):
    folder, _ = well
    plates = folder.parents[3]
    with http_server(plates) as server:
        for place in f"{server.url}/P.zarr/B/4/0", plates / "P.zarr/B/4/0", plates / "Q.zarr/B/3/0":
            assert_says(frames_of(place, [1])[1], MissingWell, "there is no OME-Zarr image")


def test_a_disk_that_is_not_there_is_no_missing_well(tmp_path):
    assert_says(frames_of(tmp_path / "gone/P.zarr/B/3/0", [1])[1], Unreachable, "is the disk mounted")


def test_a_local_image_may_not_lie_outside_of_the_folder_of_the_images(well):
    folder, _ = well
    with pytest.raises(NotReadable, match="leads out of"):
        open_store("../P.zarr/B/3/0", root=folder.parents[1])


def test_a_server_that_is_busy_at_first_gives_the_frame_in_the_end(well):
    folder, pixels = well
    with http_server(folder.parents[3], fail_first=3) as server, open_store(f"{server.url}/{WELL}") as store:
        server.faults.fail_first = 3
        assert same(dict(read_frames(store, WELL, [1], **FIRST))[1], pixels[0, 0, 0])
        assert store.requests == len(server.log) == 3 + 3 + 2 + 4


@pytest.mark.parametrize(
    "trouble", [{"status": 503}, {"lie_about_length": 7}, {"reset_after": 100}], ids=lambda trouble: next(iter(trouble))
)
def test_a_server_that_breaks_down_is_to_blame_not_the_image(trouble, well):
    folder, pixels = well
    with http_server(folder.parents[3]) as server, open_store(f"{server.url}/{WELL}") as store:
        found = read_frames(store, WELL, [1, 2, 3], **FIRST)
        assert same(next(found)[1], pixels[0, 0, 0])
        vars(server.faults).update(trouble)
        lost = [failure for _, failure in found]
    assert {type(failure) for failure in lost} == {Unreachable}


def test_a_range_that_is_not_the_one_asked_for_is_not_taken(tmp_path):
    write(tmp_path / WELL, noise(), 3, shards=(4, 1, 1, 128, 200))
    with http_server(tmp_path) as server, open_store(f"{server.url}/{WELL}") as store:
        found = read_frames(store, WELL, [2, 1], **FIRST)
        assert same(next(found)[1], noise()[1, 0, 0])
        server.faults.wrong_range = True
        ((_, failure),) = found
    assert_says(failure, Unreachable, "the server sent bytes", "try after try")


def test_an_object_larger_than_memory_should_hold_is_not_fetched_whole(well, monkeypatch):
    folder, _ = well
    monkeypatch.setattr(https, "LARGEST", 1000)
    with http_server(folder.parents[3]) as server:
        found = frames_of(f"{server.url}/{WELL}", [1])[1]
    assert_says(found, NotReadable, "bytes would be read at once")


# In a batch


def asked_for(frame, *locations):
    row = {"plate": "P", "well": "B03", "well_number": 27, "site": 1, "frame": frame, "locations": list(locations)}
    return row | {"key": image_key("P", "B03", 1, frame)}


def test_how_much_was_never_written_stands_in_the_row_of_the_image(well, tmp_path):
    folder, _ = well
    (folder / "0/1/0/0/1/0").unlink()
    batch = {"images": [asked_for(frame, WELL) for frame in (1, 2)], "source": None} | FIRST
    whole, part = fetch.fetch(batch, tmp_path / "frames", root=str(folder.parents[3]))
    assert (whole["status"], whole["unwritten"]) == ("ok", 0)
    assert (part["status"], part["unwritten"]) == ("ok", pytest.approx(36 * 100 / (100 * 132), abs=1e-6))
    assert np.array_equal(read_frame(tmp_path / "frames", part["key"])[64:, :100], np.zeros((36, 100)))


def test_a_batch_reads_a_store_first_and_where_it_lacks_the_well_the_movie(well, tmp_path):
    folder, pixels = well
    movie = noise((2, 100, 132), np.uint8)
    write_cellh5(folder.parents[3] / "00027_01.ch5", "P", 27, movie)
    with http_server(folder.parents[3]) as server:
        images = [asked_for(2, f"{server.url}/{WELL}", "00027_01.ch5")]
        images += [asked_for(1, f"{server.url}/P.zarr/C/9/0", "00027_01.ch5")]
        batch = {"images": images, "source": server.url, "nuclear": 1, "z": 1, "window": False}
        stored, fallen = fetch.fetch(batch, tmp_path / "frames")
    assert (stored["status"], fallen["status"]) == ("ok", "ok")
    assert np.array_equal(read_frame(tmp_path / "frames", stored["key"]), pixels[1, 0, 0])
    assert np.array_equal(read_frame(tmp_path / "frames", fallen["key"]), movie[0])
    assert 0 < stored["bytes"] <= server.sent


def test_a_local_store_below_the_root_is_read_with_the_neighbours_in_time(well, tmp_path):
    folder, _ = well
    batch = {"images": [asked_for(2, WELL)], "source": None, "nuclear": 2, "z": 1, "window": True}
    (row,) = fetch.fetch(batch, tmp_path / "frames", root=str(folder.parents[3]))
    assert row["status"] == "ok" and row["shape"] == [100, 132]
    assert len(row["window"]) == 3
    shutil.rmtree(folder)
    (row,) = fetch.fetch(batch, tmp_path / "again", root=str(folder.parents[3]))
    assert row["reason"].startswith("MissingWell: ")
