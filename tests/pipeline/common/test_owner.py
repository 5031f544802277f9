"""A run in a folder full of its user's files: whatever happens to it, they stay as they are, byte for byte."""

import shutil
import subprocess

import numpy as np
import pytest
from streams import Stream

from idrstream.images import ome_zarr, zarr_group
from idrstream.runs import ledger

SIDES = (600, 800)  # pixels; label images of the light pipeline are not compressed: a megabyte each
OPTIONS = ("--outdir", ".", "--save", "labels,images,outlines", "--csv", "DP", "--well_profiles", "raw")


class Own(Stream):
    """A run whose input, output and launch folder are one."""

    def asked(self):
        return ["--input", "sheet.csv"]

    def start(self, *options, **env):
        return super().start(*OPTIONS, "-w", self.folder.parent / "work", *options, **env)

    @property
    def out(self):
        return self.folder


@pytest.fixture
def own(light, tmp_path):
    """Such a run, on a disk of its own: two images in an OME-Zarr plate, and much that has the names of results."""
    folder = tmp_path / "mine"
    folder.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(size, capture_output=True).returncode:
        pytest.skip("a disk of its own takes Linux and the right to mount")
    rng = np.random.default_rng(0)
    plate = folder / "images/plate1.ome.zarr"
    rows = ["plate,well,frame,path"]
    for column in (1, 2):
        ome_zarr.write(
            plate / f"A/{column}/0", "field", rng.integers(20, 200, SIDES, np.uint8), np.zeros(SIDES, "u2"), {}, 255
        )
        zarr_group.write(plate / f"A/{column}", {"well": {"version": "0.4", "images": [{"path": "0"}]}})
        rows.append(f"P,A{column:02d},1,images/plate1.ome.zarr/A/{column}/0")
    zarr_group.write(plate / "A")
    zarr_group.write(plate, {"plate": {"version": "0.4", "name": "plate1"}})
    (folder / "sheet.csv").write_text("\n".join(rows) + "\n")
    for name in ("streams/streams.yml", "streams/mine__ic/table.tsv", "csv/my.csv", "csv/DP_features/mine.csv.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"my {name}")
    for name in (
        "flatfields/P/x.tif",
        "profiles/wells/mine.parquet",
        "qc/pictures/mine.png",
        "labels/plate=P/mine.tif",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"my {name}")
    (folder / "empty").mkdir()
    yield Own(light, None, folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def contents(folder, names=None):
    paths = [folder / name for name in names] if names else [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def leave_free(folder, megabytes):
    used = shutil.disk_usage(folder).used
    subprocess.run(["mount", "-o", f"remount,size={used + megabytes * 2**20}", folder], check=True)


def test_files_of_the_user_are_as_they_were_after_a_kill_a_run_and_a_redo_on_a_full_disk(own):
    mine = contents(own.folder)
    own.start(SECONDS="0.5").wait_for("done (1 of 2)").kill()
    assert contents(own.folder, mine) == mine
    run = own.run()
    assert run.code == 0, run.said
    assert contents(own.folder, mine) == mine
    assert (own.folder / "empty").is_dir()
    assert {path.name for path in (own.folder / "csv/DP_features").iterdir()} == {
        "mine.csv.gz",
        "batch_0.csv.gz",
        "batch_1.csv.gz",
    }
    cells = run.cells
    first, second = sorted(ledger.read(own.out)[0], key=lambda entry: entry["batch"])
    results = contents(own.folder, [file["path"] for file in first["files"]])
    leave_free(own.folder, 1)
    own.start("--redo", "--max_inflight", 1).wait_for("Error is ignored")  # the first batch's COMMIT
    leave_free(own.folder, 60)  # for the second
    run = own.end()
    assert run.code == 1 and f"{first['batch']}: COMMIT ended with exit code 1" in run.said
    assert "No space left on device" in (own.out / f"pipeline_info/lost_{first['batch']}.log").read_text()
    assert contents(own.folder, mine) == mine and run.cells == cells
    entries, broken = ledger.read(own.out)
    assert first in entries and second not in entries and len(entries) == 2 and not broken
    assert contents(own.folder, results) == results, "what was there before the redo is there still"


TAKEN = {
    "images.tsv": "images.tsv",
    "flatfields/P/diameter.json": "flatfields/P/diameter.json",
    "images/P.ome.zarr/.zattrs": "images/P.ome.zarr/.zattrs",
    "outlines/plate=P/P_A01_s1_f1.geojson": "outlines/plate=P/P_A01_s1_f1.geojson",
}


def test_a_file_in_the_place_of_a_result_is_said_before_anything_starts(own):
    for name in TAKEN:
        (own.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (own.folder / name).write_text("mine")
    mine = contents(own.folder)
    run = own.run()
    assert run.code == 1
    for name in TAKEN:
        assert f"./{name} was not written by idrstream and would be overwritten: move it, or name another" in run.said
    assert contents(own.folder, mine) == mine
    assert not (own.folder / "ledger").exists()
