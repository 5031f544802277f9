"""What the tests of this folder have in common: no waits between tries, small inputs, and the folder of a run."""

import functools
import shutil

import pytest

import make_zarr
from idrstream.base import files, stage_folder
from idrstream.runs import commit, digest
from idrstream.screen import results
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


@pytest.fixture
def committed(here):
    """A function that commits the batches of a plan, all images done but for those in `failed`."""

    def commits(made, failed=(), retryable=False, work_folders=(), save_labels=False, recover=True):
        if recover:  # as BEGIN does
            commit.recover(here / "out")
        for number, batch in enumerate(made.batches):
            tables = here / f"tables-{number}"
            shutil.rmtree(tables, ignore_errors=True)
            rows = []
            for asked in batch["images"]:
                row = asked | dict.fromkeys(("bytes", "field_bytes", "seconds", "flatfield", "focus", "saturation"), 1)
                bad = asked["key"] in failed
                state = {
                    "status": "failed" if bad else "ok",
                    "reason": "Truncated: cut" if bad else "",
                    "retryable": bad and retryable,
                }
                rows.append(row | state | {"cells": None if bad else 3})
            for plate in {row["plate"] for row in rows if row["status"] == "ok"}:
                files.write_text(
                    tables / f"results/profiles/single_cells/plate={plate}/{batch['id']}.parquet", made.note
                )
            tables.mkdir(exist_ok=True)
            files.write_json(tables / "images.json", rows)
            files.write_json(tables / stage_folder.PROVENANCE, {})
            whole = batch | {"recipe": made.recipe, "references": made.plates, "session": made.session}
            folders = [str(folder) for folder in work_folders]
            results.commit(whole, tables, here / "labels", here / "out", save_labels, work_folders=folders)

    return commits
