"""The head process killed while volumes are worked on, and the same command again: every voxel as if undisturbed."""

import json
import re

import pandas as pd
import pytest
from runs import kill
from volume_runs import Volumes, blobs, checkpoints, digests, entry

import make_volumes

pytestmark = pytest.mark.full

ROI = [3, 5, 7], [70, 80, 190]
SLABS, INFLIGHT = 12, 2
MOMENTS = ("PREDICT", "LABEL", "COMMIT", "ASSEMBLE", "SUMMARY")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Options of a run, but for its data JSON."""
    folder = tmp_path_factory.mktemp("data")
    raw, truth = blobs((80, 90, 200))
    make_volumes.incasem(folder / "cell.zarr", raw, labels={"mito": truth}, chunks=(32, 32, 32))
    model = checkpoints(folder / "models") / "model_checkpoint_1"
    options = ["--checkpoint", model, "--data_dir", folder, "--task", "predict,evaluate", "--slab", 64]
    return [*options, "--max_inflight", INFLIGHT]


def start(folder, words):
    return Volumes(folder, {"cell": entry("cell.zarr", *ROI, labels={"volumes/labels/mito": 1})}, *words)


@pytest.fixture(scope="module")
def undisturbed(words, tmp_path_factory):
    run = start(tmp_path_factory.mktemp("whole"), words)
    assert run.code == 0, run.said
    return run


def test_the_disk_holds_no_more_than_the_run_said(undisturbed):
    stream = json.loads((undisturbed.out / "pipeline_info/run.json").read_text())["stream"]
    slab = 64**3 * 2 * 1.02  # bytes: probabilities and classes, as they are
    assert stream["inflight"] <= INFLIGHT and 0 < stream["disk"] <= INFLIGHT * (slab + 8192)


@pytest.mark.parametrize("process", MOMENTS)
def test_a_killed_run_started_again_leaves_the_same_files_and_does_nothing_twice(process, words, undisturbed, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    data = {"cell": entry("cell.zarr", *ROI, labels={"volumes/labels/mito": 1})}
    (folder / "data.json").write_text(json.dumps(data))
    kill(folder, process, "--workflow", "volume", "--data", folder / "data.json", "--tile", 32, *words)
    out = folder / "results"
    done = {path.stem for path in (out / "ledger").glob("*.json")} if (out / "ledger").exists() else set()
    half = digests(out / "volumes") if (out / "volumes").exists() else {}
    shown = {name: digest for name, digest in half.items() if not name.rpartition("/")[2].startswith(".")}
    assert shown.items() <= undisturbed.files.items(), "half a file under its final name"
    again = start(folder, words)
    assert again.code == 0, again.said
    assert again.files == undisturbed.files
    trace = pd.read_table(max(out.glob("pipeline_info/trace_*.tsv")))
    predicted = set(trace["name"].str.extract(r"PREDICT \((.*)\)")[0].dropna())
    maps = {name for name in undisturbed.ledger if re.fullmatch(r"cell(\.\d+){4}", name)}
    assert len(maps) == SLABS and predicted == maps - done
