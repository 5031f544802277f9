"""Files on an FTP server: the same bytes, few more than are wanted, and every way a server fails told apart."""

import os
import socket
import time
from urllib.parse import quote

import h5py
import numpy as np
import pytest

from ftp_server import ftp_server
from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, ftp, open_location, probe
from idrstream.sources.retry import TemporaryFailure, check_rate
from make_screen import make_screen
from near_and_far import assert_any_walk_gives_the_bytes_on_disk, assert_threads_do_not_mix_up_files
from support import CONTENT, MOVIES, images_of, read_frames


@pytest.fixture
def server(archive):
    with ftp_server(archive) as server:
        yield server


LACKING = [(), ("REST",), ("SIZE",), ("MDTM",), ("REST", "SIZE", "MDTM")]


# The same bytes


@pytest.mark.parametrize("unknown", LACKING, ids=str)
def test_any_walk_through_a_file_gives_the_bytes_on_disk(unknown, server, cache):
    server.faults.unknown = unknown
    with open_location(f"{server.url}/movie.bin", cache=cache) as file:
        assert_any_walk_gives_the_bytes_on_disk(file, steps=60)
    assert list(cache.iterdir()) == []


def test_an_empty_file_is_a_file_of_no_bytes(server):
    with open_location(f"{server.url}/empty.bin") as file:
        assert (file.size, file.read(10)) == (0, b"")


@pytest.mark.parametrize("name", ["two words.bin", "größe.bin", "50%.bin", "-l", "#1?.bin"])
def test_a_name_may_hold_what_names_hold(name, archive, server):
    (archive / name).write_bytes(b"pixels")
    with open_location(f"{server.url}/{quote(name)}") as file:
        assert file.read() == b"pixels"


def test_a_name_cannot_smuggle_in_a_command(server):
    with pytest.raises(NotReadable, match="no file has such a name"):
        open_location(f"{server.url}/movie.bin%0D%0ADELE%20movie.bin")
    assert server.commands == []


def test_threads_share_a_server_without_mixing_up_their_files(archive, server):
    assert_threads_do_not_mix_up_files(archive, server, threads=4)
    assert server.logins <= 4


# What travels


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """A folder of movies, real ones if they are at hand, and (path, frames) of two of them."""
    folder = MOVIES[0].parent if MOVIES else tmp_path_factory.mktemp("movies")
    if not MOVIES:
        make_screen(folder, plates=["XX0001_01"], wells=[3, 17], frames=6)
    return folder, sorted(folder.glob("**/*.ch5"))[:2]


def test_a_frame_of_a_far_movie_is_the_same_pixels_and_costs_little_more_than_its_chunks(movies):
    folder, paths = movies
    for path in paths:
        with h5py.File(path) as file:
            dataset = images_of(file)
            truth, stored = dataset[0, :, 0], np.zeros(dataset.shape[1], int)
            for number in range(dataset.id.get_num_chunks()):
                chunk = dataset.id.get_chunk_info(number)
                stored[chunk.chunk_offset[1]] += chunk.size
        for frame, image in enumerate(truth, 1):
            with ftp_server(folder) as server, open_location(f"{server.url}/{path.relative_to(folder)}") as file:
                ((_, found),) = read_frames(file, path.name, [frame])
                assert np.array_equal(found, image)
                assert server.commands.count("RETR") <= 6
                assert server.logins == 1
                assert file.bytes <= 1.25 * stored[frame - 1] + 96 * 1024
                assert server.sent <= file.bytes + 64 * 1024 * server.commands.count("RETR")


def test_breaking_off_a_transfer_leaves_the_connection_fit_for_the_next(archive, server):
    (archive / "large.bin").write_bytes(CONTENT * 20)
    with open_location(f"{server.url}/large.bin") as file:
        for start in (5_000_000, 100_000, 7_000_000):
            file.seek(start)
            file.read(10)
    assert server.commands.count("RETR") == 4
    assert server.logins == 1
    assert server.sent < 1_000_000


@pytest.mark.parametrize("ends", ["mute_ends", "chatty_ends"])
def test_a_server_that_ends_transfers_in_its_own_way_costs_a_new_connection_and_no_bytes(
    ends, archive, server, monkeypatch
):
    monkeypatch.setattr(ftp, "ENDING_S", 0.05)
    (archive / "large.bin").write_bytes(CONTENT * 20)
    setattr(server.faults, ends, True)
    with open_location(f"{server.url}/large.bin") as file:
        for start in (5_000_000, 100_000, 7_000_000):
            file.seek(start)
            assert file.read(1000) == (CONTENT * 20)[start : start + 1000]


def test_requests_are_what_the_server_is_asked_about_files(server):
    with open_location(f"{server.url}/movie.bin") as file:
        file.seek(200_000)
        file.read(10)
        asked = [command for command in server.commands if command in ("SIZE", "MDTM", "RETR")]
        assert file.requests == len(asked) == 6
        assert file.bytes >= FIRST_READ + 10


@pytest.mark.parametrize("unknown", [("REST",), ("SIZE",)], ids=str)
def test_a_server_that_gives_no_parts_sends_the_file_once_and_leaves_nothing_behind(unknown, server, cache):
    server.faults.unknown = unknown
    with open_location(f"{server.url}/movie.bin", cache=cache) as file:
        file.prefetch([(0, 10)])
        file.read(1000)
        assert file.bytes == server.sent == len(CONTENT)
        assert [path.suffix for path in cache.iterdir()] == [""]  # never seen under its name before it is whole
    assert list(cache.iterdir()) == []


def test_a_whole_file_is_taken_up_where_it_broke_off_if_it_is_known_to_be_the_same(server, cache):
    server.faults.unknown = ("SIZE",)
    server.faults.cut_after, server.faults.cuts = 150_000, 2
    with open_location(f"{server.url}/movie.bin", cache=cache) as file:
        assert file.read() == CONTENT
    assert server.commands.count("RETR") == 3
    assert server.sent == len(CONTENT)


def test_a_whole_file_of_which_nothing_is_known_is_begun_anew(server, cache):
    server.faults.unknown = ("SIZE", "MDTM")
    server.faults.cut_after, server.faults.cuts = 150_000, 2
    with open_location(f"{server.url}/movie.bin", cache=cache) as file:
        assert file.read() == CONTENT
    assert server.sent == len(CONTENT) + 2 * 150_000


def test_what_a_server_sends_in_vain_is_little_and_counted(archive, server, monkeypatch):
    (archive / "large.bin").write_bytes(CONTENT * 20)
    unread = ftp._unread

    def late(data):
        time.sleep(0.2)  # far away, a server hears only late that it is to stop
        return unread(data)

    monkeypatch.setattr(ftp, "_unread", late)
    with open_location(f"{server.url}/large.bin") as file:
        before, wanted = file.bytes, 800_000
        file.prefetch([(5_000_000, 5_000_000 + wanted)])
        assert wanted < file.bytes - before < 1.3 * wanted
        assert file.bytes <= server.sent


def test_a_connection_that_the_server_gave_up_meanwhile_is_replaced_without_a_word(archive, monkeypatch):
    monkeypatch.setattr(ftp, "WAITS_S", ())
    with ftp_server(archive) as server, open_location(f"{server.url}/movie.bin") as file:
        (kept,) = ftp._idle[("127.0.0.1", int(server.url.rpartition(":")[2]))]
        kept[0].sock.shutdown(socket.SHUT_WR)
        while kept[0].sock.recv(100):
            pass
        file.seek(200_000)
        assert file.read(10) == CONTENT[200_000:200_010]
        assert server.logins == 2


# Servers that fail

CUTS = {"cut_after": 1000, "cuts": 4}
PASSING = {
    "full": {"answers": {"PASS": ["421 Too many users.", "530 Sorry, the maximum number of clients is connected."]}},
    "busy": {"answers": {"RETR": ["450 Busy.", "425 No data connection.", "426 Aborted.", "421 Service closing."]}},
    "lost": {"answers": {"SIZE": ["421 Timeout.", "451 Local error."], "MDTM": ["450 Busy."]}},
    "cut": CUTS,
    "cut, whole": CUTS | {"unknown": ("REST",)},
    "cut, nothing known": CUTS | {"unknown": ("REST", "SIZE", "MDTM")},
}


@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
def test_trouble_that_passes_is_not_noticed(passing, archive, cache):
    answers = {command: list(said) for command, said in passing.get("answers", {}).items()}
    with ftp_server(archive, **passing | {"answers": answers}) as server:
        with open_location(f"{server.url}/movie.bin", cache=cache) as file:
            assert file.read() == CONTENT
        assert not any(answers.values()) and server.faults.cuts in (0, 1_000_000)


STAYING = {
    "busy": {"answers": {"RETR": ["450 File busy."] * 9}},
    "cut": {"cut_after": 1000},
    "cut, whole": {"cut_after": 1000, "unknown": ("REST",)},
    "size is wrong": {"unknown": ("REST",), "answers": {"SIZE": ["213 400001"] * 9}},
}


@pytest.mark.parametrize("trouble", STAYING.values(), ids=STAYING)
def test_trouble_that_stays_is_unreachable_after_five_tries_and_leaves_nothing_behind(trouble, archive, cache):
    answers = {command: list(said) for command, said in trouble.get("answers", {}).items()}
    with ftp_server(archive, **trouble | {"answers": answers}) as server:
        with pytest.raises(Unreachable, match=rf"{server.url}/movie.bin: .* in try after try") as caught:
            open_location(f"{server.url}/movie.bin", cache=cache)
        assert caught.value.retryable
        assert server.commands.count("RETR") == 5
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("command", ["USER", "SIZE", "PASV", "RETR"])
def test_a_server_that_falls_silent_is_unreachable(command, archive, monkeypatch):
    monkeypatch.setattr(ftp, "READ_S", 0.05)
    with (
        ftp_server(archive, silent=(command,)) as server,
        pytest.raises(Unreachable, match=r"sent nothing|did not answer"),
    ):
        open_location(f"{server.url}/movie.bin")


def test_a_trickle_is_a_stall_and_a_stream_is_none():
    def pieces(size):
        for _ in range(5):
            time.sleep(0.02)
            yield b"x" * size

    assert len(list(check_rate(pieces(64 * 1024), grace=0.01))) == 5
    with pytest.raises(TemporaryFailure, match="too slowly"):
        list(check_rate(pieces(1), grace=0.01))


@pytest.mark.parametrize("name", ["nothing.bin", "plate/nothing.bin"])
@pytest.mark.parametrize("unknown", [(), ("REST", "SIZE", "MDTM")], ids=str)
def test_a_file_that_is_not_there_is_a_missing_well_at_once(unknown, name, server):
    server.faults.unknown = unknown
    with pytest.raises(MissingWell, match=f"{name}: the server has no such file"):
        open_location(f"{server.url}/{name}")
    assert server.commands.count("RETR") == 1


ANSWERS = {
    "550 Failed to open file.": MissingWell,  # vsftpd, whatever the reason
    "550 movie.bin: No such file or directory": MissingWell,
    "553 Can't open that file: No such file or directory": MissingWell,
    "550 movie.bin: Permission denied": NotReadable,
    "550 movie.bin: not a plain file.": NotReadable,
    "553 Prohibited file name": NotReadable,
    "530 Please login with USER and PASS.": Unreachable,
}


@pytest.mark.parametrize(("answer", "failure"), ANSWERS.items())
def test_a_clear_no_is_taken_for_an_answer_at_once(answer, failure, server):
    server.faults.answers["RETR"] = [answer] * 2
    with pytest.raises(failure, match=answer[:3]):
        open_location(f"{server.url}/movie.bin")
    assert server.commands.count("RETR") == 1


@pytest.mark.parametrize("answer", ["530 Login incorrect.", "530 Anonymous access denied.", "550 SSL required."])
def test_a_server_that_lets_no_stranger_in_says_so_once_with_a_remedy_and_is_no_missing_well(answer, server):
    server.faults.answers["PASS"] = [answer] * 3
    for ask in open_location, probe:
        with pytest.raises(Unreachable, match=rf"account \({answer}\).*https://"):
            ask(f"{server.url}/movie.bin")
    assert server.commands.count("PASS") == 2


@pytest.mark.parametrize("unknown", [(), ("MDTM",), ("REST", "MDTM"), ("SIZE",)], ids=str)
def test_a_file_that_changes_while_it_is_read_is_noticed_and_may_heal(unknown, archive, server, cache):
    server.faults.unknown = unknown
    asked = "MDTM" if "MDTM" not in unknown else "SIZE"
    server.faults.answers[asked] = ["213 20010101000000" if asked == "MDTM" else "213 399999"]
    with pytest.raises(Unreachable, match="changed while it was read"):
        open_location(f"{server.url}/movie.bin", cache=cache)
    assert list(cache.iterdir()) == []


def test_a_file_that_changes_between_two_ranges_is_noticed(archive, server):
    with open_location(f"{server.url}/movie.bin") as file:
        os.utime(archive / "movie.bin", (0, 0))
        file.seek(300_000)
        with pytest.raises(Unreachable, match="changed while it was read"):
            file.read(10)


def test_a_server_that_stops_giving_parts_is_not_mistaken_for_one_that_does(server):
    with open_location(f"{server.url}/movie.bin") as file:
        server.faults.unknown = ("REST",)
        file.seek(300_000)
        with pytest.raises(Unreachable, match="stopped sending parts"):
            file.read(10)


def test_where_no_server_listens_is_unreachable_for_files_and_probes():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ftp://127.0.0.1:{unused.getsockname()[1]}"
        for ask in open_location, probe:
            with pytest.raises(Unreachable, match="refused the connection"):
                ask(f"{url}/movie.bin")


def test_a_server_that_lets_us_in_is_reachable_whatever_lies_there(server):
    probe(f"{server.url}/no/such/folder")
    assert server.logins == 1


def test_an_address_with_a_login_is_refused_without_repeating_it():
    with pytest.raises(ValueError, match="without a login") as caught:
        probe("ftp://me:secret@example.org/pub")
    assert "secret" not in str(caught.value)
