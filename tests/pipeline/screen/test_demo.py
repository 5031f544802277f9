"""`nextflow run` on an artificial screen, by the real tools in their own environments."""

import json
import random
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import tifffile
from runs import ROOT, Run, rms, screen_options

from idrstream.cells import measurement
from make_screen import make_screen


@pytest.fixture(scope="session")
def demo_run(demo, tmp_path_factory):
    """A run as `make demo` starts it, by the older parser, with two more views of the cells."""
    options = screen_options(demo, well_profiles="plate", normalize_cells="true", h5ad="true")
    return Run(tmp_path_factory.mktemp("run"), *options, parser="v1", profile="venv,test")


def test_the_demo_ends_with_a_table_of_cells_and_a_row_for_every_image(demo_run, demo):
    assert demo_run.code == 0, demo_run.said
    images, cells = demo_run.images, demo_run.cells
    assert len(images) == 20
    (reason,) = images[images["status"] != "ok"]["reason"]
    assert reason.startswith("Truncated: 00260_01.ch5")
    assert images[(images["plate"] == "DM0001_01") & (images["well"] == "K20")]["cells"].tolist() == [0]
    counts = cells.groupby(["Metadata_Plate", "Metadata_WellNumber", "Metadata_Frame"]).size()
    for (plate, well, frame), count in counts.items():
        truth = np.load(demo / f"truth/{plate}_{well}_{frame}_labels.npz")["labels"]
        assert count == pytest.approx(len(np.unique(truth)) - 1, rel=0.1)
    assert counts.sum() == images["cells"].sum() == len(cells)


def test_the_table_is_as_documented(demo_run):
    cells = demo_run.cells
    documented = "Plate Well WellNumber Site Frame Control_Type Gene Plate_Map_Name Gene_Replicate DNA Label Center_X"
    documented += " Center_Y Area Solidity TouchesBorder CropPaddedFraction TextureLevels Model Cell_ID"
    assert list(cells.columns[:20]) == [f"Metadata_{name}" for name in documented.split()]
    assert list(cells.columns[20:]) == [*(f"efficientnet_{i}" for i in range(1280)), *measurement.COLUMNS]
    assert (cells.dtypes[20:] == "float32").all()
    assert cells["Metadata_Cell_ID"].is_unique
    assert set(cells["Metadata_Well"]) == {"A03", "A17", "B16", "C03", "C18", "D18", "F03", "G04", "I13"}
    assert np.isfinite(cells.filter(regex="^efficientnet_").to_numpy()).all()
    assert cells.filter(regex="^Nuclei_").notna().mean().min() > 0.99
    assert cells["Metadata_Cell_ID"][0] == "DM0001_01_A03_s1_f1_c1"
    folders = {path.parent.name for path in demo_run.out.rglob("single_cells/**/*.parquet")}
    assert folders == {"plate=DM0001_01", "plate=DM0001_02"}


def test_the_only_thing_to_say_of_the_demo_is_its_broken_file(demo_run):
    assert "WARN" not in demo_run.said and "ERROR" not in demo_run.said
    assert re.search(r"batch 2 done .*: 6 images, 1 failed", demo_run.said)
    assert "failures.tsv (1 of this run's images)" in demo_run.said
    images = pd.read_parquet(demo_run.out / "qc/images.parquet")
    marked = images[images.filter(regex="is_outlier$").any(axis=1)]
    assert marked[["plate", "well"]].to_numpy().tolist() == [["DM0001_01", "K20"]]


def test_wells_are_normalised_to_the_controls_of_their_plate_and_features_are_selected(demo_run):
    profiles = demo_run.out / "profiles"
    wells, normal, chosen = (
        pd.read_parquet(profiles / "wells" / level) for level in ("aggregated", "normalized", "selected")
    )
    assert wells["Metadata_Cell_Count"].sum() == len(demo_run.cells)
    assert len(wells) == len(normal) == len(chosen) == 18
    features = [name for name in chosen if not name.startswith("Metadata_")]
    controls = normal[normal["Metadata_Control_Type"] == "negative control"].groupby("Metadata_Plate")[features]
    assert (controls.size() >= 3).all()
    np.testing.assert_allclose(controls.mean(), 0, atol=1e-3)
    normalized = pd.read_parquet(profiles / "normalized_cells/cells").filter(regex="_AreaShape_Area$|_Control_Type")
    controls = normalized[normalized["Metadata_Control_Type"] == "negative control"]["Nuclei_AreaShape_Area"]
    assert controls.mean() == pytest.approx(0, abs=1e-3) and controls.std(ddof=0) == pytest.approx(1, abs=1e-3)
    assert sorted(path.name for path in (profiles / "h5ad").iterdir()) == ["DM0001_01.h5ad", "DM0001_02.h5ad"]


def test_classical_features_are_those_of_the_nuclei_that_are_there(demo_run, demo):
    cells = demo_run.cells
    place = cells[["Metadata_Plate", "Metadata_WellNumber", "Metadata_Frame"]].apply(tuple, axis=1)
    for plate, well, frame in place.unique():
        truth = np.load(demo / f"truth/{plate}_{well}_{frame}_labels.npz")["labels"]
        own = cells[place == (plate, well, frame)]
        at = truth[own["Metadata_Center_Y"].round().astype(int), own["Metadata_Center_X"].round().astype(int)]
        area = np.bincount(truth.ravel())[at]
        assert np.median(own["Nuclei_AreaShape_Area"][at > 0] / area[at > 0]) == pytest.approx(1, abs=0.15)
    light = cells["Nuclei_Intensity_MeanIntensity_DNA"]
    assert 0.02 < light.min() < light.max() < 1.2  # of 255 grey levels


def test_a_run_leaves_its_reports_and_its_provenance_and_no_heavy_files(demo_run):
    info = demo_run.out / "pipeline_info"
    kinds = {path.name.split("_")[0] for path in info.iterdir()}
    assert kinds == {"trace", "timeline", "report", "dag", "run.json", "plan.json"}
    run = json.loads((info / "run.json").read_text())
    assert run["params"]["batch_size"] == 7
    assert "cellpose 3.1.1.3" in run["versions"]["SEGMENT"]
    assert "cp_measure 0.3.0" in run["versions"]["MEASURE"]
    assert len(run["model_sha256"]) == 64
    entries = [json.loads(path.read_text()) for path in (demo_run.out / "ledger").glob("*.json")]
    diameters = {plate: d for entry in entries for plate, d in entry["provenance"]["segment"]["diameter"].items()}
    assert sorted(diameters) == ["DM0001_01", "DM0001_02"]
    assert all(15 < diameter < 30 for diameter in diameters.values())
    assert not list((demo_run.folder / "work").rglob("*.tif"))
    assert "at a time; limit 4)" in demo_run.said


def test_every_process_ran_by_the_older_parser(demo_run):
    assert demo_run.tasks == {
        **dict.fromkeys(("PLAN", "BEGIN", "SUMMARY"), 1),
        **dict.fromkeys(("FETCH_REFERENCES", "FLATFIELD", "DIAMETER", "COMMIT_PLATE"), 2),
        **dict.fromkeys(("FETCH", "SEGMENT", "EMBED", "MEASURE", "MERGE", "COMMIT"), 3),
        **dict.fromkeys(("PLATE_PROFILES", "NORMALIZE_CELLS", "TO_ANNDATA", "QC", "REPORT"), 1),
        **{"KEEP": 5, "KEEP_REPORT": 2},
    }


def test_every_plate_has_a_flat_field_to_look_at_and_every_image_says_which_was_applied(demo_run, demo):
    for plate in ("DM0001_01", "DM0001_02"):
        truth = np.load(demo / f"truth/{plate}_flatfield.npy")
        folder = demo_run.out / "flatfields" / plate
        figures = json.loads((folder / "fields.json").read_text())["fields"][plate]
        assert figures["halves_rms"] < 0.05 and len(figures["used"]) == 4
        assert (folder / f"{plate}.png").read_bytes().startswith(b"\x89PNG")
        assert rms(tifffile.imread(folder / f"{plate}.tif") / truth) < 0.02
    images = demo_run.images
    assert (images["flatfield"][images["status"] == "ok"] == "plate").all()
    assert (images["field_bytes"][images["status"] == "ok"] > images["bytes"][images["status"] == "ok"]).all()


@pytest.mark.full
@pytest.mark.parametrize("illumination, said", [("frames", "frames"), ("none", "none")])
def test_an_image_has_the_same_rows_whatever_else_is_asked_for(illumination, said, tmp_path):
    make_screen(tmp_path, plates=["DM0001_01"], wells=[3, 17], frames=4, shape=(512, 672))
    table = (tmp_path / "data_to_process.tsv").read_text()
    (tmp_path / "all.tsv").write_text(table)
    (tmp_path / "one.tsv").write_text("\n".join(table.replace("1,2,3,4", "4").splitlines()[:2]) + "\n")
    options = {"illumination": illumination, "diameter": 22}
    runs = [Run(tmp_path / name, *screen_options(tmp_path, table=f"{name}.tsv", **options)) for name in ("all", "one")]
    assert [run.code for run in runs] == [0, 0], runs[0].said + runs[1].said
    assert [set(run.images["flatfield"]) for run in runs] == [{said}, {said}]
    cells = [run.cells for run in runs]
    chosen = cells[0][cells[0]["Metadata_Cell_ID"].isin(cells[1]["Metadata_Cell_ID"])].reset_index(drop=True)
    assert 0 < len(cells[1]) < len(cells[0])
    assert chosen.to_parquet() == cells[1].to_parquet()
    kept = [path.name for path in (runs[0].out / "flatfields/DM0001_01").iterdir()]
    assert kept == ["fields.json"], "the range of grey levels alone"


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Options that name a DeepProfiler network, of random weights with calibrated batch-norm."""
    folder = tmp_path_factory.mktemp("network")
    make = [ROOT / ".venvs/deepprofiler/bin/python", ROOT / "tests/deepprofiler/make_checkpoint.py", folder]
    subprocess.run(make, check=True, capture_output=True)
    given = {"embedder": "deepprofiler", "dp_config": folder / "config.json"}
    return given | {"dp_checkpoint": folder / "checkpoint.hdf5"}


@pytest.fixture(scope="session")
def by_deepprofiler(network, plain, demo, tmp_path_factory):
    """A run by DeepProfiler of four images of one plate, of two of the demo's batches and in another order."""
    header, *rows = (demo / "data_to_process.tsv").read_text().splitlines()
    rows = [row for row in rows if "\tDM0001_01\t" in row]
    random.Random(4).shuffle(rows)
    folder = tmp_path_factory.mktemp("by_deepprofiler")
    (folder / "shuffled.tsv").write_text("\n".join([header, *rows]) + "\n")
    selected = {"table": folder / "shuffled.tsv", "batches": 0, "batch_size": 4}
    kept = ["--csv", "DP,CP,merged", "--keep_intermediates", "--save", "outlines"]
    run = Run(folder / "run", *screen_options(demo, **selected, **network), *kept, pipeline=plain)
    assert run.code == 0, run.said
    return run


def test_order_and_size_of_batches_and_the_embedder_change_nothing_but_deep_features(by_deepprofiler, demo_run):
    wells, before = by_deepprofiler.images.sort_values("row")["well"], demo_run.images
    rows = before[before["plate"] == "DM0001_01"].set_index("well")["row"][wells].tolist()
    assert len(rows) == 4 and rows != sorted(rows) and min(rows) < 7 <= max(rows)  # the demo's batches are of 7
    cells, ours = by_deepprofiler.cells, demo_run.cells
    ours = ours[(ours["Metadata_Plate"] == "DM0001_01") & ours["Metadata_Well"].isin(wells)].reset_index(drop=True)
    same = [name for name in cells if not name.startswith("efficientnet_") and name != "Metadata_Model"]
    assert set(measurement.COLUMNS) < set(same)
    assert cells[same].to_parquet() == ours[same].to_parquet()


def test_deepprofiler_gives_a_vector_a_nucleus(by_deepprofiler):
    cells = by_deepprofiler.cells
    assert set(cells["Metadata_Model"].str.slice(0, 13)) == {"deepprofiler-"}
    features = cells.filter(regex="^efficientnet_").to_numpy()
    assert features.shape == (len(cells), 1280)
    assert features.std(axis=0).min() > 0

    work = by_deepprofiler.folder / "work"
    (project,) = (path for path in work.glob("*/*/features/project") if not path.parent.is_symlink())
    loaded = by_well(read_by_pycytominer(project))
    assert np.array_equal(loaded.filter(regex="^efficientnet_").to_numpy(np.float32), features)

    csv, merged = (
        by_well(pd.read_csv(by_deepprofiler.out / f"csv/{kind}_features/batch_0.csv.gz", index_col=0))
        for kind in ("DP", "merged")
    )
    assert np.array_equal(csv.filter(regex="^efficientnet_").to_numpy(np.float32), features)
    assert (merged["DP__Metadata_Model"].to_numpy() == cells["Metadata_Model"]).all()


def by_well(table):
    """The rows of a table whose wells are numbers, as tables of single cells are sorted."""
    wells = table.filter(regex="Metadata_Well$").iloc[:, 0].str.split("_", expand=True).astype(int)
    return table.iloc[np.lexsort((np.arange(len(table)), wells[1], wells[0]))]


def read_by_pycytominer(project):
    """The cells of a DeepProfiler project as IDR_stream read them."""
    from pycytominer.cyto_utils import DeepProfiler_processing

    made = project / "outputs/results/features"
    index = project / "inputs/metadata/index.csv"
    data = DeepProfiler_processing.DeepProfilerData(index, made, filename_delimiter="/", file_extension=".npz")
    return DeepProfiler_processing.SingleCellDeepProfiler(data).get_single_cells(output=True)
