"""Runs on slides with networks for deep watershed: one of both heads, and the one that is shipped."""

import numpy as np
import pytest
from slide_runs import TILED, Slides

import onnx_networks
from make_slide import make_slide
from repository import ROOT

SHIPPED = ROOT / "assets/models/watershed/nuclei.onnx"
STEPS = ["read", "normalize", "flood", "count", "count cells", "finish", "finish cells", "number", "number cells"]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A folder with a made slide, its table, and a network of both heads that gives back what it is shown."""
    folder = tmp_path_factory.mktemp("slide")
    make_slide(folder / "made", size=(420, 500))
    onnx_networks.echo(folder / "echo.onnx")
    rows = "slide,image,nuclear,membrane", f"both,{folder}/made/slide.ome.tif,DNA1,CD3+DNA2"
    (folder / "slides.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(slide, folder, *options):
    (folder / "slides.csv").write_text((slide / "slides.csv").read_text())
    run = Slides(folder, *options, "--outputs", "masks,quant,spatialdata", "--statistics", "mean")
    assert run.code == 0, run.said
    return run


@pytest.fixture(scope="module")
def ended(slide, tmp_path_factory):
    options = ("--model", slide / "echo.onnx", "--cells", "model", "--interior_threshold", "cell=0.4,nucleus=0.45")
    return run(slide, tmp_path_factory.mktemp("run"), *options, *TILED)


def test_one_pass_of_a_network_finds_nuclei_and_cells(ended):
    record = ended.record("both")
    assert [step["step"] for step in record["steps"]][: len(STEPS)] == STEPS
    tasks = {step["step"]: step["tasks"] for step in record["steps"]}
    assert (tasks["flood"], tasks["finish"], tasks["finish cells"], tasks["normalize"]) == (2, 2, 2, 1)
    assert record["scales"] == {"nuclei": [0.65, 0.65], "cells": [0.65, 0.65]}  # 0.325 µm a pixel, and 0.5
    assert record["model"]["name"] == "echo.onnx" == record["cell_model"]["name"]
    assert record["settings"]["interior_threshold"] == "cell=0.4,nucleus=0.45" and record["diameter"] is None
    assert record["uncertified"] == 0 and record["nuclei"] > 20
    assert "model sha256" in ended.said and "for deep watershed: nuclei and cells" in ended.said


def test_nuclei_and_cells_are_paired_and_measured(ended):
    nuclei, cells = ended.labels("both"), ended.labels("both", "cells")
    counts = ended.record("both")["counts"]
    assert nuclei.shape == cells.shape == (420, 500)
    both = np.intersect1d(np.unique(nuclei), np.unique(cells))
    assert len(both) - 1 == counts["nuclei"] - counts["nuclei_alone"] == counts["cells"] - counts["cells_alone"] > 10
    table = ended.out / "slides/both/QUANT.tsv"
    assert len(table.read_text().splitlines()) == counts["objects"] + 1


@pytest.mark.full
def test_no_pixel_depends_on_the_tiles(slide, ended, tmp_path):
    options = ("--model", slide / "echo.onnx", "--cells", "model", "--interior_threshold", "cell=0.4,nucleus=0.45")
    whole = run(slide, tmp_path, *options)
    assert whole.digests == ended.digests


@pytest.mark.full
def test_the_shipped_network_finds_the_nuclei_of_a_slide(slide, tmp_path):
    found = run(slide, tmp_path, "--model", "watershed", "--cells", "expand", *TILED)
    by_default = run(slide, tmp_path, "--cells", "expand", "--outdir", tmp_path / "default", *TILED)
    assert found.record("both")["model"]["name"] == SHIPPED.name
    assert abs(found.record("both")["nuclei"] / by_default.record("both")["nuclei"] - 1) < 0.15
