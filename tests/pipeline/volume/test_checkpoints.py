"""Runs on volumes that choose a checkpoint, that cannot begin, and of which a slab fails."""

import json

import numpy as np
import pytest
from runs import Run
from volume_runs import Volumes, blobs, checkpoints, entry

import make_volumes

LABELS = {"labels": {"volumes/labels/mito": 1}}
WHOLE = [0, 0, 0], [64, 64, 128]
MODELS = "models[1]"  # a folder, although it would be a pattern as well


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two containers, of which one has a chunk that was cut off; and two checkpoints beside a folder of such a name."""
    folder = tmp_path_factory.mktemp("data")
    for number, name in enumerate(("good", "cut")):
        raw, truth = blobs((64, 64, 128), number)
        make_volumes.incasem(folder / f"{name}.zarr", raw, labels={"mito": truth}, chunks=(32, 32, 32))
    chunk = folder / "cut.zarr/volumes/raw_equalized_0.02/1.1.3"
    chunk.write_bytes(chunk.read_bytes()[:-40])
    checkpoints(folder / MODELS)
    (folder / MODELS / "model_checkpoint_old").mkdir()
    return folder


@pytest.fixture(scope="module")
def ended(data, tmp_path_factory):
    """A run that chooses among two checkpoints by one container, and works on both."""
    folder = tmp_path_factory.mktemp("run")
    validation = folder / "validation.json"
    validation.write_text(json.dumps({"held": entry("good.zarr", [0, 0, 0], [64, 64, 64], **LABELS)}))
    wanted = {"good": entry("good.zarr", *WHOLE), "cut": entry("cut.zarr", *WHOLE)}
    words = ("--checkpoint", data / MODELS, "--validation", validation, "--data_dir", data, "--slab", 64)
    return Volumes(folder / "run", wanted, *words, "--max_failed", 0.6)


def test_the_best_checkpoint_is_named_and_used(ended):
    assert ended.code == 0, ended.said
    table = ended.table("checkpoints").set_index("checkpoint")
    best = table["mean_best_f1"].idxmax()
    assert list(table["iteration"]) == [1, 2] and list(table.index[table["chosen"] == "yes"]) == [best]
    assert f"checkpoint {best} is chosen: the highest mean F1 of 2 checkpoints" in ended.said
    assert set(ended.table("volumes")["checkpoint"]) == {best}
    assert {row["images"][0]["checkpoint"] for name, row in ended.ledger.items() if "@" not in name} == {best}


def test_of_the_checkpoints_only_counts_are_kept(ended):
    files = [file["path"] for name, unit in ended.ledger.items() if "@" in name for file in unit["files"]]
    assert sorted(files) == [f"counts/held/model_checkpoint_{number}/64.0.0.0.json" for number in (1, 2)]
    assert not (ended.out / "volumes/held.ome.zarr").exists()


def test_a_chunk_that_was_cut_off_fails_its_slab_and_nothing_else(ended):
    failed = ended.table("failures")
    slab = ["cut 64.0.0.1 maps", "cut 64.0.0.1 labels"]  # the other slab does not see it
    assert list(failed["result"]) == [*slab, "cut volume"]
    assert set(failed["status"]) == {"failed"}
    assert (
        failed["reason"][:2]
        .str.contains("Truncated: cut.zarr/volumes/raw_equalized_0.02: chunk 1.1.3 does not decode")
        .all()
    )
    assert list(ended.table("volumes")["volume"]) == ["good"]
    assert np.isin(ended.array("good", "labels/segmentation"), (0, 1)).all()


def test_half_a_volume_has_no_metadata_that_make_an_image_of_it(ended):
    assert not list((ended.out / "volumes").glob("cut.ome.zarr/**/zarr.json"))


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_begun(data, tmp_path):
    wanted = {
        "beyond": entry("good.zarr", [0, 0, 100], [64, 64, 64]),
        "metres": entry("good.zarr", [160, 160, 160], [8, 8, 8]),
        "coarse": entry("good.zarr", *WHOLE) | {"voxel_size": [4, 4, 4]},
        "gaps": entry("good.zarr", *WHOLE, labels={"volumes/labels/mito": 2}),
        "lost": entry("good.zarr", *WHOLE) | {"raw": "volumes/raw"},
    }
    run = Volumes(tmp_path / "run", wanted, "--checkpoint", data / MODELS / "model_checkpoint_1", "--data_dir", data)
    assert run.code != 0 and not (run.out / "ledger").exists() and not (run.out / "volumes").exists()
    for name in wanted:
        assert f"entry {name} (line" in run.said, run.said
    assert "was the offset given in nanometres? In voxels it would be [32, 32, 32]" in run.said


@pytest.mark.parametrize("parser, named", [("v1", "nothing.pt"), ("v2", "no*[thing].pt")])
def test_files_that_are_not_there_are_said_at_once(parser, named, tmp_path):
    words = ("--workflow", "volume", "--data", "nothing.json", "--checkpoint", named)
    run = Run(tmp_path / "run", *words, parser=parser)
    assert run.code == 1 and run.tasks == {"PLAN": 1}
    assert f"--checkpoint {named}: there is no such file" in run.said, run.said
    assert "--data nothing.json: there is no such file" in run.said
