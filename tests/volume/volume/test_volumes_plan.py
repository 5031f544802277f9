"""What a run on volumes will do: planned, closed by a checkpoint, and planned again once results are committed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import make_volumes
from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import commit, housekeeping, ledger, manifest
from idrstream.volume import closing, outcome, plan, results, unet, unet_torch
from repository import ROOT

SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
RULES = {name: rule for group in SCHEMA["$defs"].values() for name, rule in group["properties"].items()}
OF_VOLUME = {name: rule for name, rule in RULES.items() if "volume" in rule["x-workflows"]}
DEFAULTS = {name: rule["x-workflows"]["volume"].get("default") for name, rule in OF_VOLUME.items()}
DEFAULTS |= {"workflow": "volume", "redo": False, "connections": 4, "max_failed": 0.05, "require_gpu": False}
DEFAULTS |= {"keep_intermediates": False, "outdir": "out", "slab": 64, "tile": 32, "data": "data.json"}
DEFAULTS |= {"checkpoint": "models"}

SHAPE = (70, 40, 130)
ENTRY = {"file": "cell.zarr", "offset": [0, 0, 0], "shape": SHAPE, "voxel_size": [5, 5, 5], "raw": make_volumes.RAW}
LABELS = {"labels": {f"{make_volumes.LABELS}/mito": 1}}


@pytest.fixture
def here(tmp_path):
    """A folder with a container, two checkpoints, and an output folder that a run has begun in."""
    labels = {"mito": (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3 == 0).astype(np.uint8)}
    make_volumes.incasem(tmp_path / "cell.zarr", make_volumes.noise(SHAPE), labels=labels, chunks=(64, 64, 64))
    (tmp_path / "models").mkdir()
    for number in (1, 2):
        checkpoint(tmp_path / f"models/model_checkpoint_{number}", number)
    manifest.mark(tmp_path / "out", "volume")
    manifest.claim(tmp_path / "out", housekeeping.PART, [str(housekeeping.PLAN)])
    files.write_json(tmp_path / "out" / housekeeping.PLAN, {"begun": "2026-01-01T00:00:00+00:00", "stop": False})
    return tmp_path


def checkpoint(path, seed, net=unet.Unet(maps=2, factors=((2, 2, 2),))):  # noqa: B008
    torch.manual_seed(seed)
    content = {"model_state_dict": unet_torch.module(net).state_dict(), "iteration": seed, "network": net.to_keys()}
    torch.save(content, path)


def planned(here, entries=None, models=("model_checkpoint_1",), session="first", **changed):
    (here / "data.json").write_text(json.dumps(entries or {"cell": ENTRY}))
    given = {"data": here / "data.json", "outdir": here / "out"}
    paths = [here / "models" / name for name in models]
    return plan.make(DEFAULTS | changed, str(here), session, given, paths, SCHEMA)


def closed(here, made):
    """plan.json of CHOOSE, and its packets by kind."""
    folder = here / f"plan-{len(list(here.glob('plan-*')))}"
    plan.write(made, folder)
    closing.close(files.read_json(folder / "regions.json"), here / "out", folder / "chosen")
    found = files.read_json(folder / "chosen/plan.json")
    packets = {
        kind: [files.read_json(path) for path in sorted((folder / "chosen" / kind).glob("*.json"))]
        for kind in ("slabs", "volumes", "predict")
    }
    candidates = [files.read_json(path) for path in sorted((folder / "candidates").glob("*.json"))]
    return found, packets | {"candidates": candidates}


def finish(here, packets, levels=128):
    """Commit made-up results of packets: maps and labels of a byte, counts of LEVELS (of model 2: right ones)."""
    for packet in packets:
        for kind, unit in packet["units"].items():
            folder = here / "made" / unit["id"]
            path = made_file(packet, kind)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            right = packet["checkpoint"]["name"] == "model_checkpoint_2"
            content = {"labels": {"1": ["mito"]}, "classes": {"1": dict.fromkeys(("all", "scored"), counts(right))}}
            (folder / path).write_text(json.dumps(content) if kind == "counts" else kind)
            told = {results.STAGES[kind]: {"seconds": 1, "cpu_seconds": 1, "peak_rss_mb": 1, "voxel_size": [5, 5, 5]}}
            files.write_json(folder / results.FACTS, told)
            commit.commit(unit, here / "out", lambda k=kind, u=unit, f=folder: results.of_folders(k, u["row"], [f]))


def made_file(packet, kind):
    if kind == "counts":
        return results.counts(packet["entry"], packet["checkpoint"]["name"], packet["slab"])
    within = {"maps": "probability/class_1/s0/c", "labels": "labels/segmentation/s0/c", "volume": "zarr.json"}[kind]
    return f"{results.store(packet['entry'])}/{within}{'' if kind == 'volume' else '/' + packet['slab']}"


def counts(right):
    """Voxels by grey level: a class that is found at 200, or at 0."""
    levels = [[0] * 256, [0] * 256]
    levels[0][0 if right else 200], levels[1][200 if right else 0] = 50, 10
    return levels


def kinds(packets):
    """(slab, whether it is predicted, kinds of its results) of each slab."""
    predicted = {packet["id"] for packet in packets["predict"]}
    return [(packet["slab"], packet["id"] in predicted, packet["todo"]) for packet in packets["slabs"]]


def test_a_region_is_cut_into_slabs_that_are_predicted_and_labelled(here):
    made = planned(here)
    found, packets = closed(here, made)
    names = [f"64.{z}.0.{x}" for z in (0, 1) for x in (0, 1, 2)]
    assert kinds(packets) == [(name, True, ["maps", "labels"]) for name in names]
    assert [volume["left"] for volume in found["volumes"]] == [6] and packets["candidates"] == []
    assert len(found["requested"]) == 13 and all(each["batch"] for each in found["requested"])
    assert "cell: region 0,0,0 + 70 x 40 x 130 voxels of 5 x 5 x 5 nm" in made.text()
    record = files.read_json(here / "out" / housekeeping.PLAN)
    assert record["images"] == found["requested"]


def test_what_is_committed_is_not_done_again_whatever_the_slab(here):
    _, packets = closed(here, planned(here))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    for slab in (64, 192):
        found, packets = closed(here, planned(here, slab=slab))
        assert (packets["slabs"], packets["volumes"]) == ([], []), slab
        assert len(found["requested"]) == 13 and not any(each["batch"] for each in found["requested"])


def test_slabs_of_another_edge_replace_those_that_are_half_done(here):
    _, packets = closed(here, planned(here))
    finish(here, packets["slabs"][:2])
    _, packets = closed(here, planned(here, slab=192))
    (slab,) = packets["slabs"]
    assert slab["units"]["maps"]["supersedes"] == ["cell.64.0.0.0", "cell.64.0.0.1"]
    finish(here, packets["slabs"])
    assert set(ledger_units(here)) == {"cell.192.0.0.0", "cell.192.0.0.0.labels"}


def test_another_threshold_takes_the_probabilities_that_are_there(here):
    _, packets = closed(here, planned(here))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    made = planned(here, threshold=0.7)
    assert made.differs == "threshold None, now 0.7"
    assert len(made.stale) == 6  # labels; what makes an image of the volume is deleted by CHOOSE
    housekeeping.begin(json.loads((write(here, made) / "plan.json").read_text()), here / "out", here)
    _, packets = closed(here, planned(here, threshold=0.7))
    assert {(predict, *todo) for _, predict, todo in kinds(packets)} == {(False, "labels")}
    assert not list((here / "out").rglob("zarr.json")), "a probability without its shards would read as zeros"


def write(here, made):
    plan.write(made, here / "written")
    return here / "written"


def test_volumes_that_are_predicted_are_only_compared(here):
    entries = {"cell": ENTRY | LABELS}
    _, packets = closed(here, planned(here, entries))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    found, packets = closed(here, planned(here, entries, task="predict,evaluate"))
    assert {(predict, *todo) for _, predict, todo in kinds(packets)} == {(False, "counts")}
    assert packets["volumes"] == [] and found["volumes"] == []


def test_of_several_checkpoints_the_best_works_and_results_of_another_are_set_aside(here):
    entries, both = {"cell": ENTRY | LABELS}, ("model_checkpoint_1", "model_checkpoint_2")
    _, packets = closed(here, planned(here, entries))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    made = planned(here, entries, both)
    assert made.stale == [] and "2 checkpoints, of which the best on cell is chosen" in made.text()
    found, packets = closed(here, made)
    assert found["chosen"] is None and found["problem"].startswith("no checkpoint was compared on all regions")
    assert len(packets["candidates"]) == 12 and {tuple(p["todo"]) for p in packets["candidates"]} == {("counts",)}
    assert [slab["predict"] for slab in files.read_json(here / "plan-1/plan.json")["candidates"]] == [True] * 12
    finish(here, packets["candidates"])
    found, packets = closed(here, planned(here, entries, both))
    again, _ = closed(here, planned(here, entries, both, task="predict,evaluate"))
    assert len({each["id"] for each in again["requested"]}) == len(again["requested"]) == 12 + 13
    assert found["chosen"]["name"] == "model_checkpoint_2" and packets["candidates"] == []
    assert (
        "checkpoint model_checkpoint_2 is chosen: the highest mean F1 of 2 checkpoints (checkpoints.tsv)"
        in found["lines"]
    )
    assert {(predict, *todo) for _, predict, todo in kinds(packets)} == {(True, "maps", "labels")}
    assert all("@" in unit for unit in ledger_units(here)) and list((here / "out/stale").rglob("zarr.json"))


def test_a_volume_that_is_to_be_mended_is_no_image_meanwhile(here):
    _, packets = closed(here, planned(here))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    victim = next((here / "out/volumes").rglob("probability/class_1/s0/c/64.1.0.2"))
    victim.write_text("changed")
    made = planned(here)
    assert made.broken == ["cell.64.1.0.2"]
    housekeeping.begin(json.loads((write(here, made) / "plan.json").read_text()), here / "out", here)
    found, packets = closed(here, planned(here))
    assert kinds(packets) == [("64.1.0.2", True, ["maps"])]
    assert found["volumes"][0]["left"] == 1 and not list((here / "out/volumes").rglob("zarr.json"))


def test_redo_does_all_again_but_what_its_own_session_has_done(here):
    _, packets = closed(here, planned(here))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    for session, slab, left in (("second", 64, 6), ("second", 64, 2), ("second", 192, 0), ("third", 192, 1)):
        _, packets = closed(here, planned(here, session=session, redo=True, slab=slab))
        assert len(packets["slabs"]) == left
        finish(here, packets["slabs"][:4])
    assert set(ledger_units(here)) == {"cell.192.0.0.0", "cell.192.0.0.0.labels"}


def test_a_result_that_is_replaced_takes_all_slabs_with_it_that_it_meets(here):
    """Shards of 64 under slabs of 192 and of 320, neither of which holds the other."""
    entry = ENTRY | {"file": "long.zarr", "shape": [384, 8, 8]}
    make_volumes.incasem(here / "long.zarr", make_volumes.noise((384, 8, 8)), chunks=(64, 64, 64))
    _, packets = closed(here, planned(here, {"cell": entry}, slab=192))
    finish(here, packets["slabs"][1:])
    _, packets = closed(here, planned(here, {"cell": entry}, slab=320))
    assert [packet["slab"] for packet in packets["slabs"]] == ["320.0.0.0", "320.1.0.0"]
    finish(here, packets["slabs"])
    assert set(ledger_units(here)) == {f"cell.320.{z}.0.0{kind}" for z in (0, 1) for kind in ("", ".labels")}


def test_a_resumed_run_finds_predictions_again_whatever_else_was_committed(here):
    written = []
    for _ in range(2):
        made = planned(here, {"cell": ENTRY | LABELS}, task="predict,evaluate")
        _, packets = closed(here, made)
        written.append({packet["id"]: packet for packet in packets["predict"]})
        finish(here, packets["slabs"][:1])
    assert written[1] and written[1].items() <= written[0].items()


def test_counts_of_other_weights_do_not_stay_beside_a_volume(here):
    entries = {"cell": ENTRY | LABELS}
    _, packets = closed(here, planned(here, entries, task="predict,evaluate"))
    finish(here, [*packets["slabs"], *packets["volumes"]])
    checkpoint(here / "models/model_checkpoint_1", 7)
    assert set(planned(here, entries).stale) == set(ledger_units(here))


def test_a_copy_of_a_checkpoint_is_none_to_choose(here):
    (here / "models/model_checkpoint_3").write_bytes((here / "models/model_checkpoint_1").read_bytes())
    with pytest.raises(Problems, match="model_checkpoint_3 is a copy of model_checkpoint_1; name one"):
        planned(here, {"cell": ENTRY | LABELS}, ("model_checkpoint_1", "model_checkpoint_3"))


@pytest.mark.parametrize(
    "changed, entries, models, sentence",
    [
        ({"task": "evaluate"}, None, None, "--task evaluate: no entry of --data, nor of --validation, has labels"),
        ({}, None, ("model_checkpoint_1", "model_checkpoint_2"), "2 files, of which one is to be chosen: no entry"),
        ({"tile": 33}, None, None, "--tile 33: this network takes tiles that are a multiple of 2 voxels"),
        ({"slab": 100}, None, None, "--slab 100: is not the side of a slab"),
        ({"input": "a.csv"}, None, None, "--input: the regions of --workflow volume are named by --data"),
        ({"checkpoint": "nothing"}, None, (), "--checkpoint nothing: there is no such file"),
        ({"threshold": 2}, None, None, "--threshold 2: is not a probability from 0 to 1"),
        ({}, {"cell": ENTRY | {"offset": [0, 0, 1]}}, None, "data.json, entry cell (line 1)"),
        (
            {},
            {"cell": ENTRY | {"labels": {f"{make_volumes.LABELS}/mito": 1}}, "b": ENTRY | {"voxel_size": [4, 4, 4]}},
            None,
            '"voxel_size" is [4, 4, 4] nm',
        ),
    ],
    ids=[
        "no labels",
        "no labels to choose by",
        "tile",
        "slab",
        "input",
        "no checkpoint",
        "threshold",
        "region",
        "sizes",
    ],
)
def test_what_cannot_be_done_is_said_before_anything_starts(here, changed, entries, models, sentence):
    with pytest.raises(Problems) as found:
        planned(here, entries, models if models is not None else ("model_checkpoint_1",), **changed)
    assert any(sentence in line for line in found.value.sentences), found.value.sentences
    assert not (here / "out/ledger").exists()


def test_the_end_of_a_run_names_what_is_missing_and_why(here):
    entries = {"cell": ENTRY | LABELS}
    found, packets = closed(here, planned(here, entries, task="predict,evaluate"))
    finish(here, packets["slabs"][1:])
    lost = {"cell.64.0.0.0": {"process": "PREDICT", "exit": 65, "log": ["Error: Truncated: chunk 1 ends."]}}
    gate = {"lost": lost, "stopped": False, "inflight": 1, "slots": 2, "disk": 1000}
    manifest.claim(here / "out", outcome.PART, outcome.FILES)
    ended = outcome.summarise(found, here / "out", 0.1, gate)
    assert "0 of 1 volumes done, 15 of 18 slab results" in ended["text"]
    assert ended["error"].startswith("4 of 19 results failed, more than --max_failed 0.1 allows")
    table = (here / "out/failures.tsv").read_text()
    assert table.count("Truncated: chunk 1 ends.") == 3 and "cell 64.0.0.0 counts" in table
    assert "cell volume\tfailed\tslabs of it failed, as stands above\tvolume\tcell\t" in table
    assert (here / "out/scores.tsv").read_text().count("\n") == 1  # of half a region there is no score


def ledger_units(here):
    return [path.stem for path in Path(here, "out", ledger.FOLDER).glob("*.json")]


def identities(made):
    """Kind -> identity of what is wanted of the region, by its one checkpoint."""
    (region,) = made.regions
    return {kind: result.identity for kind, result in region.wanted["model_checkpoint_1"].items()}


MAPS = {"maps", "labels", "counts", "volume"}  # all that is made of them


@pytest.mark.parametrize(
    "changed, kinds",
    [
        (lambda here: {"tile": 16}, MAPS),
        (lambda here: checkpoint(here / "models/model_checkpoint_1", 5), MAPS),
        (lambda here: {"entries": {"cell": ENTRY | LABELS | {"shape": [70, 40, 129]}}}, MAPS),
        (lambda here: touch(here / "cell.zarr" / make_volumes.RAW), MAPS),
        (lambda here: {"slab": 256}, MAPS),  # its files are others
        (lambda here: {"threshold": 0.4}, {"labels", "volume"}),
        (lambda here: touch(here / "cell.zarr" / make_volumes.LABELS / "mito"), {"counts"}),
        (lambda here: {"label_offset": "0,0,5"}, {"counts"}),
        (lambda here: {"slab": 192}, set()),
        (lambda here: {"connections": 1, "max_failed": 1}, set()),
    ],
    ids=["tile", "weights", "region", "raw", "files", "threshold", "labels", "their place", "slab", "running"],
)
def test_what_makes_a_result_is_in_its_identity_and_nothing_else(here, changed, kinds):
    entries, task = {"cell": ENTRY | LABELS}, "predict,evaluate"
    before = identities(planned(here, entries, task=task))
    now = identities(planned(here, **({"entries": entries, "task": task} | (changed(here) or {}))))
    assert {kind for kind in before if before[kind] != now[kind]} == kinds


def touch(folder):
    """Write a chunk of an array anew."""
    chunk = next(path for path in folder.iterdir() if path.name.startswith("0"))
    content = chunk.read_bytes()
    chunk.unlink()
    chunk.write_bytes(content)


def test_an_array_of_the_users_own_is_no_place_for_results(here):
    own = here / "out/volumes/cell.ome.zarr"
    own.mkdir(parents=True)
    with pytest.raises(Problems, match=r"out/volumes/cell\.ome\.zarr was not written by idrstream"):
        planned(here)
    own.rmdir()
    _, packets = closed(here, planned(here))
    finish(here, packets["slabs"])
    planned(here)
