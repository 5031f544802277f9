"""Opening files near and far: the same bytes, few requests, and every way a server fails told apart."""

import os
import random
import socket
from itertools import pairwise

import pytest

from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, MERGED_GAP, https, merged, open_location, probe
from near_and_far import assert_any_walk_gives_the_bytes_on_disk, assert_threads_do_not_mix_up_files
from support import CONTENT, http_server


@pytest.fixture
def server(archive):
    with http_server(archive) as server:
        yield server


# The same bytes, wherever they are


@pytest.mark.parametrize("place", ["disk", "ranges", "no_ranges"])
def test_any_walk_through_a_file_gives_the_bytes_on_disk(place, archive, server):
    server.faults.no_ranges = place == "no_ranges"
    location = "movie.bin" if place == "disk" else f"{server.url}/movie.bin"
    with open_location(location, root=archive) as file:
        assert_any_walk_gives_the_bytes_on_disk(file, steps=200)
        file.seek(-5, 2)
        assert file.read() == CONTENT[-5:]


@pytest.mark.parametrize("location", ["empty.bin", "URL/empty.bin"])
def test_an_empty_file_is_a_file_of_no_bytes(location, archive, server):
    with open_location(location.replace("URL", server.url), root=archive) as file:
        assert (file.size, file.read(10)) == (0, b"")


def test_threads_share_a_server_without_mixing_up_their_files(archive, server):
    assert_threads_do_not_mix_up_files(archive, server, threads=8, size=200_000)


# What travels


def test_bytes_and_requests_are_what_the_server_counts(server):
    with open_location(f"{server.url}/movie.bin") as file:
        file.seek(100_000)
        file.read(50_000)
        file.prefetch([(300_000, 310_000)])
        assert (file.bytes, file.requests) == (server.sent, len(server.log)) == (FIRST_READ + 60_000, 3)


def test_bytes_of_a_local_file_are_those_read_and_nothing_is_requested(archive):
    with open_location("movie.bin", root=archive) as file:
        file.read(1000)
        assert (file.bytes, file.requests) == (1000, 0)


def test_prefetched_ranges_that_lie_close_together_travel_in_one_request_and_once(server):
    with open_location(f"{server.url}/movie.bin") as file:
        before = file.requests
        file.prefetch([(150_000, 160_000), (100_000, 150_000), (161_000, 170_000), (300_000, 301_000)])
        assert file.requests == before + 2
        file.seek(100_000)
        file.read(70_000)
        assert file.requests == before + 2


def test_what_is_held_already_is_not_prefetched(server):
    with open_location(f"{server.url}/movie.bin") as file:
        file.prefetch([(0, FIRST_READ + 100)])
        assert file.bytes == FIRST_READ + 100
        file.prefetch([(10, FIRST_READ)])
        assert file.requests == 2


def test_memory_holds_only_what_was_prefetched_last(server):
    with open_location(f"{server.url}/movie.bin") as file:
        file.prefetch([(100_000, 200_000)])
        file.prefetch([(300_000, 400_000)])
        before = file.requests
        file.seek(100_000)
        file.read(10)
        assert file.requests == before + 1


def test_reading_from_front_to_back_takes_ever_larger_steps(server):
    with open_location(f"{server.url}/movie.bin") as file:
        while file.read(1000):
            pass
        assert file.requests <= 7
        assert file.bytes == len(CONTENT)


def test_merged_ranges_cover_the_same_bytes_in_order_and_apart():
    numbers = random.Random(2)
    for _ in range(100):
        starts = [numbers.randrange(300_000) for _ in range(20)]
        ranges = [(start, start + numbers.randrange(1, 20_000)) for start in starts]
        joined = merged(ranges)
        assert all(any(first <= start and stop <= last for first, last in joined) for start, stop in ranges)
        assert all(after[0] - before[1] > MERGED_GAP for before, after in pairwise(joined))


def test_a_server_that_gives_no_ranges_sends_the_file_once_and_leaves_nothing_behind(server, cache):
    server.faults.no_ranges = True
    with open_location(f"{server.url}/movie.bin", cache=cache) as file:
        file.prefetch([(0, 10)])
        file.read(1000)
        assert (file.bytes, file.requests) == (server.sent, len(server.log)) == (len(CONTENT), 1)
        assert [path.suffix for path in cache.iterdir()] == [""]  # never seen under its name before it is whole
    assert list(cache.iterdir()) == []


# Servers that fail


RESETS = {"reset_after": 1000, "resets": 4}


@pytest.mark.parametrize("passing", [{"fail_first": 4}, RESETS, RESETS | {"no_ranges": True}], ids=str)
def test_trouble_that_passes_is_not_noticed(passing, archive):
    with http_server(archive, **passing) as server, open_location(f"{server.url}/movie.bin") as file:
        assert file.read() == CONTENT
        assert file.requests >= 5


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 503},
        {"status": 429},
        {"reset_after": 1000},
        {"reset_after": 1000, "no_ranges": True},
        {"lie_about_length": 10},
        {"lie_about_length": 10, "no_ranges": True},
        {"wrong_range": True},
    ],
    ids=str,
)
def test_trouble_that_stays_is_unreachable_after_five_tries_and_leaves_nothing_behind(trouble, archive, cache):
    with http_server(archive, **trouble) as server:
        with pytest.raises(Unreachable, match=rf"{server.url}/movie.bin: .* in try after try") as caught:
            open_location(f"{server.url}/movie.bin", cache=cache)
        assert caught.value.retryable
    assert len(server.log) == 5
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("trouble", [{"stall": 1}, {"lie_about_length": -10}], ids=str)
def test_a_server_that_falls_silent_or_sends_too_little_is_unreachable(trouble, archive, monkeypatch):
    monkeypatch.setattr(https, "READ_S", 0.1)
    with http_server(archive, **trouble) as server, pytest.raises(Unreachable):
        open_location(f"{server.url}/movie.bin")


@pytest.mark.parametrize(
    ("status", "failure"),
    [(404, MissingWell), (410, MissingWell), *((status, NotReadable) for status in (400, 401, 403, 501, 505))],
)
def test_a_clear_no_is_taken_for_an_answer_at_once(status, failure, server):
    server.faults.status = status
    with pytest.raises(failure, match=f"{server.url}/movie.bin.*{status}"):
        open_location(f"{server.url}/movie.bin")
    assert len(server.log) == 1


@pytest.mark.parametrize("no_dates", [False, True])
def test_a_file_that_changes_while_it_is_read_is_noticed_and_may_heal(no_dates, server):
    server.faults.no_dates = no_dates
    with open_location(f"{server.url}/movie.bin") as file:
        server.faults.edited = True
        file.seek(300_000)
        with pytest.raises(Unreachable, match="changed while it was read"):
            file.read(10)


def test_a_server_that_stops_giving_ranges_is_not_mistaken_for_one_that_does(server):
    with open_location(f"{server.url}/movie.bin") as file:
        server.faults.no_ranges = True
        file.seek(300_000)
        with pytest.raises(Unreachable, match="stopped sending parts"):
            file.read(10)


def test_where_no_server_listens_is_unreachable_for_files_and_probes():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="refused the connection"):
            open_location(f"{url}/movie.bin")
        with pytest.raises(Unreachable, match="refused the connection"):
            probe(url)


@pytest.mark.parametrize("status", [None, 403, 404])
def test_a_server_that_answers_is_reachable_even_if_it_does_not_list_its_folders(status, server):
    server.faults.status = status
    probe(f"{server.url}/pub/")
    assert len(server.log) == 1


# Disks that fail


def test_a_file_that_is_not_in_its_folder_is_a_missing_well(archive):
    with pytest.raises(MissingWell, match="nothing"):
        open_location("nothing.bin", root=archive)


def test_a_folder_that_is_not_there_is_unreachable_not_a_missing_well(tmp_path):
    with pytest.raises(Unreachable, match="mounted"):
        open_location("movie.bin", root=tmp_path / "unmounted")
    with pytest.raises(Unreachable, match="mounted"):
        probe(tmp_path / "unmounted")


@pytest.mark.parametrize("location", ["../secret.bin", "a/../../secret.bin", "/etc/passwd"])
def test_no_location_leads_out_of_the_root(location, archive):
    (archive.parent / "secret.bin").write_bytes(b"secret")
    with pytest.raises(NotReadable, match="leads out of"):
        open_location(location, root=archive)


def test_a_disk_linked_into_the_root_is_part_of_it(archive, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "movie.bin").write_bytes(b"pixels")
    (archive / "plate").symlink_to(disk)
    with open_location("plate/movie.bin", root=archive) as file:
        assert file.read() == b"pixels"


def test_a_scheme_that_nothing_can_fetch_is_named_with_those_that_can_be():
    with pytest.raises(ValueError, match=r"gopher://.*https://"):
        open_location("gopher://example.org/movie.ch5")


def test_a_name_that_no_disk_can_have_is_not_blamed_on_the_disk(archive):
    (archive / "circle").symlink_to("circle")
    for location in "x" * 300, "circle", "circle/movie.bin", "movie.bin/movie.bin":
        with pytest.raises(NotReadable, match="cannot be opened"):
            open_location(location, root=archive)


def test_a_pipe_is_no_file_and_nobody_waits_for_it(archive):
    os.mkfifo(archive / "pipe.bin")
    with pytest.raises(NotReadable, match="a pipe or a device"):
        open_location("pipe.bin", root=archive)
