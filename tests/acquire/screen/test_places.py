"""Where images lie: what is an address and what a path, whatever is in a name; folders that are there or are not."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from idrstream import sources
from idrstream.base import files, stage_folder
from idrstream.base.tables import Problems
from idrstream.screen import fetch, places, plan
from make_zarr import FIRST, noise, write
from planning import ROOT, planned
from support import http_server

NAMES = [
    "T10:00.tif",
    "W1:s1.tif",
    "a#1.tif",
    "what?.tif",
    "100%41.tif",
    "$(touch RAN).tif",
    "a\\b'c\".tif",
    "http:x.tif",
]


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.arange(64 * 84, dtype=np.uint16).reshape(64, 84))
    return path


def write_sheet(sheet, images):
    with open(sheet, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["plate", "well", "frame", "path"])
        table.writerows(["P1", f"A{number:02d}", 1, path] for number, path in enumerate(images, 1))


def planned_sheet(here, images, **changed):
    write_sheet(here / "sheet.csv", images)
    return planned(here, input="sheet.csv", screens=None, study=None, **({"source": None} | changed))


def fetched(made, folder):
    """The rows of all images of a plan, each fetched from where it is."""
    plan.write(made, folder / "plan")
    packets = sorted((folder / "plan/batches").iterdir())
    batches = [files.read_json(packet) for packet in packets]
    return [row for b, p in zip(batches, packets, strict=True) for row in fetch.fetch(b, folder / p.stem, b["root"])]


def test_a_colon_makes_no_address():
    assert [sources.scheme(name) for name in (*NAMES, "C:/a.tif", "/x://y")] == [""] * (len(NAMES) + 2)
    assert [sources.scheme(f"{name}://h/a.tif") for name in ("https", "FTP", "s3")] == ["https", "ftp", "s3"]
    assert sources.split("a:b/c?d#e.tif") == ("a:b", "c?d#e.tif")


def test_every_character_of_a_files_name_is_the_names(here, tmp_path):
    for name in NAMES:
        write_image(here / "pic$1:#?%41" / name)
    made = planned_sheet(here, [f"pic$1:#?%41/{name}" for name in NAMES])
    assert made.folders == [str(here / "pic$1:#?%41")]
    assert [row["reason"] for row in fetched(made, tmp_path / "run")] == [""] * len(NAMES)


def test_every_character_of_a_files_name_is_the_names_on_a_server_too(here, tmp_path):
    for name in NAMES:
        write_image(here / "far" / name)
    with http_server(here / "far") as server:
        rows = fetched(planned_sheet(here, NAMES, source=server.url), tmp_path / "run")
    assert [row["reason"] for row in rows] == [""] * len(NAMES)


NO_PLACES = {
    "C:\\data\\a.tif": "this is a Windows path; write it as the machine that runs Nextflow sees it",
    "\\\\server\\share\\a.tif": "this is a Windows path",
    "~/a.tif": "only a shell replaces ~; write the home folder's path",
    "sftp://host/a.tif": "sftp:// cannot be fetched; paths and http://, https://, ftp://",
    "~bob/a.tif": "only a shell replaces ~; write the home folder's path",
    "file:///data/a.tif": "write the path alone, without file://",
    "file:/data/a.tif": "write the path alone, without file:",
    "https:///a.tif": "this address names no server",
    "http://[::1/a.tif": "this address names no server",
}


@pytest.mark.parametrize("path", NO_PLACES)
def test_what_is_no_place_is_said_with_its_line_before_the_start(path, here):
    with pytest.raises(Problems) as problems:
        planned_sheet(here, ["a.tif", path])
    (sentence,) = problems.value.sentences
    assert sentence.startswith(f'sheet.csv, line 3, column "path": "{path}": {NO_PLACES[path]}')


@pytest.mark.parametrize("path", NO_PLACES)
def test_what_is_no_place_is_said_of_params_too(path, here):
    for name in ("source", "outdir", "phenotypes"):
        with pytest.raises(Problems) as problems:
            planned(here, **{name: path})
        said = [sentence for sentence in problems.value.sentences if sentence.startswith(f"--{name} {path}: ")]
        assert len(said) == 1 and (
            NO_PLACES[path] in said[0] or "not an address" in said[0] or "to an address" in said[0]
        )


def test_the_folders_of_a_samplesheet_are_those_of_its_files_and_no_folder_above_them():
    images = [{"locations": [place]} for place in ("/a/b/x.tif", "/a/y.tif", "/c/p.zarr/B/3/0", "https://h/a.tif")]
    assert places.folders(images, None) == ["/a", "/a/b", "/c"]
    assert places.folders(images[3:], None) == []
    assert places.folders([{"locations": ["x/y.tif"]}], "/source") == ["/source"]


def test_what_lies_directly_below_the_root_is_looked_for_there(tmp_path):
    write(tmp_path / "p.zarr", noise())
    asked = {"plate": "P", "well": "A01", "well_number": 1, "site": 1, "frame": 1, "key": "P_A01_s1_f1"}
    asked["locations"] = ["/p.zarr"]
    assert places.folders([asked], None) == ["/"]
    batch = {"images": [asked], "source": None} | FIRST
    (row,) = fetch.fetch(batch, tmp_path / "frames", places={"/": str(tmp_path)})
    assert row["reason"] == ""


def test_two_dots_behind_a_link_lead_to_where_the_link_leads(here, tmp_path):
    write_image(here / "disk/plate1/a.tif")
    write_image(here / "disk/b.tif")
    (here / "link").symlink_to(here / "disk/plate1")
    made = planned_sheet(here, ["link/../b.tif", "./link/a.tif"])
    assert [row["reason"] for row in fetched(made, tmp_path / "run")] == ["", ""]
    made = planned_sheet(here, ["b.tif"], source="link/..")
    assert [row["reason"] for row in fetched(made, tmp_path / "again")] == [""]


def test_an_address_that_no_file_can_have_does_not_stop_the_plan(here):
    write_image(here / "a.tif")
    planned_sheet(here, ["a.tif", "ftp://127.0.0.1/a%0Ab.tif"])
    places.probe([{"locations": ["ftp://127.0.0.1/a%0Ab.tif"]}], None)


def test_an_image_is_the_same_wherever_its_folder_is_found(here, tmp_path):
    """As a task has them: each folder a link by number, a file in place of one that is not there."""
    there = [write_image(tmp_path / f"disk{n}/same.tif") for n in (1, 2)]
    made = planned_sheet(here, [*there, tmp_path / "disk2/none.tif", tmp_path / "unmounted/a.tif"], batch_size=4)
    plan.write(made, tmp_path / "plan")
    (packet,) = (tmp_path / "plan/batches").iterdir()
    task = tmp_path / "task"
    (task / "folders").mkdir(parents=True)
    for number, folder in enumerate(files.read_json(packet)["folders"], 1):
        here_as = tmp_path / f"mounted{number}"
        if os.path.isdir(folder):
            os.rename(folder, here_as)
        (task / f"folders/{number}").symlink_to(here_as if here_as.exists() else packet)
    command = [sys.executable, ROOT / "bin/screen_fetch.py", packet, "frames", "--folders", "folders"]
    subprocess.run(command, cwd=task, check=True, capture_output=True)
    rows = stage_folder.read_rows(task / "frames")
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "failed"]
    assert rows[2]["reason"] == f"MissingWell: {tmp_path}/mounted2/none.tif: there is no such file."
    assert rows[3]["reason"].startswith(
        f"Unreachable: {tmp_path}/unmounted: this folder cannot be read; is its disk mounted"
    )
    assert [row["retryable"] for row in rows] == [False, False, False, True]
