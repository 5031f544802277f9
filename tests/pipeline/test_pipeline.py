"""`nextflow run`, as a user runs it: wiring by stubs, everything else by the real tools in their own environments."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile

from idrstream import files, image, profiles
from make_screen import make_screen
from support import DATA, SCREEN, http_server, needs_kit

ROOT = Path(__file__).resolve().parents[2]
ORDER = ["Metadata_Plate", "Metadata_WellNumber", "Metadata_Site", "Metadata_Frame", "Metadata_Label"]


class Run:
    """One `nextflow run` in a folder of its own, ended."""

    def __init__(self, folder, *options, parser="v2", profile="venv"):
        folder.mkdir(exist_ok=True)
        command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", profile, "-ansi-log", "false", *map(str, options)]
        env = os.environ | {"NXF_SYNTAX_PARSER": parser}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        self.folder, self.code, self.said = folder, done.returncode, done.stdout + done.stderr

    @property
    def out(self):
        return self.folder / "results"

    @property
    def tasks(self):
        """Process -> how many tasks ran."""
        trace = pd.read_table(max(self.out.glob("pipeline_info/trace_*.tsv")))
        return trace["name"].str.extract(r"(\w+)(?: \(|$)")[0].value_counts().to_dict()

    @property
    def images(self):
        return pd.read_table(self.out / "images.tsv")

    @property
    def cells(self):
        """The cell tables, sorted, without the partition's column."""
        table = pd.read_parquet(self.out / "profiles/single_cells").drop(columns="plate")
        return table.sort_values(ORDER, ignore_index=True)


def screen_options(screen, source=None, table="data_to_process.tsv", **params):
    """Options of a run on a screen laid out as the archive's."""
    screens = next(path for path in screen.glob("*.tsv") if path.name in ("screens.tsv", "example-plates.tsv"))
    given = {"input": screen / table, "screens": screens, "study": "example", "source": source or screen} | params
    return [word for name, value in given.items() for word in (f"--{name}", value)]


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's screen: 12 images, two in an empty well, two in a file that is cut short."""
    folder = tmp_path_factory.mktemp("demo")
    make_screen(folder, faults={("DM0001_01", 40): "empty", ("DM0001_02", 40): "truncated"})
    return folder


@pytest.fixture(scope="session")
def demo_run(demo, tmp_path_factory):
    return Run(tmp_path_factory.mktemp("run"), *screen_options(demo, batch_size=3, max_failed=0.2))


@pytest.fixture
def stages(tmp_path):
    """Folders as FETCH, SEGMENT and EMBED leave them: an image with three cells, one with none, one that failed."""
    rows = []
    for plate, count, status in (("PB", 3, "ok"), ("PA", 0, "ok"), ("PA", None, "failed")):
        name = image.key(plate, "A01", 1, len(rows))
        row = {"id": name, "key": name, "plate": plate, "well": "A01", "well_number": 1, "site": 1, "frame": len(rows)}
        rows.append(row | {"status": status, "metadata": {"Gene": "G"}})
        for folder in "labels", "features":
            (tmp_path / folder).mkdir(exist_ok=True)
        if status == "ok":
            cells = {"label": np.arange(1, count + 1), "center_y": np.ones(count), "center_x": np.zeros(count)}
            image.write_cells(tmp_path / "labels", name, cells)
            features = np.ones((count, 2), np.float32)
            image.write_cells(tmp_path / "features", name, {"label": cells["label"], "features": features})
    files.write_json(tmp_path / "features/made.json", {"model": "net", "features": ["net_0", "net_1"]})
    image.write_rows(tmp_path / "frames", rows)
    return [tmp_path / folder for folder in ("frames", "labels", "features")]


def test_a_plate_without_a_cell_has_a_table_with_the_same_columns(stages, tmp_path):
    table, rows = profiles.single_cells(*stages)
    profiles.write(table, rows, "b0000", tmp_path)
    read = {path.parent.name: pq.read_table(path) for path in tmp_path.rglob("*.parquet")}
    assert {name: len(table) for name, table in read.items()} == {"plate=PA": 0, "plate=PB": 3}
    assert read["plate=PA"].schema == read["plate=PB"].schema
    assert [row["cells"] for row in rows] == [3, 0, None]


def test_a_batch_of_failures_alone_has_no_table(stages, tmp_path):
    image.write_rows(stages[0], image.read_rows(stages[0], "failed"))
    table, rows = profiles.single_cells(*stages)
    profiles.write(table, rows, "b0000", tmp_path / "out")
    assert len(table) == 0
    assert not (tmp_path / "out").exists()


def test_stages_that_disagree_about_the_cells_are_not_merged(stages):
    name = image.read_rows(stages[0], "ok")[0]["key"]
    image.write_cells(stages[2], name, {"label": np.array([1, 3]), "features": np.ones((2, 2), np.float32)})
    with pytest.raises(ValueError, match="3 cells segmented, 2 embedded"):
        profiles.single_cells(*stages)


@pytest.mark.parametrize("parser", ["v1", "v2"])
def test_every_process_is_wired_under_both_parsers(parser, demo, tmp_path):
    run = Run(tmp_path / "run", *screen_options(demo, batch_size=2), "-stub", parser=parser)
    assert run.code == 0, run.said
    assert run.tasks == {
        "PLAN": 1,
        "FETCH_REFERENCES": 2,
        "DIAMETER": 2,
        **dict.fromkeys(("FETCH", "SEGMENT", "EMBED", "MERGE", "COMMIT"), 3),
        "SUMMARY": 1,
    }
    assert "12 images of 6 wells on 2 plates (DM0001_01, DM0001_02), 0 of them settled" in run.said


@pytest.mark.parametrize("parser", ["v1", "v2"])
def test_what_is_wrong_is_said_in_one_line_each_before_anything_starts(parser, demo, tmp_path):
    table = (demo / "data_to_process.tsv").read_text().replace("1,2", "0", 1)
    (demo / "wrong.tsv").write_text(table)
    run = Run(tmp_path / "run", *screen_options(demo, table="wrong.tsv", diametre=3, model="cyt3"), parser=parser)
    assert run.code == 1
    said = run.said[run.said.index("nothing was started, because of") :].splitlines()
    assert [line.strip().split(":")[0] for line in said[1:4]] == [
        "--diametre",
        "--model cyt3",
        'wrong.tsv, line 2, column "Frames"',
    ]
    assert run.tasks == {"PLAN": 1}


def test_help_names_every_param(tmp_path):
    run = Run(tmp_path / "run", "--help")
    assert run.code == 0
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    names = {name for group in schema["$defs"].values() for name in group["properties"]}
    assert all(f"--{name} " in run.said for name in names)


def test_an_output_folder_that_cannot_be_written_is_said(demo, tmp_path):
    (tmp_path / "file").write_text("")
    run = Run(tmp_path / "run", *screen_options(demo, outdir=tmp_path / "file/out"))
    assert run.code == 1
    assert f"{tmp_path}/file/out" in run.said


def test_the_demo_ends_with_a_table_of_cells_and_a_row_for_every_image(demo_run, demo):
    assert demo_run.code == 0, demo_run.said
    images, cells = demo_run.images, demo_run.cells
    assert len(images) == 12
    assert images[images["status"] != "ok"]["reason"].str.startswith("Truncated: 00040_01.ch5").tolist() == [True, True]
    assert images[(images["plate"] == "DM0001_01") & (images["well"] == "B16")]["cells"].tolist() == [0, 0]
    counts = cells.groupby(["Metadata_Plate", "Metadata_WellNumber", "Metadata_Frame"]).size()
    for (plate, well, frame), count in counts.items():
        truth = np.load(demo / f"truth/{plate}_{well}_{frame}_labels.npz")["labels"]
        assert count == pytest.approx(len(np.unique(truth)) - 1, rel=0.1)
    assert counts.sum() == images["cells"].sum() == len(cells)


def test_the_table_is_as_documented(demo_run):
    cells = demo_run.cells
    documented = "Plate Well WellNumber Site Frame Control_Type Gene Plate_Map_Name Gene_Replicate DNA Label Center_X"
    documented += " Center_Y Model Cell_ID"
    assert list(cells.columns[:15]) == [f"Metadata_{name}" for name in documented.split()]
    assert list(cells.columns[15:]) == [f"efficientnet_{i}" for i in range(1280)]
    assert (cells.dtypes[15:] == "float32").all()
    assert cells["Metadata_Cell_ID"].is_unique
    assert set(cells["Metadata_Well"]) == {"A03", "A17"}
    assert np.isfinite(cells.iloc[:, 15:].to_numpy()).all()
    assert cells["Metadata_Cell_ID"][0] == "DM0001_01_A03_s1_f1_c1"
    files = sorted(path.parent.name for path in demo_run.out.rglob("*.parquet"))
    assert files == ["plate=DM0001_01", "plate=DM0001_02"]


def test_a_run_leaves_its_reports_and_its_provenance_and_no_heavy_files(demo_run):
    info = demo_run.out / "pipeline_info"
    assert {path.name.split("_")[0] for path in info.iterdir()} == {"trace", "timeline", "report", "dag", "run.json"}
    run = json.loads((info / "run.json").read_text())
    assert run["params"]["batch_size"] == 3
    assert "cellpose 3.1.1.3" in run["versions"]["SCREEN:SEGMENT"]
    assert len(run["model_sha256"]) == 64
    entries = [json.loads(path.read_text()) for path in (demo_run.out / "ledger").iterdir()]
    diameters = {plate: d for entry in entries for plate, d in entry["made"]["segment"]["diameter"].items()}
    assert sorted(diameters) == ["DM0001_01", "DM0001_02"]
    assert all(15 < diameter < 30 for diameter in diameters.values())
    left = list((demo_run.folder / "work").rglob("*.tif"))
    assert all("FETCH_REFERENCES" in (path.parents[1] / ".command.run").read_text() for path in left)
    assert demo_run.tasks["COMMIT"] == 2


def test_a_second_run_does_nothing_and_says_so(demo_run, demo):
    again = Run(demo_run.folder, *screen_options(demo, batch_size=4, max_failed=0.2))
    assert again.code == 0, again.said
    assert "Nothing to do: every image of the selection is settled" in again.said
    assert again.tasks == {"PLAN": 1, "SUMMARY": 1}


def test_order_size_and_selection_of_batches_change_no_byte(demo_run, demo, tmp_path):
    lines = (demo / "data_to_process.tsv").read_text().splitlines()
    rows = lines[1:]
    random.Random(3).shuffle(rows)
    (demo / "shuffled.tsv").write_text("\n".join([lines[0], *rows]) + "\n")
    options = screen_options(demo, table="shuffled.tsv", batch_size=2, max_failed=1)
    first = Run(tmp_path / "run", *options, "--start_batch", 1, "--batch_nums", "1,2")
    assert first.code == 0, first.said
    assert first.tasks["COMMIT"] == 2
    rest = Run(tmp_path / "run", *screen_options(demo, batch_size=5, max_failed=1))
    assert rest.code == 0, rest.said
    done = sum(len(json.loads(path.read_text())["images"]) for path in (rest.out / "ledger").iterdir())
    assert done == 12, "no finished image is repeated"
    assert rest.cells.to_parquet() == demo_run.cells.to_parquet()


def test_too_many_failures_fail_the_run_and_are_listed(demo, tmp_path):
    run = Run(tmp_path / "run", *screen_options(demo, batch_nums=1, batch_size=5))
    assert run.code == 1
    assert "2 of 2 images failed, more than --max_failed 0.05 allows" in run.said
    assert "DM0001_02 B16 frame 1: Truncated: 00040_01.ch5" in run.said
    assert (run.out / "failures.tsv").exists()


def test_a_server_that_is_not_there_is_said_before_anything_starts(demo, tmp_path):
    run = Run(tmp_path / "run", *screen_options(demo, source="http://127.0.0.1:9/archive"))
    assert run.code == 1
    assert "--source http://127.0.0.1:9/archive" in run.said
    assert run.tasks == {"PLAN": 1}


@needs_kit
def test_a_real_screen_over_http_is_segmented_as_people_would(tmp_path):
    with http_server(SCREEN) as server:
        run = Run(tmp_path / "run", *screen_options(SCREEN, server.url, batch_size=5, save_labels="true"))
        log = [request for request in server.log if request.path.endswith(".ch5")]
    assert run.code == 0, run.said
    images = run.images
    assert len(images) == 18
    assert (images["status"] == "ok").all()
    assert images[images["well"] == "P24"]["cells"].max() <= 2
    scores = []
    for path in sorted((SCREEN / "truth").glob("*_labels.tif")):
        plate, well, frame = path.stem.removesuffix("_labels").rsplit("_", 2)
        row = images[
            (images["plate"] == plate) & (images["well_number"] == int(well)) & (images["frame"] == int(frame))
        ]
        found = run.out / f"labels/plate={plate}/{plate}_{row['well'].item()}_s1_f{frame}.tif"
        scores.append(f1(tifffile.imread(path), tifffile.imread(found)))
    assert np.mean(scores) >= 0.90
    assert min(scores) >= 0.80
    frames = len(images) + sum(len(references) for references in _references(run).values())
    assert len(log) <= 12 * frames
    assert sum(request.sent for request in log) <= 1.05 * _stored(run) + 64_000 * frames


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
    entries = [json.loads(path.read_text()) for path in (run.out / "ledger").iterdir()]
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
def test_a_single_image_by_samplesheet_counts_about_as_cellprofiler_does(tmp_path):
    shutil.copy(next((DATA / "examplehuman").glob("*d0.tif")), tmp_path / "dna.tif")
    (tmp_path / "sheet.csv").write_text("plate,well,frame,path\nAS_09125,D03,1,dna.tif\n")
    run = Run(tmp_path / "run", "--input", tmp_path / "sheet.csv", "--outlines")
    assert run.code == 0, run.said
    assert run.images["cells"].item() == pytest.approx(289, rel=0.2)
    outlines = json.loads(next((run.out / "outlines/plate=AS_09125").glob("*.geojson")).read_text())
    assert len(outlines["features"]) == run.images["cells"].item()


def test_a_model_that_cellpose_knows_is_fetched_once_and_another_file_is_refused(demo, tmp_path, monkeypatch):
    weights = tmp_path / "models"
    weights.mkdir()
    shutil.copy(ROOT / "assets/models/nuclei/nuclei.pth", weights / "nucleitorch_0")
    (weights / "cyto3").write_text("<html>no weights here</html>")
    one = [*screen_options(demo, batch_nums=0, batch_size=1, diameter=22), "--model"]
    with http_server(weights) as server:
        monkeypatch.setenv("CELLPOSE_MODELS", server.url)
        known = Run(tmp_path / "known", *one, "nuclei")
        other = Run(tmp_path / "other", *one, "cyto3")
        assert sorted({request.path for request in server.log}) == ["/cyto3", "/nucleitorch_0"]
        assert sum(request.method == "GET" for request in server.log) == 2
    assert known.code == 0, known.said
    assert known.images["cells"].min() > 40
    assert other.code == 1
    assert "not a Cellpose 3 checkpoint" in other.said
    assert not (other.out / "profiles").exists()
