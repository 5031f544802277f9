"""A run that stops at quality control, for a look, and the one that goes on from there."""

import json
import shutil

import pandas as pd
import pytest
from runs import ORDER
from streams import WELLS, Stream, make_light

FULL = ("--save", "labels,outlines", "--batch_size", 4)


@pytest.fixture(scope="module")
def stopped(light, screen, tmp_path_factory):
    """A run of six of the eight wells, which stopped; and what there was when it had."""
    run = Stream(light, screen, tmp_path_factory.mktemp("stopped") / "run")
    run.run("--stop_after", "qc", "--batch_size", 3, "--batches", "0,1")
    assert run.code == 0, run.said
    return run, (labels(run), pd.read_parquet(run.out / "qc/cells.parquet"), run.images, run.tasks)


@pytest.fixture(scope="module")
def fewer(stopped, screen):
    """The same output folder after a full run of three of the six wells; and what there was then."""
    run, _ = stopped
    header, *rows = (screen / "data_to_process.tsv").read_text().splitlines()
    (run.folder / "fewer.tsv").write_text("\n".join([header, *rows[1:4]]) + "\n")
    run.run(*FULL, "--input", run.folder / "fewer.tsv")
    assert run.code == 0, run.said
    return run, (run.said, labels(run), pd.read_parquet(run.out / "qc/cells.parquet"), run.images, run.tasks)


@pytest.fixture(scope="module")
def gone_on(fewer):
    """The same after a full run of all wells."""
    run, _ = fewer
    run.run(*FULL)
    assert run.code == 0, run.said
    return run, run.said, run.tasks


def labels(run):
    return {path.name: path.read_bytes() for path in (run.out / "labels").rglob("*.tif")}


def test_it_leaves_label_images_and_quality_control_and_nothing_of_features(stopped):
    _, (label_images, cells, images, ran) = stopped
    assert len(label_images) == 6
    assert {"FETCH", "SEGMENT", "MERGE", "COMMIT", "QC"} <= set(ran)
    assert not {"EMBED", "MEASURE", "PLATE_PROFILES", "EXPORT", "TAKE_LABELS"} & set(ran)
    assert len(cells) == 30 and not cells["cqc.on_border.is_outlier"].any()
    assert images["status"].tolist() == ["segmented"] * 6


def test_wells_may_be_left_out_after_the_look(stopped, fewer):
    _, (before, *_) = stopped
    _, (said, label_images, cells, images, ran) = fewer
    assert (
        "3 label images of a run that stopped at quality control: reused from labels/" in said and "SEGMENT" not in ran
    )
    assert label_images == before  # nothing of the other wells is lost
    assert images["status"].value_counts().to_dict() == {"segmented": 3, "ok": 3}
    assert len(cells) == 30


def test_the_full_run_takes_the_label_images_and_leaves_them_as_they_were(stopped, gone_on, whole):
    _, (label_images, *_) = stopped
    run, said, ran = gone_on
    assert "3 label images of a run that stopped at quality control: reused from labels/" in said
    assert ran["TAKE_LABELS"] == 2 and ran["SEGMENT"] == 1  # of the two wells that were not there
    after = labels(run)
    assert after.items() >= label_images.items() and len(after) == len(WELLS)
    assert len(list((run.out / "outlines").rglob("*.geojson"))) == 6  # the light SEGMENT draws none
    assert (run.images["status"] == "ok").all()
    assert (run.out / "failures.tsv").read_text().count("\n") == 1
    assert run.cells == whole.cells


def test_every_image_and_every_cell_stands_once_in_quality_control(gone_on):
    run, *_ = gone_on
    images, cells = (pd.read_parquet(run.out / f"qc/{name}.parquet") for name in ("images", "cells"))
    assert len(images) == len(WELLS) and (images["status"] == "ok").all()
    assert cells["Metadata_Cell_ID"].is_unique and len(cells) == 5 * len(WELLS)
    assert cells["Metadata_CropPaddedFraction"].notna().all()  # so they are those that have features
    assert (run.out / "qc/thumbnails").is_dir()


def test_both_settle_what_they_did_and_nothing_is_set_aside(gone_on):
    run, *_ = gone_on
    committed = run.committed
    again = run.run("--stop_after", "qc")
    assert again.code == 0, again.said
    assert "Nothing to do" in again.said and again.committed == committed
    assert not (again.out / "stale").exists()


def test_a_raised_version_of_features_fetches_again_and_takes_the_label_images(gone_on, tmp_path):
    run, *_ = gone_on
    later = make_light(tmp_path / "later")
    module = later / "bin/idrstream/cells/embedding.py"
    module.write_text(module.read_text().replace('"efficientnet": 1,', '"efficientnet": 2,'))
    before, cells = labels(run), run.cells
    after = Stream(later, run.screen, shutil.copytree(run.folder, tmp_path / "run", symlinks=True))
    after.run("--save", "labels,outlines", "--batch_size", 8)
    assert after.code == 0, after.said
    assert "4 committed batches (8 images) used other settings (efficientnet features version 1, now 2)" in after.said
    assert "their images fetched again; the label images of 2 are reused" in after.said
    assert "6 label images of a run that stopped at quality control: reused from labels/" in after.said
    assert after.tasks["TAKE_LABELS"] == 1 and "SEGMENT" not in after.tasks
    assert labels(after) == before and after.cells == cells


def test_other_thresholds_segment_anew(gone_on):
    run, *_ = gone_on
    other = run.run("--flow_threshold", 0.5, "--batch_size", 4, "--input", run.folder / "fewer.tsv")
    assert other.code == 0, other.said
    assert "used other settings (flow_threshold 0.4, now 0.5)" in other.said
    assert other.tasks["SEGMENT"] == 1 and "TAKE_LABELS" not in other.tasks


@pytest.mark.full
def test_a_redo_segments_anew_and_takes_the_place_of_both(light, screen, tmp_path, whole):
    run = Stream(light, screen, tmp_path / "run").run("--stop_after", "qc", "--batch_size", 8)
    assert run.code == 0, run.said
    redone = run.run("--redo", "--batch_size", 8)
    assert redone.code == 0, redone.said
    assert redone.tasks["SEGMENT"] == 1 and [batch[0] for batch in redone.committed] == ["b"]
    assert redone.cells == whole.cells
    entries = [json.loads(path.read_text()) for path in (redone.out / "ledger").glob("*.json")]
    assert len(entries) == 1 and not labels(redone)
    assert set(ORDER) < set(pd.read_parquet(redone.out / "profiles/single_cells"))
