"""Whole runs on real images, where they are at hand."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from runs import Run, rms, screen_options

from support import DATA, SCREEN, http_server, needs_kit

WELLS = ["B2", "A17", "B16", "D16", "I8", "P24"]  # of two plates, four of them controls, one of these empty


def write_table(path):
    """The table of the screen, WELLS first: their batch has the flat-fields and diameters of all its wells."""
    table = pd.read_table(SCREEN / "data_to_process.tsv", index_col=0)
    table.sort_values("Well", key=lambda wells: ~wells.isin(WELLS), kind="stable").to_csv(path, sep="\t")


@needs_kit
def test_a_real_screen_over_http_is_segmented_as_people_would(plain, tmp_path):
    write_table(tmp_path / "table.tsv")
    with http_server(SCREEN) as server:
        views = {"well_profiles": "screen", "profile_by": "well"}
        selected = {"table": tmp_path / "table.tsv", "batch_size": len(WELLS), "batches": 0}
        options = screen_options(SCREEN, server.url, save="labels", **selected, **views)
        run = Run(tmp_path / "run", *options, pipeline=plain)
        log = [request for request in server.log if request.path.endswith(".ch5")]
    assert run.code == 0, run.said
    images = run.images
    assert len(images) == 13
    assert (images["status"] == "ok").all()
    assert images[images["well"] == "P24"]["cells"].max() <= 2
    scores = []
    for path in sorted((SCREEN / "truth").glob("*_labels.tif")):
        plate, well, frame = path.stem.removesuffix("_labels").rsplit("_", 2)
        row = images[
            (images["plate"] == plate) & (images["well_number"] == int(well)) & (images["frame"] == int(frame))
        ]
        if row.empty:
            continue
        found = run.out / f"labels/plate={plate}/{plate}_{row['well'].item()}_s1_f{frame}.tif"
        scores.append(f1(tifffile.imread(path), tifffile.imread(found)))
    assert len(scores) == 8
    assert np.mean(scores) >= 0.90
    assert min(scores) >= 0.80
    truth = np.load(SCREEN / "truth/XD0001_01_flatfield.npy")
    assert rms(tifffile.imread(run.out / "flatfields/XD0001_01/XD0001_01.tif") / truth) < 0.015
    _check_wells(run)
    frames = len(images) + sum(len(references) for references in _references(run).values())
    assert len(log) <= 12 * frames
    assert sum(request.sent for request in log) <= 1.05 * _stored(run) + 64_000 * frames


def _check_wells(run):
    """Levels 3, 4a and 4b by arithmetic of our own."""
    cells = run.cells
    features = [name for name in cells if not name.startswith("Metadata_")]
    raw = cells.groupby(["Metadata_Plate", "Metadata_WellNumber"])[features].median()
    levels = {
        level: pd.read_parquet(run.out / "profiles/wells" / level).set_index(raw.index.names).loc[raw.index]
        for level in ("aggregated", "normalized", "selected")
    }
    np.testing.assert_allclose(levels["aggregated"][features], raw, rtol=1e-5, atol=1e-7)
    controls = raw[(levels["aggregated"]["Metadata_Control_Type"] == "negative control").to_numpy()].astype(float)
    assert len(controls) == 3  # the fourth well is empty
    spread = controls.std(ddof=0).to_numpy()
    varies = spread > 1e-6 * controls.abs().max().to_numpy()
    by_hand = ((raw.astype(float) - controls.mean()) / np.where(varies, spread, 1)).loc[:, varies]
    np.testing.assert_allclose(levels["normalized"][by_hand.columns], by_hand, rtol=1e-3, atol=1e-3)
    selected = [name for name in levels["selected"] if not name.startswith("Metadata_")]
    assert 0 < len(selected) < len(features) / 4
    apart = levels["selected"][selected].corr().to_numpy() - np.eye(len(selected))
    assert np.nanmax(apart) <= 0.9
    assert levels["selected"][selected].equals(levels["normalized"][selected])


def _stored(run):
    """Bytes of the stored chunks of every frame that was fetched: those asked for, and the plates' references."""
    wanted = [(row.plate, row.well_number, row.frame) for row in run.images.itertuples()]
    wanted += [(f["plate"], f["well_number"], f["frame"]) for frames in _references(run).values() for f in frames]
    total = 0
    for plate, well, frame in wanted:
        (path,) = SCREEN.glob(f"pub/**/{plate}--*/hdf5/{well:05d}_01.ch5")
        with h5py.File(path) as file:
            (group,) = file["sample/0/plate"].values()
            images = group[f"experiment/{well:05d}/position/01/image/channel"].id
            chunks = (images.get_chunk_info(i) for i in range(images.get_num_chunks()))
            total += sum(chunk.size for chunk in chunks if chunk.chunk_offset[1] == frame - 1)
    return total


def _references(run):
    entries = [json.loads(path.read_text()) for path in (run.out / "ledger").glob("*.json")]
    return {plate: frames for entry in entries for plate, frames in entry["references"].items()}


def f1(truth, found, threshold=0.5):
    """F1 of objects that overlap by more than an IoU of 0.5, of which there is at most one for each."""
    pairs = np.zeros((truth.max() + 1, found.max() + 1))
    np.add.at(pairs, (truth.ravel(), found.ravel()), 1)
    union = pairs.sum(1, keepdims=True) + pairs.sum(0, keepdims=True) - pairs
    hits = (pairs / union)[1:, 1:] > threshold
    there, made = len(np.unique(truth)) - 1, len(np.unique(found)) - 1
    return 2 * hits.sum() / (there + made)


@pytest.mark.skipif(not (DATA / "examplehuman").exists(), reason=f"no ExampleHuman under {DATA}")
def test_a_single_image_by_samplesheet_counts_about_as_cellprofiler_does(plain, tmp_path):
    shutil.copy(next((DATA / "examplehuman").glob("*d0.tif")), tmp_path / "dna.tif")
    (tmp_path / "sheet.csv").write_text("plate,well,frame,path\nAS_09125,D03,1,dna.tif\n")
    options = ("--input", tmp_path / "sheet.csv", "--save", "outlines", "--stop_after", "qc")
    run = Run(tmp_path / "run", *options, pipeline=plain)
    assert run.code == 0, run.said
    assert run.images["cells"].item() == pytest.approx(289, rel=0.2)
    assert run.images["flatfield"].item() == "refused: 4 frames of one size are needed, there are 1"
    assert "AS_09125: no flat-field for it, so none is applied: 4 frames of one size are needed" in run.said
    outlines = json.loads(next((run.out / "outlines/plate=AS_09125").glob("*.geojson")).read_text())
    assert len(outlines["features"]) == run.images["cells"].item()
