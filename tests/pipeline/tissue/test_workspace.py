"""A run on the folders of a user of deepcell-imaging: the files that they know, and what could not be worked on."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from runs import Run

from make_slide import CHANNELS, make_slide

FOLDERS = {"images": "OME-TIFF", "npz": "NPZ", "segmasks": "MASKS", "reports": "QUANT"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace with folders of other names: NPZ files of A1 and A2, the latter cut; none of A3; and a BA1."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in "OME-TIFF", "NPZ":
        (folder / name).mkdir()
    make_slide(folder, size=(200, 256))
    pixels = tifffile.imread(folder / "slide.ome.tif")
    for sample in "A1", "A2", "A3", "BA1":
        shutil.copy(folder / "slide.ome.tif", folder / f"OME-TIFF/{sample}.ome.tiff")
    for sample in "A1", "A2":
        planes = np.stack([pixels[0], pixels[1]], -1).astype(np.float32)
        np.savez_compressed(folder / f"NPZ/{sample}.npz", input_channels=planes)
    content = (folder / "NPZ/A2.npz").read_bytes()
    (folder / "NPZ/A2.npz").write_bytes(content[: len(content) // 2])
    return folder


def started(folder, place, pipeline, image_filter):
    words = [word for name, value in FOLDERS.items() for word in (f"--{name}_subdir", value)]
    words += ["--image_filter", image_filter, "--diameter", 20, "--statistics", "mean"]
    words += ["--outputs", "masks,quant,geojson"]
    return Run(place, "--workflow", "tissue", "--workspace", folder, *words, pipeline=pipeline)


@pytest.fixture(scope="module")
def ended(folder, plain, tmp_path_factory):
    return started(folder, tmp_path_factory.mktemp("run"), plain, "A*")


def test_a_run_with_an_image_without_npz_and_a_broken_one_does_the_others_and_fails(ended):
    assert "3 of 4 images match --image_filter A*" in ended.said
    assert "A3.npz, and --nuclear names no channel of A3.ome.tiff" in ended.said
    assert ended.code == 1 and "2 of 3 slides failed, more than --max_failed 0.05 allows" in ended.said
    failed = pd.read_table(ended.out / "failures.tsv", index_col="slide")
    assert failed["status"].to_dict() == {"A2": "failed", "A3": "unmatched"}
    assert failed["reason"]["A2"].startswith("NotReadable: A2.npz: it cannot be opened")


def test_a_run_that_is_refused_makes_no_folder_in_the_workspace(folder, plain, tmp_path):
    below_a_file = folder / "slide.ome.tif/REPORTS"
    words = ["--images_subdir", "OME-TIFF", "--npz_subdir", "NPZ", "--segmasks_subdir", "NEW"]
    words += ["--project_subdir", "NEW_PROJ", "--reports_path", below_a_file]
    run = Run(tmp_path, "--workflow", "tissue", "--workspace", folder, *words, pipeline=plain)
    assert run.code == 1 and f"{below_a_file}: it cannot be written; name another" in run.said
    assert not any((folder / name).exists() for name in ("NEW", "NEW_PROJ", "REPORTS"))


def test_the_files_have_the_names_of_deepcell_imaging_in_the_users_folders(ended, folder):
    masks = {path.name for path in (folder / "MASKS").iterdir() if path.is_file()}
    kinds = ("WholeCellMask.tiff", "NucleusMask.tiff", "WholeCellShapes.jsonl", "NucleusShapes.jsonl")
    assert masks == {f"A1_{kind}" for kind in kinds}
    assert [path.name for path in (folder / "QUANT").iterdir() if path.is_file()] == ["A1_QUANT.tsv"]


def test_mask_polygon_and_row_of_an_object_have_one_number(ended, folder):
    quant = pd.read_table(folder / "QUANT/A1_QUANT.tsv")
    for name in "WholeCell", "Nucleus":
        mask = tifffile.imread(folder / f"MASKS/A1_{name}Mask.tiff")
        shapes = [json.loads(line) for line in (folder / f"MASKS/A1_{name}Shapes.jsonl").read_text().splitlines()]
        labels = [shape["label"] for shape in shapes]
        assert mask.shape == (200, 256) and labels == np.unique(mask)[1:].tolist() == quant["Name"].tolist()
        for shape in shapes:
            y, x = np.nonzero(mask == shape["label"])
            ring = np.array(shape["coordinates"][0])
            assert ring.min(0).tolist() == [x.min(), y.min()] and ring.max(0).tolist() == [x.max() + 1, y.max() + 1]
    assert {f"{channel}: Cell: Mean" for channel in CHANNELS} <= {*quant}
    mask, plane = tifffile.imread(folder / "MASKS/A1_WholeCellMask.tiff"), tifffile.imread(folder / "slide.ome.tif")[1]
    np.testing.assert_allclose(quant["CD3: Cell: Mean"][0], plane[mask == quant["Name"][0]].mean())


def test_networks_saw_the_npz_file(ended):
    record = json.loads((ended.out / "slides/A1/slide.json").read_text())
    assert record["npz"]["location"].endswith("NPZ/A1.npz")
    assert [channel["name"] for channel in record["nuclear"]] == ["nuclear"]


def test_the_images_are_a_qupath_project(ended, folder):
    project = json.loads((folder / "PROJ/project.qpproj").read_text())
    assert [entry["imageName"] for entry in project["images"]] == ["A1.ome.tiff", "A2.ome.tiff"]
    assert project["images"][0]["serverBuilder"]["uri"] == (folder / "OME-TIFF/A1.ome.tiff").as_uri()
    (place,) = re.findall(r"'A1.ome.tiff': '(.*)'", (folder / "PROJ/scripts/import_cells.groovy").read_text())
    assert (folder / "PROJ" / place).resolve() == (ended.out / "slides/A1/cells.geojson").resolve()


def test_files_of_the_workspace_are_those_of_one_outdir_which_has_nothing_to_do_again(ended, folder, plain, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[MQ]*/A1_*")}
    other = started(folder, tmp_path, plain, "A1")
    assert other.code == 1 and f"results of another --outdir, {ended.out}; move them, or name another" in other.said
    again = started(folder, ended.folder, plain, "A1")
    assert again.code == 0 and "1 slide, 1 already done" in again.said
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("[MQ]*/A1_*")}
