"""The dicts that travel have the fields that their types document, no more and no fewer."""

from typing import get_type_hints

import pytest

from idrstream.base import files
from idrstream.images.calibration import WINDOW
from idrstream.runs import housekeeping, ledger
from idrstream.runs import types as runs
from idrstream.screen import fetch, plan, results
from idrstream.screen import types as screen
from make_screen import write_cellh5
from planning import planned
from reading import noise


def assert_fields(content, kind):
    """CONTENT has every field that KIND requires, and none that it does not document."""
    assert kind.__required_keys__ <= content.keys() <= get_type_hints(kind).keys()


@pytest.fixture
def written(here, digests_once):
    """A plan and the folder that it is written to."""
    made = planned(here)
    plan.write(made, here / "plan")
    return made, here / "plan"


def test_the_planner_writes_documented_packets(written):
    made, folder = written
    (batch, *_) = (files.read_json(path) for path in sorted((folder / "batches").glob("*.json")))
    (plate, *_) = (files.read_json(path) for path in sorted((folder / "plates").glob("*.json")))
    for row in made.images:
        assert_fields(row, screen.PlannedImage)
    assert_fields(made.batches[0], screen.Batch)
    assert_fields(batch, screen.BatchPacket)
    assert_fields(plate, screen.PlatePacket)
    for row in batch["images"]:
        assert_fields(row, screen.Image)
    for row in (*plate["images"], *batch["references"]["PA"]):
        assert_fields(row, screen.Reference)


def test_the_planner_writes_a_documented_plan(written):
    _, folder = written
    summary = files.read_json(folder / "plan.json")
    assert_fields(summary, screen.PlanSummary)
    for batch in summary["batches"]:
        assert_fields(batch, screen.BatchSummary)
    for plate in summary["plates"]:
        assert_fields(plate, screen.PlateSummary)
    for row in summary["requested"]:
        assert_fields(row, screen.RequestedImage)


def test_fetch_writes_documented_rows(written, tmp_path):
    made, folder = written
    batch = files.read_json(folder / f"batches/{made.batches[-1]['id']}.json") | {"root": str(tmp_path), "window": True}
    write_cellh5(tmp_path / "good.ch5", "PB", 384, noise(5))
    for name, row in zip(("good.ch5", "none.ch5"), batch["images"], strict=True):
        row["locations"] = [name]
    good, missing = fetch.fetch(batch, tmp_path / "frames", root=str(tmp_path))
    assert (good["status"], missing["status"]) == ("ok", "failed")
    for row in (good, missing):
        assert_fields(row, screen.WindowRow)
    assert len(good["window"]) == WINDOW


def test_the_ledger_holds_documented_entries(here, committed, digests_once):
    made = planned(here)
    made.note = ""
    committed(made, failed=["PA_C01_s1_f5"])
    entries, _ = ledger.read(here / "out")
    for entry in entries:
        assert_fields(entry, runs.LedgerEntry)
        for file in entry["files"]:
            assert_fields(file, runs.LedgerFile)
        for row in entry["images"]:
            assert_fields(row, screen.LedgerRow)
            assert set(results.KEPT) <= row.keys()
    for row in ledger.rows(entries).values():
        assert_fields(row, screen.LedgerRow)


def test_the_start_of_a_run_records_documented_fields(written, here):
    _, folder = written
    (here / "work").mkdir()
    housekeeping.begin(files.read_json(folder / "plan.json"), here / "out", here / "work")
    assert_fields(files.read_json(here / "out" / housekeeping.PLAN), screen.RunRecord)
