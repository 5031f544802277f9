"""Three overlapping streams, with and without illumination corrected, in one run of one command."""

import re
import shutil

import pandas as pd
import pytest
import tifffile
import zarr
from runs import ORDER
from streams import Stream

STREAMS = """streams:
  training_data:         {table: training.tsv, outlines: true}
  negative_control_data: {table: negative.tsv}
  positive_control_data: {table: positive.tsv, variants: [ic]}
"""
WELLS = {"training": [2, 1, 3], "negative": [1, 4], "positive": [3, 5]}  # places in the screen's table
NAMES = ["negative_control_data__ic", "negative_control_data__no_ic", "positive_control_data__ic"]
NAMES += ["training_data__ic", "training_data__no_ic"]
SHAPES = {"DP_features", "CP_features", "merged_features"}


@pytest.fixture(scope="module")
def streamed(light, screen, tmp_path_factory):
    """The run, and its folder of tables."""
    folder = tmp_path_factory.mktemp("streams")
    header, *rows = (screen / "data_to_process.tsv").read_text().splitlines()
    for name, wells in WELLS.items():
        (folder / f"{name}.tsv").write_text("\n".join([header, *(rows[well] for well in wells)]) + "\n")
    (folder / "streams.yml").write_text(STREAMS)
    run = Streams(light, screen, folder / "run").run("--keep_intermediates", "--save", "images")
    assert run.code == 0, run.said
    return run


class Streams(Stream):
    features = "deep,cp"

    def asked(self):
        return ["--streams", self.folder.parent / "streams.yml", *self.place()]

    def run(self, *options, **env):
        return super().run("--illumination", "plate", "--batch_size", 2, *options, **env)


def test_every_frame_is_fetched_once_for_all_streams_and_variants(streamed):
    batches = {path.name for path in streamed.out.glob("ledger/*.json")}
    assert {re.match(r"b(\d+)-", name)[1] for name in batches} == {"0000", "0001", "0002"}
    trace = pd.read_table(next(streamed.out.glob("pipeline_info/trace_*.tsv")))
    assert trace["name"].str.contains(":FETCH ").sum() == 3
    folders = [path for path in streamed.folder.glob("work/*/*/frames") if not path.is_symlink()]  # a link: an input
    own = [folder for folder in folders if "__ic" in (folder / "images.json").read_text()]
    frames = sorted(path.name for folder in own for path in folder.glob("*.tif"))
    assert frames == [f"DM0001_01_A0{well}_s1_f1.tif" for well in (2, 3, 4, 5, 6)]
    images = streamed.images
    assert len(images) == 9 and set(images["status"]) == {"ok"}
    assert images["variant"].value_counts().to_dict() == {"ic": 5, "no_ic": 4}
    assert set(images[images["variant"] == "no_ic"]["flatfield"]) == {"none"}


def test_the_variants_of_a_frame_are_two_images_side_by_side(streamed):
    wells = streamed.out / "images/DM0001_01.ome.zarr/A"
    found = {well.name: sorted(path.name for path in well.glob("s*")) for well in wells.iterdir() if well.is_dir()}
    both = ["s1f1ic", "s1f1noic"]
    assert found == {"2": both, "3": both, "4": both, "5": both, "6": ["s1f1ic"]}
    stored = tifffile.imread(next(streamed.folder.glob("work/*/*/frames/DM0001_01_A02_s1_f1.tif")))
    corrected, as_stored = (zarr.open_array(wells / "2" / name / "0", mode="r")[0, 0, 0] for name in both)
    assert (as_stored == stored).all() and not (corrected == stored).all()


def test_the_cells_tell_their_variant(streamed):
    cells = pd.read_parquet(streamed.out / "profiles/single_cells")
    assert cells.groupby("Metadata_Illumination").size().to_dict() == {"ic": 25, "no_ic": 20}
    assert cells["Metadata_Cell_ID"].is_unique
    assert not (streamed.out / "profiles/wells").exists()
    assert set(ORDER) < set(cells)


def test_the_streams_lie_as_mitocheck_has_them(streamed):
    made = sorted(path.name for path in (streamed.out / "streams").iterdir())
    assert made == NAMES
    assert not (streamed.out / "csv").exists()
    for name in NAMES:
        count = 2 if name.startswith("training") else 1
        files = {str(path.relative_to(streamed.out / "streams" / name)) for path in files_of(streamed, name)}
        assert files == {"stream.log"} | {f"{s}/batch_{n}.csv.gz" for s in SHAPES for n in range(count)}


def test_a_batch_holds_the_rows_of_the_streams_own_table_in_all_shapes(streamed):
    plates = {"training_data__ic": [["2", "3"], ["4"]], "negative_control_data__no_ic": [["2", "5"]]}
    screen = pd.read_table(streamed.screen / "data_to_process.tsv", index_col=0)
    numbers = screen["Well Number"].tolist()
    for name, kind in (("training_data__ic", "training"), ("negative_control_data__no_ic", "negative")):
        wells = [f"{numbers[place]}_1" for place in WELLS[kind]]
        for n, rows in enumerate([wells[:2], wells[2:]][: len(plates[name])]):
            tables = [
                pd.read_csv(streamed.out / "streams" / name / shape / f"batch_{n}.csv.gz", index_col=0)
                for shape in sorted(SHAPES)
            ]
            for table in tables:
                assert table["Metadata_Well"].tolist() == [well for well in rows for _ in range(5)]


def test_outlines_stand_only_where_they_are_asked_for_and_the_log_tells_what_there_is(streamed):
    for name in NAMES:
        columns = pd.read_csv(streamed.out / "streams" / name / "merged_features/batch_0.csv.gz", nrows=1).columns
        assert ("DP__Object_Outline" in columns) == name.startswith("training")
    log = (streamed.out / "streams/training_data__no_ic/stream.log").read_text()
    assert "images    3 of 3 frames" in log and "cells     15 in 2 batches" in log and "failures  0" in log


def test_a_batch_that_is_lost_is_taken_up_alone_in_all_its_variants_and_a_selection_can_be_redone(
    streamed, light, screen, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("lost")
    for path in streamed.folder.parent.glob("*.*"):
        shutil.copy(path, folder)
    options = ["--illumination", "frames", "--batches", "0,1"]
    run = Streams(light, screen, folder / "run").run(*options, FAULT="EMBED 1 1 0")
    assert run.code == 1
    lost = run.images[run.images["status"] == "lost"]
    assert lost["variant"].tolist() == ["ic", "no_ic"] * 2
    log = (run.out / "streams/negative_control_data__no_ic/stream.log").read_text()
    assert "failures  1" in log and "EMBED ended with exit code 1" in log
    before = run.committed
    again = run.run(*options)
    assert again.code == 0, again.said
    assert before.items() < again.committed.items() and len(again.committed) == 2
    before = again.committed
    redone = run.run(*options, "--batches", "1", "--redo")
    assert redone.code == 0, redone.said
    changed = [batch for batch, when in redone.committed.items() if before.get(batch) != when]
    assert [batch[:5] for batch in changed] == ["b0001"] and len(redone.committed) == 2
    assert sorted(path.name for path in (redone.out / "streams").iterdir()) == NAMES


def files_of(run, name):
    return [path for path in (run.out / "streams" / name).rglob("*") if path.is_file()]
