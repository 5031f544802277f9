"""Files by `ascp`, a program of the user's. A script stands in for it that takes no other call than the one meant."""

import os
import socket
import time
from urllib.parse import quote

import pytest

from ascp import USER, StandIn
from idrstream.base.failures import MissingWell, NotReadable, Truncated, Unreachable
from idrstream.sources import aspera, open_location, probe
from make_screen import make_screen
from support import CONTENT, read_frames


@pytest.fixture
def ascp(tmp_path, monkeypatch):
    folder = tmp_path / "my programs"
    folder.mkdir()
    monkeypatch.setenv("IDRSTREAM_ASCP", str(folder / "ascp"))
    monkeypatch.setenv("IDRSTREAM_ASPERA_KEY", str(folder / "a key"))
    monkeypatch.setattr(aspera, "WAITS_S", (0, 0, 0))
    monkeypatch.setattr(aspera, "POLL_S", 0.05)
    return StandIn(folder)


# The same bytes


@pytest.mark.parametrize("scheme", ["aspera", "fasp"])
def test_a_file_is_fetched_once_and_leaves_nothing_behind(scheme, ascp, cache):
    with open_location(f"{scheme}://fasp-public@127.0.0.1/movie.bin", cache=cache) as file:
        assert file.read() == CONTENT
        assert (file.size, file.bytes, file.requests) == (len(CONTENT), len(CONTENT), 1)
        assert [path.suffix for path in cache.iterdir()] == [""]  # never seen under its name before it is whole
    assert list(cache.iterdir()) == []


NAMES = ["two words.bin", "-l", "--help", 'it\'s "so".bin', "$(touch x);`ls`.bin", "a:b@c.bin", "größe.bin", "~.bin"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_hold_what_names_hold(name, ascp, cache):
    (ascp.archive / name).write_bytes(b"pixels")
    with open_location(f"{USER}/{quote(name)}", cache=cache) as file:
        assert file.read() == b"pixels"


NO_NAMES = ["a/../movie.bin", "%2E%2E/movie.bin", "*.bin", "movie.[b]in", "movie%3F.bin", "movie.bin%0A", ""]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_not_the_name_of_one_file_is_never_given_to_ascp(name, ascp, cache):
    with pytest.raises(NotReadable, match="name of one file"):
        open_location(f"{USER}/{name}", cache=cache)
    assert ascp.calls == 0
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("server", ["127.0.0.1", "-oX@127.0.0.1", "me@-v", "a b@127.0.0.1", "me@host;ls", "me@"])
def test_an_address_that_could_be_an_option_or_names_no_user_is_a_mistake(server, ascp):
    with pytest.raises(ValueError, match=r"aspera://user@server/path|names no server"):
        probe(f"aspera://{server}/pub")


# Transfers that fail


def test_a_transfer_that_breaks_off_goes_on_where_it_was(ascp, cache):
    ascp.is_in_the_mood("fails Session timeout", "fails Client unable to connect to server", "")
    with open_location(f"{USER}/movie.bin", cache=cache) as file:
        assert file.read() == CONTENT
        assert file.requests == ascp.calls == 3
        assert len(list(cache.iterdir())) == 1


STAYING = {
    "fails Failed to open TCP connection for SSH": "gave up .Failed to open TCP connection for SSH.",
    "exits 3 Disk write failed": "gave up .Disk write failed.",
    "exits 5": "gave up .exit status 5.",
    "says it is done": "gave up .Completed",
}


@pytest.mark.parametrize("mood", STAYING)
def test_trouble_that_stays_is_unreachable_after_four_tries_and_leaves_nothing_behind(mood, ascp, cache):
    ascp.is_in_the_mood(*[mood] * 9)
    with pytest.raises(Unreachable, match=f"{USER}/movie.bin: ascp {STAYING[mood]}.*try after try"):
        open_location(f"{USER}/movie.bin", cache=cache)
    assert ascp.calls == 4
    assert list(cache.iterdir()) == []


CLEAR = {
    "fails failed to authenticate": (Unreachable, "does not accept the key .*asperaweb_id_dsa"),
    "fails Server aborted session: Permission denied": (NotReadable, "refuses access to this file"),
    "exits 127 libssl.so: cannot open shared object file: No such file or directory": (Unreachable, "cannot be run"),
}


@pytest.mark.parametrize("mood", CLEAR)
def test_a_clear_no_is_taken_for_an_answer_at_once(mood, ascp, cache):
    failure, said = CLEAR[mood]
    ascp.is_in_the_mood(*[mood] * 9)
    with pytest.raises(failure, match=said):
        open_location(f"{USER}/movie.bin", cache=cache)
    assert ascp.calls == 1
    assert list(cache.iterdir()) == []


def test_a_file_that_is_not_there_is_a_missing_well_at_once(ascp):
    with pytest.raises(MissingWell, match=r"nothing.bin: the server has no such file"):
        open_location(f"{USER}/nothing.bin")
    assert ascp.calls == 1


def test_a_folder_is_not_taken_for_a_movie(ascp, cache):
    (ascp.archive / "plate").mkdir()
    with pytest.raises(NotReadable, match="is a folder"):
        open_location(f"{USER}/plate", cache=cache)
    assert list(cache.iterdir()) == []


def test_a_file_that_came_short_without_a_word_is_truncated_not_pixels(ascp, tmp_path):
    make_screen(tmp_path / "screen", plates=["XX0001_01"], wells=[3], shape=(128, 168))
    (path,) = (tmp_path / "screen").glob("pub/**/*.ch5")
    (ascp.archive / "movie.ch5").write_bytes(path.read_bytes())
    ascp.is_in_the_mood(f"writes {path.stat().st_size - 5000}")
    with open_location(f"{USER}/movie.ch5") as file:
        assert Truncated in [type(image) for _, image in read_frames(file, "movie.ch5", [1, 2])]


def test_a_transfer_in_which_nothing_moves_is_stopped_and_tried_again(ascp, cache, monkeypatch):
    monkeypatch.setattr(aspera, "STALL_S", 0.5)
    ascp.is_in_the_mood("hangs", "")
    started = time.monotonic()
    with open_location(f"{USER}/movie.bin", cache=cache) as file:
        assert file.read() == CONTENT
    assert ascp.calls == 2
    assert time.monotonic() - started < 30


# What the user has to bring


def test_without_the_program_the_user_is_told_where_to_get_it(ascp, monkeypatch):
    for path in "absent", str(ascp.folder / "a key"):
        monkeypatch.setenv("IDRSTREAM_ASCP", path)
        for ask in open_location, probe:
            with pytest.raises(Unreachable, match=f"{path} is no program.*gem install aspera-cli.*--ascp"):
                ask(f"{USER}/movie.bin")
    monkeypatch.delenv("IDRSTREAM_ASCP")
    monkeypatch.setenv("PATH", os.path.dirname(os.__file__))
    with pytest.raises(Unreachable, match=r"/movie.bin: IBM's `ascp` is needed"):
        open_location(f"{USER}/movie.bin")


def test_the_program_is_found_on_path(ascp, monkeypatch):
    monkeypatch.delenv("IDRSTREAM_ASCP")
    monkeypatch.setenv("PATH", f"{ascp.folder}{os.pathsep}{os.environ['PATH']}")
    with open_location(f"{USER}/movie.bin") as file:
        assert file.read() == CONTENT


@pytest.mark.parametrize("named", [None, "", "absent", "."])
def test_without_the_key_the_user_is_told_where_it_is(named, ascp, monkeypatch):
    if named is None:
        monkeypatch.delenv("IDRSTREAM_ASPERA_KEY")
    else:
        monkeypatch.setenv("IDRSTREAM_ASPERA_KEY", named)
    with pytest.raises(Unreachable, match=r"(--aspera_key|cannot be read).*asperaweb_id_dsa.openssh"):
        open_location(f"{USER}/movie.bin")
    assert ascp.calls == 0


def test_a_program_that_cannot_be_run_is_said_to_be_so(ascp):
    (ascp.folder / "ascp").write_text("no program")
    with pytest.raises(Unreachable, match="cannot be run"):
        open_location(f"{USER}/movie.bin")


def test_a_server_is_reachable_if_something_listens_on_one_of_its_two_ports(ascp, monkeypatch):
    with socket.socket() as unused, socket.socket() as listening:
        for each in unused, listening:
            each.bind(("127.0.0.1", 0))
        free, used = unused.getsockname()[1], listening.getsockname()[1]
        monkeypatch.setattr(aspera, "SSH_PORT", used)
        with pytest.raises(Unreachable, match=f"nothing answers on the ports {free} and {used}"):
            probe(f"{USER}:{free}/pub")
        listening.listen()
        probe(f"{USER}:{free}/pub")
        probe(f"{USER}:{used}")
    assert ascp.calls == 0
