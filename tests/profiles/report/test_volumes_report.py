"""The report on volumes: of what is there, while a run is going."""

import json

from PIL import Image

from idrstream.report.pictures import Pictures
from idrstream.volume import scores as scoring
from idrstream.volume.report import Results, scores, slices, summary

BOX = [[0, 0, 0], [64, 64, 64]]
LEVELS = [[0, 90] + [0] * 254, [0] * 255 + [10]]


def commit(outdir, name, kind, entry, paths, **row):
    """Leave an entry in the ledger."""
    row = {"id": name, "key": name, "status": "ok", "reason": "", "retryable": False, "cells": None} | row
    row |= {"kind": kind, "entry": entry, "checkpoint": "net", "identity": kind, "box": BOX, "roi": BOX}
    entry = {"batch": name, "number": 0, "session": "s", "committed": "2026-06-01T10:00:00+00:00", "provenance": {}}
    entry |= {"recipe": {}, "files": [{"path": path, "bytes": 9} for path in paths], "images": [row], "supersedes": []}
    (outdir / "ledger").mkdir(parents=True, exist_ok=True)
    (outdir / f"ledger/{name}.json").write_text(json.dumps(entry))


def compared(outdir, entry, *classes):
    """Leave the counts of an entry that has labels of CLASSES."""
    path = f"counts/{entry}/net/64.0.0.0.json"
    (outdir / path).parent.mkdir(parents=True)
    counts = {name: {"all": LEVELS, "scored": LEVELS} for name in classes}
    scoring.write(outdir / path, counts, {name: [f"labels/{name}"] for name in classes})
    commit(outdir, f"{entry}@net.64.0.0.0", "counts", entry, [path])
    return outdir / path


def volume(outdir, entry):
    """Leave an entry's volume with two pictures."""
    names = [f"{entry}_z.png", f"{entry}_z_labels.png"]
    (outdir / "slices").mkdir(exist_ok=True)
    for name in names:
        Image.new("L", (8, 8)).save(outdir / "slices" / name)
    pictures = [{"file": name, "plane": "z", "labels": "labels" in name, "box": BOX} for name in names]
    commit(outdir, entry, "volume", entry, [f"slices/{name}" for name in names], pictures=pictures)


def test_counts_that_a_run_is_replacing_are_left_out(tmp_path):
    compared(tmp_path, "kept", "1")
    compared(tmp_path, "moved", "1").unlink()
    (tmp_path / "ledger/gone.json").symlink_to(tmp_path / "nowhere")  # listed, and not there when it is read
    results = Results(tmp_path)
    assert [each.name for each in results.compared] == ["kept"]
    assert results.checkpoints.empty


def test_pictures_that_a_run_is_replacing_are_left_out(tmp_path):
    volume(tmp_path, "half")
    volume(tmp_path, "none")
    for name in ("half_z.png", "none_z.png", "none_z_labels.png"):
        (tmp_path / "slices" / name).unlink()
    html = "".join(slices.section(Results(tmp_path), Pictures(tmp_path / "pictures")).html)
    assert html.count("<figure") == 1 and "It has no pictures." in html


def test_volumes_have_scores_of_the_classes_that_they_have_labels_of(tmp_path):
    compared(tmp_path, "one", "1")
    compared(tmp_path, "two", "1", "2")
    results = Results(tmp_path)
    html = "".join(scores.section(results, Pictures(tmp_path / "pictures")).html)
    assert [(each.name, [*each.counts]) for each in results.compared] == [("one", ["1"]), ("two", ["1", "2"])]
    assert (html.count("Scores of one by threshold"), html.count("Scores of two by threshold")) == (1, 2)
    assert ("lowest F1 of a class at 0.5", "1.000") in summary.facts(results)
