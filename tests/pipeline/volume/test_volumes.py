"""Runs on volumes, as a user starts them: predicted and compared; again, by another threshold, by parts, over HTTP."""

import json
from collections import Counter

import numpy as np
import pytest
from volume_runs import Volumes, blobs, checkpoints, digests, entry

import make_volumes
from support import http_server

BEGIN, SHAPE = (20, 40, 60), (88, 100, 140)  # of the raw volume, in the world
ROI = [24, 44, 64], [80, 90, 130]
LABELLED = (30, 40, 60), (60, 100, 140)  # labels cover a part of it
WANTED = {"labels": {"volumes/labels/mito": 1}, "mask": "volumes/mask", "metric_masks": ["volumes/metric_masks/mito"]}


def nanometres(voxels):
    return [5 * voxel for voxel in voxels]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a container of incasem's, and the arrays in it by name."""
    folder = tmp_path_factory.mktemp("data")
    raw, truth = blobs(SHAPE)
    first = LABELLED[0][0] - BEGIN[0]
    part = truth[first : first + LABELLED[1][0]]
    rng = np.random.default_rng(1)
    mask, zone = np.ones(SHAPE, np.uint8), (rng.random(part.shape) < 0.9).astype(np.uint8)
    mask[:, :, :20] = 0
    made = make_volumes.incasem(
        folder / "cell.zarr",
        raw,
        offset=nanometres(BEGIN),
        labels={"mito": (part.astype(np.uint32) * 7, nanometres(LABELLED[0]))},
        metric_masks={"mito": (zone * 255, nanometres(LABELLED[0]))},
        mask=mask * 255,
        chunks=(32, 32, 32),
    )
    return folder, made, {"raw": raw, "truth": part, "mask": mask, "zone": zone}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoints(tmp_path_factory.mktemp("models")) / "model_checkpoint_1"


@pytest.fixture(scope="module")
def ended(data, model, tmp_path_factory):
    """A run on one region, of which a part has labels."""
    folder, container, _ = data
    before = digests(container)
    words = ("--checkpoint", model, "--data_dir", folder, "--task", "predict,evaluate", "--slab", 128)
    run = Volumes(tmp_path_factory.mktemp("run"), {"cell": entry("cell.zarr", *ROI, **WANTED)}, *words)
    run.words, run.untouched = words, digests(container) == before
    return run


def test_a_region_is_predicted_whole_and_the_container_is_not_written_to(ended):
    assert ended.code == 0, ended.said
    probability = ended.array("cell")
    assert probability.shape == tuple(ROI[1]) and probability.std() > 0
    rim = np.concatenate([np.delete(probability, np.s_[1:-1], axis).ravel() for axis in range(3)])
    assert (rim > 0).mean() > 0.99 and ended.untouched


def test_the_user_sees_what_will_be_done_and_what_was_found(ended):
    assert "cell: region 24,44,64 + 80 x 90 x 130 voxels of 5 x 5 x 5 nm in " in ended.said
    assert "volumes/labels/mito (30,40,60 + 60 x 100 x 140) does not cover the region 24,44,64 +" in ended.said
    assert "z 6 and 14; those are unknown: neither scored nor background" in ended.said
    assert "1 of 1 volumes done, 6 of 6 slab results" in ended.said, ended.said


def test_the_segmentation_is_that_of_the_stored_probabilities_within_the_sample(ended, data):
    where = tuple(slice(b - c, b - c + s) for b, c, s in zip(ROI[0], BEGIN, ROI[1], strict=True))
    expected = (ended.array("cell") >= 128) & (data[2]["mask"][where] > 0)
    assert np.array_equal(ended.array("cell", "labels/segmentation"), expected)


def test_scores_are_those_of_the_whole_volume_where_labels_are_known(ended, data):
    first = LABELLED[0][0] - ROI[0][0]
    probability = ended.array("cell")[first : first + LABELLED[1][0]]
    cut = np.s_[:, 4:94, 4:134]
    arrays = data[2]
    truth, zone = arrays["truth"][cut] > 0, arrays["zone"][cut] > 0
    inside = arrays["mask"][10:70][cut] > 0
    table = ended.table("scores").set_index(["voxels_of", "threshold"])
    for kind, voxels in (("all", inside), ("scored", inside & zone)):
        rows = table.loc[kind]
        assert 0.5 in rows.index
        for threshold, row in rows.iterrows():
            found = (probability >= round(255 * threshold + 0.5))[voxels]
            tp, fp = (found & truth[voxels]).sum(), (found & ~truth[voxels]).sum()
            assert (row["tp"], row["fp"], row["fn"]) == (tp, fp, truth[voxels].sum() - tp)
            assert row["f1"] == pytest.approx(2 * tp / (found.sum() + truth[voxels].sum()))


def test_no_two_results_of_the_ledger_have_a_file_in_common(ended):
    paths = Counter(file["path"] for unit in ended.ledger.values() for file in unit["files"])
    assert set(paths.values()) == {1} and len(ended.ledger) == 2 * 3 + 1


def test_the_record_of_a_run_has_what_made_it(ended):
    record = json.loads((ended.out / "pipeline_info/run.json").read_text())
    assert record["params"]["task"] == "predict,evaluate" and record["versions"]["PREDICT"].startswith("python 3.11")
    recipe = ended.ledger["cell.128.0.0.0"]["recipe"]
    assert recipe["checkpoint"] == record["model_sha256"] and recipe["tile"] == "32,32,32" and recipe["network"]


def test_the_report_shows_slices_and_scores(ended):
    page = (ended.out / "multiqc_report.html").read_text()
    assert all(words in page for words in ("24,44,64 + 80 x 90 x 130", "Slices", "Scores"))
    assert sorted(path.name for path in (ended.out / "slices").iterdir()) == sorted(
        f"cell_{plane}{kind}.png" for plane in "zyx" for kind in ("", "_labels")
    )


def test_another_threshold_only_segments_anew(ended, data, model):
    before = ended.files
    words = [*ended.words, "--threshold", 0.51]
    run = Volumes(ended.folder, {"cell": entry("cell.zarr", *ROI, **WANTED)}, *words)
    assert run.code == 0, run.said
    assert "PREDICT" not in run.tasks and run.tasks["LABEL"] == 2
    maps = {name: digest for name, digest in run.files.items() if "probability" in name}
    assert maps == {name: digest for name, digest in before.items() if "probability" in name}
    assert (run.array("cell", "labels/segmentation") <= (run.array("cell") >= 131)).all()
    assert set(run.table("scores")["at"]) == {"0.5", "--threshold 0.51", "best"}
    assert list(run.table("volumes")["threshold"]) == [0.51]
    assert len(list((run.out / "stale").rglob("labels/segmentation/s0/c/*/*/*"))) == 2


def test_parts_of_a_region_over_http_have_the_same_voxels_whatever_the_slab(ended, data, model, tmp_path):
    whole = ended.array("cell")
    with http_server(data[0]) as server:
        regions = {"part": ([31, 57, 66], [40, 50, 70]), "five": ([99, 129, 189], [5, 5, 5])}
        wanted = {name: entry("cell.zarr", *place) for name, place in regions.items()}
        words = ("--checkpoint", model, "--data_dir", server.url, "--slab", 64)
        run = Volumes(tmp_path / "run", wanted, *words, parser="v1")
    assert run.code == 0, run.said
    for name, (begin, shape) in regions.items():
        where = tuple(slice(b - c, b - c + s) for b, c, s in zip(begin, ROI[0], shape, strict=True))
        assert np.array_equal(run.array(name), whole[where]), name
