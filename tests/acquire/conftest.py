"""What the tests of this folder have in common: no waits between tries, small inputs, and the folder of a run."""

import functools

import pytest

import make_zarr
from idrstream.runs import digest
from idrstream.sources import ftp, https
from make_screen import write_cellh5
from planning import HEADER, ROWS
from reading import noise
from support import CONTENT


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    for source in ftp, https:
        monkeypatch.setattr(source, "WAITS_S", (0, 0, 0, 0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "movie.bin").write_bytes(CONTENT)
    (folder / "empty.bin").write_bytes(b"")
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path):
    """A folder with everything a run names."""
    (tmp_path / "wells.tsv").write_text("\n".join((HEADER, *ROWS)) + "\n")
    (tmp_path / "screens.tsv").write_text("PA\t../screens/PA--long.screen\nPB\t../screens/PB--long.screen\n")
    (tmp_path / "model.pth").write_bytes(b"weights")
    for folder in "source", "out":
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """A CellH5 movie of three frames of noise."""
    path = tmp_path_factory.mktemp("movie") / "00027_01.ch5"
    write_cellh5(path, "XX0001_01", 27, noise(3))
    return path


@pytest.fixture
def well(tmp_path):
    """Folder and pixels of a well of a plate, Zarr 2."""
    pixels = make_zarr.noise()
    return make_zarr.write(tmp_path / make_zarr.WELL, pixels), pixels


DIGEST = functools.cache(digest.of)  # of the code; it does not change meanwhile


@pytest.fixture
def digests_once(monkeypatch):
    monkeypatch.setattr(digest, "of", DIGEST)
