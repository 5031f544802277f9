"""What the tests of fetching have in common: no waits between tries, and an archive of two files."""

import pytest

from idrstream.sources import ftp, https
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
