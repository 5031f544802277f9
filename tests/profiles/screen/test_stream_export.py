"""Streams are views of the cells: each in batches of the rows of its own table, and nothing of another's."""

import pandas as pd
import pytest
from test_export import exported, finished, read, refused

from idrstream.base import files
from idrstream.images.frames import VARIANTS

# Places in each stream's own table, by frame.
TRAINING = {"PA_A15_s1_f50": 0, "PB_A04_s1_f9": 1, "PA_A16_s1_f50": 1, "PA_A01_s1_f1": 2}
NEGATIVE = {"PB_A04_s1_f9": 0, "PB_A04_s1_f51": 0}
STREAMS = [
    {"name": "training_data", "variants": ["ic", "no_ic"], "outlines": True, "rows": TRAINING},
    {"name": "negative_data", "variants": ["no_ic"], "outlines": False, "rows": NEGATIVE},
]
BATCHES = {
    "training_data__ic": [["15_50"] * 4 + ["4_9"] * 3, ["1_1"]],
    "training_data__no_ic": [["15_50"] * 4 + ["4_9"] * 3, ["1_1"]],
    "negative_data__no_ic": [["4_9"] * 3 + ["4_51"] * 2],
}


@pytest.fixture
def outdir(tmp_path):
    out = finished(tmp_path, variants=VARIANTS)
    files.write_json(out / "pipeline_info/streams.json", STREAMS)
    return out


@pytest.fixture
def views(outdir, tmp_path):
    exported(outdir, tmp_path / "streams", "--streams", "--shape", "DP,CP,merged")
    return tmp_path / "streams"


def test_a_batch_holds_the_same_rows_of_the_streams_table_in_every_shape(views):
    assert {path.name for path in views.iterdir()} == set(BATCHES)
    for name, batches in BATCHES.items():
        for shape in ("DP", "CP", "merged"):
            folder = views / name / f"{shape}_features"
            assert {path.name for path in folder.iterdir()} == {f"batch_{n}.csv.gz" for n in range(len(batches))}
            found = [read(folder / f"batch_{n}.csv.gz")["Metadata_Well"].tolist() for n in range(len(batches))]
            assert found == batches


def test_a_cell_is_the_one_of_its_variant(views, outdir):
    cells = pd.read_parquet(outdir / "profiles/single_cells")
    for variant in VARIANTS:
        own = cells[(cells["Metadata_Illumination"] == variant) & (cells["Metadata_WellNumber"] == 15)]
        table = read(views / f"training_data__{variant}" / "DP_features/batch_0.csv.gz").iloc[:4]
        assert table["Location_Center_X"].tolist() == pytest.approx(own["Metadata_Center_X"].tolist(), rel=1e-12)
    ids = [read(views / f"training_data__{v}" / "merged_features/batch_0.csv.gz")["Cell_UUID"] for v in VARIANTS]
    assert not set(ids[0]) & set(ids[1])


def test_outlines_stand_only_in_the_streams_that_ask_for_them(views):
    assert "Object_Outline" in read(views / "training_data__ic" / "DP_features/batch_0.csv.gz")
    assert "Object_Outline" not in read(views / "negative_data__no_ic" / "DP_features/batch_0.csv.gz")


def test_the_log_of_a_stream_tells_images_cells_and_failures(views):
    log = (views / "training_data__ic" / "stream.log").read_text()
    assert "images    4 of 4 frames" in log and "cells     8 in 2 batches" in log
    assert "failures  1" in log and "  PA A16 frame 50: " in log


def test_the_log_of_a_stream_tells_its_share_of_the_time_of_its_batches(outdir, tmp_path):
    keys = [f"PA_A15_s1_f50__{variant}" for variant in VARIANTS] + ["PA_A16_s1_f50__ic", "PB_A01_s1_f2__ic"]
    images = [{"id": key, "key": key, "status": "ok"} for key in keys]
    entry = {"batch": "b0-x", "committed": "2026-01-01", "files": [], "images": images, "recipe": {}}
    files.write_json(outdir / "ledger/b0-x.json", entry)
    tasks = ["name\tstatus\trealtime\tsubmit\tduration\n"]
    tasks += [f"SCREEN:{stage} (b0-x)\tCOMPLETED\t1m 20s\t2026-01-01 00:00:00\t2m\n" for stage in ("SEGMENT", "EMBED")]
    files.write_text(
        outdir / "pipeline_info/trace_1.tsv",
        "".join([*tasks, "SCREEN:FETCH (b0-x)\tCACHED\t9m\t2026-01-01 00:00:00\t9m\n"]),
    )
    exported(outdir, tmp_path / "streams", "--streams", "--shape", "CP")
    said = [(tmp_path / "streams" / name / "stream.log").read_text() for name in BATCHES]
    seconds = [next(line.split()[1] for line in log.splitlines() if line.startswith("seconds")) for log in said]
    assert seconds == ["80", "40", "0"]  # 2, 1 and 0 of the batch's 4 images are theirs; what was CACHED took none


def test_the_two_kinds_of_folders_are_not_taken_for_each_other(outdir, tmp_path):
    assert "export them with --streams" in refused(outdir, tmp_path / "csv")
    (outdir / "pipeline_info/streams.json").unlink()
    assert "its last run had no streams" in refused(outdir, tmp_path / "csv", "--streams")
