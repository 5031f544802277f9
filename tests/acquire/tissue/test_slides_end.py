"""The end of a slide and of a run: what two folders hold lies together in the output folder, and is counted."""

import csv
import json
import subprocess
import sys

import pytest

from idrstream.base import files
from idrstream.runs import ledger
from idrstream.tissue import outcome
from repository import BIN

COMMAND = BIN / "tissue_commit.py"
COUNTS = {"objects": 12, "nuclei": 10, "cells": 9, "nuclei_alone": 3, "cells_alone": 2, "sampled": 12}
GATE = {"lost": {}, "stopped": False, "inflight": 0}


def leave(folder, *names):
    for name in names:
        files.write_text(folder / "results" / name, f"content of {name}")


@pytest.fixture
def work(tmp_path):
    """A slide's packet, what ASSEMBLE and TABLES left, and an output folder."""
    packet = {
        "id": "A12",
        "slide": "A12",
        "workspace": None,
        "number": 0,
        "session": "s",
        "recipe": {},
        "references": {},
    }
    files.write_json(tmp_path / "packet.json", packet | {"supersedes": [], "kept": [], "identity": "0" * 16})
    leave(
        tmp_path / "assembled", "nuclei.ome.tif", "A12.zarr/zarr.json", "A12.zarr/tables/table/zarr.json", "slide.json"
    )
    leave(tmp_path / "tables", *outcome.TABLES, "A12.h5ad")
    leave(tmp_path / "tables/element", "zarr.json")  # is in the store already
    facts = {"slide": "A12", "size": [100, 200], "nuclear": [], "membrane": [], "dtype": "uint16", "steps": []}
    files.write_json(tmp_path / "assembled/results/slide.json", facts | {"cells_from": "expand", "device": ""})
    row = {"id": "0" * 16, "key": "A12", "slide": "A12", "status": "ok", "reason": "", "retryable": False, "cells": 10}
    row |= {"counts": COUNTS, "size": [100, 200], "pixel_size": 0.5, "diameter": 20.0, "uncertified": 0, "seconds": 9}
    files.write_json(tmp_path / "assembled/row.json", row)
    (tmp_path / "out").mkdir()
    return tmp_path


def commit(work, *folders):
    command = [sys.executable, COMMAND, work / "packet.json", *(work / name for name in folders)]
    done = subprocess.run([*command, "--outdir", work / "out", "--workdir", work], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def slides(work):
    requested = [{"id": "0" * 16, "key": "A12", "batch": "A12", "line": 2}]
    closing = outcome.summarise(requested, work / "out", 0, GATE)
    with open(work / "out/slides.tsv", newline="") as file:
        return next(csv.DictReader(file, delimiter="\t")), closing["text"]


def test_results_of_both_folders_lie_in_the_slides_folder_and_in_the_ledger(work):
    assert commit(work, "assembled", "tables")["nuclei"] == 10
    expected = {
        "nuclei.ome.tif",
        "A12.zarr/zarr.json",
        "A12.zarr/tables/table/zarr.json",
        "slide.json",
        "cells.parquet",
    }
    expected |= {"QUANT.tsv", "cells.geojson", "A12.h5ad"}
    folder = work / "out/slides/A12"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == expected
    (entry,), broken = ledger.read(work / "out")
    assert not broken and {file["path"] for file in entry["files"]} == {f"slides/A12/{name}" for name in expected}


def test_a_slide_of_which_nothing_was_measured_has_no_tables(work):
    commit(work, "assembled")
    assert not (work / "out/slides/A12/QUANT.tsv").exists() and (work / "out/slides/A12/slide.json").exists()


def test_a_table_that_was_changed_breaks_the_slide(work):
    commit(work, "assembled", "tables")
    (work / "out/slides/A12/QUANT.tsv").write_text("mine")
    intact, (entry,) = ledger.read(work / "out")
    assert not intact and entry["batch"] == "A12"


def test_slides_are_counted_with_their_cells_and_with_those_that_have_no_partner(work):
    commit(work, "assembled", "tables")
    row, text = slides(work)
    assert (row["nuclei"], row["cells"], row["unmatched"]) == ("10", "9", "5")
    assert "1 of 1 slides done, 10 nuclei, 9 cells, 0 uncertified" in text
    with open(work / "out/benchmarks.tsv", newline="") as file:
        (record,) = csv.DictReader(file, delimiter="\t")
    assert (record["input_file_id"], record["pixels"], record["success"]) == ("A12", "20000", "True")


def test_an_image_of_a_workspace_without_anything_to_see_is_a_row_that_counts_as_failed(work):
    commit(work, "assembled", "tables")
    requested = [{"id": "0" * 16, "key": "A12", "batch": "A12", "line": 2}]
    requested.append({"id": "unmatched/A13", "key": "A13", "batch": None, "why": "there is no A13.npz"})
    closing = outcome.summarise(requested, work / "out", 0.05, GATE)
    with open(work / "out/failures.tsv", newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert (row["slide"], row["status"], row["reason"]) == ("A13", "unmatched", "there is no A13.npz")
    assert closing["error"].startswith("1 of 2 slides failed, more than --max_failed 0.05 allows")
    assert outcome.summarise(requested, work / "out", 0.5, GATE)["error"] is None


def test_where_nothing_was_measured_no_cells_are_counted(work):
    row = files.read_json(work / "assembled/row.json")
    files.write_json(work / "assembled/row.json", row | {"counts": None})
    commit(work, "assembled")
    row, text = slides(work)
    assert (row["nuclei"], row["cells"], row["unmatched"]) == ("10", "", "")
    assert "10 nuclei, 0 cells" in text


def test_every_file_of_a_slide_is_looked_for_before_the_run(work):
    names = outcome.results("A12")
    commit(work, "assembled", "tables")
    assert all(path.name in names for path in (work / "out/slides/A12").iterdir())
