"""The names of the files in a folder: all of them, whatever links and odd letters there are."""

import json
import os
import subprocess
import sys

import pytest

from idrstream.base import listing
from planning import ROOT


def test_files_are_listed_through_links_without_hidden_ones_and_a_zarr_is_one(tmp_path):
    for name in ("a/b/1.tif", "a/.hidden.tif", ".git/2.tif", "a/P.ome.zarr/0/0", "out/3.tif", "far/4.tif"):
        path = tmp_path / ("elsewhere" if name.startswith("far") else "in") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in/far").symlink_to(tmp_path / "elsewhere/far")
    (tmp_path / "in/a/circle").symlink_to(tmp_path / "in")
    (tmp_path / "in/a/gone.tif").symlink_to(tmp_path / "gone.tif")
    found = listing.read(tmp_path / "in", [tmp_path / "in/out", tmp_path / "work"])
    assert found == {"files": ["a/P.ome.zarr", "a/b/1.tif", "a/gone.tif", "far/4.tif"], "faults": []}


def test_a_link_that_leads_to_itself_counts_as_a_file(tmp_path):
    (tmp_path / "P1").mkdir()
    (tmp_path / "P1/B03.tif").touch()
    (tmp_path / "P1/loop").symlink_to("loop")
    assert listing.read(tmp_path) == {"files": ["P1/B03.tif", "P1/loop"], "faults": []}


@pytest.mark.skipif(os.geteuid() == 0, reason="root follows every link")
def test_a_link_into_a_closed_folder_is_said_and_not_skipped(tmp_path):
    (tmp_path / "closed/P2").mkdir(parents=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/P2").symlink_to(tmp_path / "closed/P2")
    (tmp_path / "closed").chmod(0)
    faults = listing.read(tmp_path / "in")["faults"]
    assert faults == [f"{tmp_path}/in/P2: where this link leads cannot be read (Permission denied)"]


def test_a_name_that_is_no_text_comes_through_the_listing(tmp_path):
    (tmp_path / os.fsdecode(b"P\xff A01.tif")).touch()
    command = [sys.executable, ROOT / "bin/list_files.py", tmp_path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert [os.fsencode(name) for name in found["files"]] == [b"P\xff A01.tif"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_said_and_not_skipped(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    faults = listing.read(tmp_path)["faults"]
    assert faults == [f"{tmp_path}/closed: this folder cannot be read (Permission denied)"]
