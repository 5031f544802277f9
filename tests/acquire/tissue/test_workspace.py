"""A workspace of DeepCell's users in place of a table: what is planned, what is read, and what is written there."""

import io
import shutil
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from commits import killed
from idrstream.base import files
from idrstream.base.failures import NotReadable
from idrstream.base.tables import Problems
from idrstream.runs import commit, manifest
from idrstream.tissue import npz, plan, scratch, tiles, workspace
from planning import SCHEMA
from repository import BIN

OUTPUTS = "masks,quant,geojson"
IDENTITY = "0" * 16


def planes(shape=(300, 400), dtype=np.float32):
    return np.random.default_rng(0).uniform(1, 99, (*shape, 2)).astype(dtype)


@pytest.fixture
def places(here):
    """The folders of a workspace: A1, A10 and BA1 have an image and an NPZ file, A2 an image."""
    folders = {"images": "IMAGES", "numpy": "NPZ", "segmasks": "SEGMASK", "project": "PROJ", "reports": "REPORTS"}
    for name in folders.values():
        (here / name).mkdir()
    for sample in "A1", "A10", "A2", "BA1":
        shutil.copy(here / "a.ome.tif", here / "IMAGES" / f"{sample}.ome.tiff")
        if sample != "A2":
            np.savez_compressed(here / "NPZ" / f"{sample}.npz", input_channels=planes())
    return {name: str(here / folder) for name, folder in folders.items()}


@pytest.fixture
def planned(here, places, defaults):
    """A function that plans a run on the workspace."""

    def planned(outdir="out", unwritable=(), **changed):
        given = {"model": here / "model.pth", "outdir": here / outdir}
        written = {name: here / places[name] for name in ("segmasks", "project", "reports")}
        given |= {name: folder for name, folder in written.items() if folder.is_dir()}
        values = defaults | {"input": None, "workspace": str(here)} | changed
        return plan.make(values, "", "first", given, SCHEMA, places=places, unwritable=unwritable)

    return planned


@pytest.fixture
def refused(planned):
    def refused(*outdir, **changed):
        with pytest.raises(Problems) as problems:
            planned(*outdir, **changed)
        return problems.value.sentences

    return refused


def read(folder, slide):
    """The finished READ of the planner's JSON of a slide."""
    files.write_json(folder / "packet.json", slide)
    command = [sys.executable, BIN / "tissue_read.py", folder / "packet.json", folder / "slide"]
    return subprocess.run(command, capture_output=True, text=True)


def names(made):
    return [slide.name for slide in made.slides]


def test_every_image_with_an_npz_file_is_a_slide_and_the_others_are_listed(planned, here):
    made = planned()
    assert names(made) == ["A1", "A10", "BA1"] and [*made.unmatched] == ["A2"]
    assert f"  A2: there is no {here}/NPZ/A2.npz, and --nuclear names no channel of A2.ome.tiff" in made.text()


def test_an_image_without_an_npz_file_is_segmented_by_its_own_channels_if_they_are_named(planned, tmp_path):
    made = planned(nuclear="DNA1")
    assert names(made) == ["A1", "A10", "A2", "BA1"] and not made.unmatched
    plan.write(made, tmp_path / "plan")
    own, prepared = (files.read_json(tmp_path / f"plan/slides/{name}.json") for name in ("A2", "A1"))
    assert own["npz"] is None and own["nuclear"][0]["name"] == "DNA1"
    assert prepared["npz"] == {"location": f"{tmp_path}/NPZ/A1.npz", "dtype": "float32"}
    assert prepared["nuclear"] == [{"name": "nuclear", "file": 1, "channel": 0, "frame": 0, "number": 4}]
    assert [channel["name"] for channel in prepared["measured"]] == ["DNA1", "CD3", "CD8"]


def test_a_filter_is_a_pattern_of_the_whole_sample_and_says_how_many_match(planned, refused):
    made = planned(image_filter="A1*")
    assert names(made) == ["A1", "A10"] and "2 of 4 images match --image_filter A1*" in made.text()
    assert names(planned(image_filter="A1")) == ["A1"]
    (sentence,) = refused(image_filter="C*")
    assert "--image_filter C*: no sample in " in sentence and "there are A1, A10, A2, BA1" in sentence


def test_an_npz_file_that_cannot_be_used_is_told_before_the_start_and_fails_its_slide_alone(planned, here):
    content = (here / "NPZ/A1.npz").read_bytes()
    (here / "NPZ/A1.npz").write_bytes(content[: len(content) // 2])
    np.savez(here / "NPZ/BA1.npz", input_channels=planes((300, 399)))
    made = planned()
    assert names(made) == ["A1", "A10", "BA1"]
    assert "A1.npz: it cannot be opened (File is not a zip file). The slide will fail; the others go on." in made.text()
    assert "BA1.npz: input_channels has 300 x 399 pixels, and the slide 300 x 400" in made.text()


def test_what_is_wrong_with_a_workspace_is_said_in_sentences(refused, here, places):
    shutil.copy(here / "a.ome.tif", here / "IMAGES/A1.tif")
    shutil.copy(here / "a.ome.tif", here / "IMAGES/my slide.tif")
    found = refused()
    assert found[0] == "A1.tif: A1.ome.tiff is of the same sample, A1; keep one"
    assert found[1].startswith('my slide.tif: its sample is "my slide"; letters, digits') and len(found) == 2
    assert "a table of slides or a workspace" in refused(input="slides.csv")[-1]
    places["images"] = str(here / "none")
    missing = f"{here}/none: there is no such folder of images; --workspace and --images_subdir name another"
    assert refused() == [missing]
    places["images"] = "gs://bucket/OMETIFF"
    assert "a workspace is on a disk of this machine; copy or mount it" in refused()[0]


def test_no_folder_of_the_images_is_written_to_by_whatever_name(refused, here, places):
    (here / "LINK").symlink_to("IMAGES")
    for name in f"{here}/IMAGES", f"{here}/IMAGES/", f"{here}/./IMAGES", f"{here}/PROJ/../IMAGES", f"{here}/LINK":
        places["segmasks"] = name
        why = "its files would be taken for images of the workspace; name another folder"
        assert refused() == [f"--segmasks_subdir: {name}: {why}"]


@pytest.mark.parametrize("name", ["OMETIFF/", "./OMETIFF", "..", ".", "a/b", "", "OMETIFF\n", "a\tb"])
def test_a_folder_in_a_workspace_is_named_without_a_path(name, refused):
    (sentence,) = refused(segmasks_subdir=name)
    assert sentence.endswith(
        "is not the name of a folder in --workspace; a folder elsewhere is named by --segmasks_path"
    )


@pytest.mark.parametrize("name", ["..masks", "SEG MASK", "v1.2", "20240115", "Übersicht"])
def test_other_names_of_folders_are_taken(name, planned):
    assert planned(segmasks_subdir=name).todo


def test_a_folder_that_cannot_be_written_is_told_before_the_start(refused, here):
    assert refused(unwritable=["reports"]) == [f"{here}/REPORTS: it cannot be written; name another"]


def test_folders_that_are_not_there_are_made_by_the_first_result_and_not_by_the_plan(planned, here, places):
    for name in "SEGMASK", "REPORTS", "PROJ":
        (here / name).rmdir()
    assert planned().todo and not any((here / name).exists() for name in ("SEGMASK", "REPORTS", "PROJ"))
    publish(here)
    assert complete(here)


def test_a_filter_without_a_workspace_is_refused(here, defaults):
    with pytest.raises(Problems, match="--image_filter A1: it goes with a --workspace"):
        plan.make(defaults | {"image_filter": "A1"}, str(here), "first", {}, SCHEMA)


def packet(here, sample="A1", **more):
    base = {"id": sample, "slide": sample, "number": 0, "session": "s", "recipe": {}, "references": {}}
    base |= {"supersedes": [], "kept": [], "identity": IDENTITY, "outputs": OUTPUTS.split(","), "cells": "expand"}
    return base | {"workspace": {"segmasks": str(here / "SEGMASK"), "reports": str(here / "REPORTS")}} | more


def leave(here, text=""):
    """What ASSEMBLE and TABLES leave of a slide: files of this TEXT, and their names."""
    steps = {"assembled": ("results/cells.ome.tif", "results/nuclei.ome.tif")}
    steps["tables"] = ("results/QUANT.tsv", "shapes/cells.jsonl", "shapes/nuclei.jsonl")
    for step, paths in steps.items():
        for path in paths:
            files.write_text(here / step / path, text + path)
    return here / "assembled", here / "tables"


def publish(here, outdir="out", **changed):
    workspace.publish(packet(here, **changed), *leave(here), here / outdir)


def test_a_slide_leaves_the_files_of_deepcell_imaging_under_its_names(here, places):
    publish(here)
    written = {path.name: path.read_text() for name in ("SEGMASK", "REPORTS") for path in (here / name).glob("A1*")}
    assert written == {
        "A1_WholeCellMask.tiff": "results/cells.ome.tif",
        "A1_NucleusMask.tiff": "results/nuclei.ome.tif",
        "A1_WholeCellShapes.jsonl": "shapes/cells.jsonl",
        "A1_NucleusShapes.jsonl": "shapes/nuclei.jsonl",
        "A1_QUANT.tsv": "results/QUANT.tsv",
    }
    publish(here, cells="none")
    assert {path.name for path in (here / "SEGMASK").glob("A1*")} == {"A1_NucleusMask.tiff", "A1_NucleusShapes.jsonl"}


def test_two_folders_of_a_workspace_may_be_one(here, places):
    publish(here, workspace=dict.fromkeys(("segmasks", "reports"), str(here / "SEGMASK")))
    assert len([*(here / "SEGMASK").glob("A1_*")]) == 5


def test_a_file_that_no_run_wrote_is_never_overwritten(planned, refused, here):
    mine = here / "SEGMASK/A1_NucleusMask.tiff"
    mine.write_text("mine")
    (sentence,) = refused()
    assert sentence.startswith(f"{here}/SEGMASK: A1_NucleusMask.tiff would be overwritten")
    assert sentence.endswith("move them, or name another folder by --segmasks_subdir")
    assert names(planned(image_filter="BA1")) == ["BA1"]
    with pytest.raises(Problems):
        publish(here)
    assert mine.read_text() == "mine" and not [*(here / "SEGMASK").glob("*WholeCell*")]


def test_a_project_of_the_users_is_named_before_the_start(refused, here):
    (here / "PROJ/project.qpproj").write_text("mine")
    (sentence,) = refused()
    assert sentence.startswith(f"{here}/PROJ: project.qpproj would be overwritten") and "--project_subdir" in sentence


def complete(here, identity=IDENTITY):
    folders = {"segmasks": here / "SEGMASK", "reports": here / "REPORTS"}
    return workspace.complete(folders, "A1", identity, OUTPUTS.split(","), "expand")


def test_files_that_are_missing_from_a_workspace_are_made_anew(here, places):
    assert not complete(here)
    publish(here)
    assert complete(here)
    (here / "REPORTS/A1_QUANT.tsv").unlink()
    assert not complete(here)
    publish(here)
    assert complete(here)


@pytest.fixture
def finished(planned, here):
    """A function that leaves what a run would leave of A1, in an output folder and in the workspace."""

    def finished(outdir="out", **changed):
        (here / outdir).mkdir(exist_ok=True)
        manifest.mark(here / outdir, "tissue")
        made = planned(outdir, image_filter="A1", **changed)
        plan.write(made, here / f"plan of {outdir}")
        slide = files.read_json(here / f"plan of {outdir}/slides/A1.json")
        row = {"id": slide["identity"], "key": "A1", "status": "ok"}
        results = commit.Results({}, set(), [row], {})
        workspace.publish(slide, *leave(here), here / outdir)
        commit.commit(slide, here / outdir, lambda: results)

    return finished


def test_a_slide_whose_files_are_missing_from_the_workspace_is_computed_again_and_the_plan_says_so(
    finished, planned, here
):
    finished()
    assert planned(image_filter="A1").todo == []
    (here / "SEGMASK/A1_NucleusMask.tiff").unlink()
    made = planned(image_filter="A1")
    assert [slide.name for slide in made.todo] == ["A1"]
    assert f"{workspace.INCOMPLETE}: A1" in made.text()


def test_a_file_that_the_user_has_changed_is_never_overwritten(finished, planned, refused, here):
    finished()
    mine = here / "REPORTS/A1_QUANT.tsv"
    mine.write_text("changed by hand")
    sentence = f"{here}/REPORTS: A1_QUANT.tsv would be overwritten, and they were changed since a run wrote them; "
    assert refused() == [sentence + "move them, or name another folder by --reports_subdir"]
    assert names(planned(image_filter="BA1")) == ["BA1"]
    with pytest.raises(Problems, match=r"A1_QUANT\.tsv would be overwritten"):
        publish(here)
    assert mine.read_text() == "changed by hand"
    mine.rename(here / "mine.tsv")
    assert [slide.name for slide in planned(image_filter="A1").todo] == ["A1"]


def test_a_changed_file_is_not_deleted_either(finished, refused, here):
    finished()
    (here / "SEGMASK/A1_WholeCellMask.tiff").write_text("corrected by hand")
    (sentence,) = refused(image_filter="A1", cells="none")
    assert "A1_WholeCellMask.tiff would be overwritten" in sentence


def test_files_of_another_outdir_are_neither_overwritten_nor_taken_for_ones_own(finished, planned, refused, here):
    finished()
    (here / "other").mkdir()
    for sentence in refused("other", image_filter="A1"):
        assert f"and they are results of another --outdir, {here}/out; move them, or name another" in sentence
    with pytest.raises(Problems, match="results of another --outdir"):
        publish(here, "other")
    assert not complete(here, "1" * 16)
    (here / "out").rename(here / "moved")
    assert planned("moved", image_filter="A1").todo == []
    for folder in "SEGMASK", "REPORTS":
        for path in (here / folder).glob("A1_*"):
            path.unlink()
    assert [slide.name for slide in planned("other", image_filter="A1").todo] == ["A1"]


def test_what_a_killed_commit_has_half_written_is_not_taken_for_the_users(here, places, monkeypatch):
    publish(here)
    for survived in range(12):
        made, identity = leave(here, f"{survived}: "), str(survived)
        with killed(monkeypatch, "os.replace", survived):
            workspace.publish(packet(here, identity=identity), *made, here / "out")
        whole = all(path.read_text().startswith(f"{survived}: ") for path in here.glob("[SR]*/A1_*"))
        assert whole or not complete(here, identity)
        workspace.publish(packet(here, identity=identity), *made, here / "out")
        assert complete(here, identity)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, ">i4"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_windows_of_an_npz_file_are_those_of_its_array(save, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "AT_ONCE", 4000)
    content = planes((70, 90), dtype)
    save(tmp_path / "A1.npz", input_channels=content)
    with open(tmp_path / "A1.npz", "rb", buffering=0) as file:
        image = npz.Planes(file, "A1.npz")
        for box in (0, 30, 0, 90), (30, 70, 5, 50), (0, 70, 0, 90), (10, 11, 89, 90):
            y0, y1, x0, x1 = box
            for channel in 0, 1:
                window = image.window(channel, 0, 0, 0, *box)
                assert np.array_equal(window, content[y0:y1, x0:x1, channel]) and window.dtype.isnative


def test_reading_an_npz_file_takes_memory_for_some_rows(tmp_path):
    """32 MB of array; what is held beside a window of 1 MB is a block, and copies of it."""
    np.savez_compressed(tmp_path / "A1.npz", input_channels=np.zeros((2000, 2000, 2), np.float32))
    with open(tmp_path / "A1.npz", "rb", buffering=0) as file:
        image = npz.Planes(file, "A1.npz")
        tracemalloc.start()
        for y in range(0, 2000, 125):
            image.window(0, 0, 0, 0, y, y + 125, 0, 2000)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 3 * npz.AT_ONCE < 32e6


def broken(folder, **arrays):
    np.savez(folder / "A1.npz", **arrays)
    with open(folder / "A1.npz", "rb", buffering=0) as file, pytest.raises(NotReadable) as failed:
        npz.Planes(file, "A1.npz")
    return str(failed.value)


def test_an_array_that_is_not_nuclear_and_membrane_is_refused(tmp_path):
    assert "it has no array input_channels; its arrays: arr_0" in broken(tmp_path, arr_0=planes())
    assert "has the shape (2, 300, 400)" in broken(tmp_path, input_channels=np.zeros((2, 300, 400)))
    assert "stored by columns" in broken(tmp_path, input_channels=np.asfortranarray(planes()))
    assert "of type object" in broken(tmp_path, input_channels=np.full((3, 4, 2), None))


def test_an_array_that_ends_before_its_header_says_is_refused_in_that_row(tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array(content, planes((50, 40)))
    with zipfile.ZipFile(tmp_path / "A1.npz", "w") as archive:
        archive.writestr("input_channels.npy", content.getvalue()[:-4000])
    with open(tmp_path / "A1.npz", "rb", buffering=0) as file, pytest.raises(NotReadable, match="ends in row 37"):
        npz.Planes(file, "A1.npz").window(0, 0, 0, 0, 0, 50, 0, 40)


def test_networks_see_the_npz_file_and_not_the_image(planned, here):
    content = planes()
    content[5, 6] = 1000
    np.savez_compressed(here / "NPZ/A1.npz", input_channels=content)
    plan.write(planned(region="10,20,200,300"), here / "plan")
    slide = files.read_json(here / "plan/slides/A1.json")
    done = read(here, slide)
    assert done.returncode == 0, done.stderr
    copy = scratch.open(here / "slide" / scratch.CHANNELS)
    assert np.array_equal(copy.read(0)(tiles.Box(0, 200, 0, 300)), content[10:210, 20:320, 0])
    (told,) = files.read_json(here / "slide/statistics.json")["channels"]
    assert told["name"] == "nuclear" and 1 < told["low"] < told["high"] < 100


def test_an_npz_file_of_another_size_fails_its_slide(planned, here):
    np.savez_compressed(here / "NPZ/A1.npz", input_channels=planes((300, 401)))
    plan.write(planned(), here / "plan")
    done = read(here, files.read_json(here / "plan/slides/A1.json"))
    wanted = "A1.npz: input_channels has 300 x 401 pixels, and the slide 300 x 400"
    assert done.returncode == 65 and wanted in done.stderr and not (here / "slide").exists()


def test_another_npz_file_is_another_slide(planned, here):
    before = {slide.name: slide.id for slide in planned().slides}
    np.savez_compressed(here / "NPZ/A1.npz", input_channels=planes() + 1)
    after = {slide.name: slide.id for slide in planned().slides}
    assert after["A1"] != before["A1"] and after["BA1"] == before["BA1"]
