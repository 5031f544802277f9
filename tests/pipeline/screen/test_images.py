"""Runs that keep their images, in two sessions and anew: there lies what was measured, and plates tell of it."""

import json

import numpy as np
import pytest
import tifffile
import zarr
from streams import Stream

from make_screen import make_screen

PLATE = "DM0001_01"
KEPT = ("--save", "images", "--illumination", "plate", "--keep_intermediates")


@pytest.fixture(scope="module")
def kept(light, tmp_path_factory):
    """A run of three batches, a well of two frames each, that lost the last; its screen has a well more."""
    folder = tmp_path_factory.mktemp("images")
    make_screen(folder / "screen", plates=[PLATE], wells=range(2, 6), frames=2, shape=(128, 168))
    run = Stream(light, folder / "screen", folder / "run").run(*KEPT, "--batches", "0,1,2", FAULT="EMBED 2 1 0")
    assert run.code == 1
    return run


def fields(run):
    """Where the plate says that its images lie: well -> folders."""
    plate = run.out / f"images/{PLATE}.ome.zarr"
    wells = [well["path"] for well in _attributes(plate)["plate"]["wells"]]
    named = {well: _attributes(plate / well)["well"]["images"] for well in wells}
    return {well: [plate / well / field["path"] for field in images] for well, images in named.items()}


def _attributes(folder):
    return json.loads((folder / ".zattrs").read_text())


def read(folder):
    return zarr.open_array(folder / "0", mode="r")[0, 0, 0]


def in_work(run, folder, name):
    """An image in a stage's folder of that name in the work folder."""
    return tifffile.imread(next(path for path in run.folder.glob(f"work/*/*/{folder}/{name}.tif")))


def changed(run, before):
    """Which fields were written anew since BEFORE (folder -> time); and the times now."""
    now = {folder: (folder / ".zgroup").stat().st_mtime_ns for folders in fields(run).values() for folder in folders}
    return {folder.parent.name for folder, when in now.items() if before.get(folder) != when}, now


def test_images_and_labels_are_those_that_were_measured(kept):
    assert {well: [path.name for path in paths] for well, paths in fields(kept).items()} == {
        "A/2": ["s1f1", "s1f2"],
        "A/3": ["s1f1", "s1f2"],
    }
    field = tifffile.imread(kept.out / f"flatfields/{PLATE}/{PLATE}.tif")
    facts = json.loads((kept.out / f"flatfields/{PLATE}/fields.json").read_text())["fields"][PLATE]
    assert facts["status"] == "ok"
    for well, paths in fields(kept).items():
        for folder in paths:
            name = f"{PLATE}_A0{well[-1]}_{folder.name.replace('f', '_f')}"
            measured = in_work(kept, "frames", name).astype(np.float32) / field
            assert np.array_equal(read(folder), np.clip(np.rint(measured), 0, 255))
            assert np.array_equal(read(folder / "labels/nuclei"), in_work(kept, "labels", name))


def test_an_offset_that_nuclei_are_too_few_to_tell_is_said_to_be_taken_for_0(kept):
    said = f"{PLATE}: the camera's offset could not be estimated and is taken for 0"
    assert said in kept.said and "40 nuclei are needed, there are" in kept.said
    assert set(kept.images["offset_state"]) <= {"none", ""} and set(kept.images["camera_offset"]) <= {"0.0", ""}


def test_the_plan_says_what_they_cost(kept):
    assert "saved images take 181 kB of the results, 30.1 kB each" in kept.said


def test_a_second_session_that_resumes_and_a_redo_leave_plates_that_tell_of_all(kept):
    _, before = changed(kept, {})
    later = kept.run(*KEPT, "--batches", "2,3", "-resume")
    assert later.code == 0, later.said
    assert list(fields(kept)) == ["A/2", "A/3", "A/4", "A/5"]
    new, before = changed(kept, before)
    assert new == {"4", "5"}
    redone = kept.run(*KEPT, "--batches", "1", "--redo")
    assert redone.code == 0, redone.said
    new, before = changed(kept, before)
    assert new == {"3"} and len(before) == 8
    without = kept.run(*KEPT[2:], "--batches", "1", "--redo")
    assert without.code == 0, without.said
    assert list(fields(kept)) == ["A/2", "A/4", "A/5"]
    assert not (kept.out / f"images/{PLATE}.ome.zarr/A/3").exists()
