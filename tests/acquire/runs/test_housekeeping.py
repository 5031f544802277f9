"""Before a run's first task: stale results set aside, leftovers deleted, what is asked for recorded; and its status."""

import json
from datetime import datetime, timedelta, timezone

import pytest

import status  # (the command)
from commits import killed, plan_again, tables_in
from idrstream.base import files
from idrstream.images.calibration import FIELDS, read_diameters
from idrstream.runs import housekeeping, ledger, run_warnings
from idrstream.screen import plan, plates
from planning import planned


def begun(here, made):
    plan.write(made, here / f"plan-{len(list(here.glob('plan-*')))}")
    newest = max(here.glob("plan-*"), key=lambda path: path.stat().st_mtime_ns)
    return housekeeping.begin(files.read_json(newest / "plan.json"), here / "out", here / "work")


def test_results_of_another_making_are_set_aside_and_said_and_never_mixed(here, committed):
    committed(plan_again(here, note="old"))
    old = tables_in(here)
    made = plan_again(here, note="new", diameter=20)
    sentence = "3 committed batches (8 images) used other settings (diameter auto, now 20): they will be moved to "
    assert f"{sentence}stale/ and their images fetched again\n" in made.text()
    (said,) = begun(here, made)
    assert said.startswith("moved 3 committed batches with other settings (diameter auto, now 20) to ")
    assert tables_in(here) == []
    aside = sorted((here / "out/stale").rglob("*.parquet"))
    assert [path.name for path in aside] == old
    assert {path.read_text() for path in aside} == {"old"}
    assert len(list((here / "out/stale").rglob("ledger/*.json"))) == 3
    committed(made)
    assert {path.read_text() for path in (here / "out/profiles").rglob("*.parquet")} == {"new"}
    assert planned(here, diameter=20).batches == []


@pytest.mark.parametrize("survived", range(8))
def test_setting_aside_may_be_killed_at_any_step(survived, here, committed, monkeypatch):
    committed(plan_again(here, note="old"))
    old = tables_in(here)
    with killed(monkeypatch, "os.replace", survived):
        begun(here, planned(here, diameter=20))
    begun(here, planned(here, diameter=20))
    assert tables_in(here) == []
    assert sorted(path.name for path in (here / "out/stale").rglob("*.parquet")) == old


def test_what_a_killed_commit_left_in_the_work_folder_is_deleted_and_nothing_elsewhere(here, committed):
    left, other = here / "work/ab/cd/frames", here / "precious"
    for folder in (left, other):
        folder.mkdir(parents=True)
        (folder / "file").write_text("12345")
    committed(plan_again(here), work_folders=[left, here / "work/gone"])
    said = begun(here, planned(here))
    assert not left.exists()
    assert said == ["deleted 0.0 MB of work folders that a killed run left behind"]
    for path in (here / "out/ledger").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"work_folders": [str(other)]}))
    said = begun(here, planned(here))
    assert "precious: not a folder inside the work directory" in said[0]
    assert (other / "file").exists()


def test_status_tells_what_is_done_failed_and_left_and_how_long_it_will_take(here, committed):
    begun(here, planned(here))
    assert status.status(here / "out", datetime.now(timezone.utc)) == "8 images: 0 done (0 cells), 0 failed, 8 left"
    committed(plan_again(here, batches="0,1"), failed=["PA_C01_s1_f5"])
    record = here / "out" / housekeeping.PLAN
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    files.write_json(record, files.read_json(record) | {"begun": start.isoformat()})
    lines = status.status(here / "out", datetime.now(timezone.utc)).splitlines()
    assert lines[0] == "8 images: 5 done (15 cells), 1 failed, 2 left"
    assert lines[1].startswith("0.1 images a minute since ") and lines[1].endswith("; about 20 min left")
    assert lines[2] == "  PA_C01_s1_f5: Truncated: cut"
    asked = files.read_json(record)
    files.write_json(record, asked | {"images": asked["images"][-2:]})  # those that no commit since then had
    assert status.status(here / "out", datetime.now(timezone.utc)) == "2 images: 0 done (0 cells), 0 failed, 2 left"


def test_the_warnings_of_a_run_are_those_of_no_run_after_it(here):
    begun(here, planned(here))
    assert run_warnings.read(here / "out") == []
    run_warnings.write(here / "out", ["EXPORT made nothing: why"])
    assert run_warnings.read(here / "out") == ["EXPORT made nothing: why"]
    begun(here, planned(here))
    assert run_warnings.read(here / "out") == []


@pytest.fixture
def learnt(tmp_path):
    """A plate's packet, and what FLATFIELD and DIAMETER made of it."""
    fields = tmp_path / "calibration/P.fields"
    fields.mkdir(parents=True)
    for suffix in ("tif", "png"):
        (fields / f"P.{suffix}").write_text(suffix)
    content = {"offset": 6, "lost": None, "fields": {"P": {"kind": "plate", "status": "ok", "shape": [2, 2]}}}
    files.write_json(fields / FIELDS, content)
    files.write_json(tmp_path / "calibration/P.json", {"plate": "P", "diameter": 22.0})
    return {"id": "P", "identity": "abc"}, tmp_path


def test_what_is_learnt_of_a_plate_is_kept_and_taken_by_the_next_run_as_it_is(learnt):
    packet, folder = learnt
    kept = plates.commit(packet, folder / "calibration", folder / "out")
    assert sorted(path.name for path in kept.iterdir()) == ["P.png", "P.tif", "diameter.json", "fields.json"]
    assert plates.complete(folder / "out", {"P": "abc", "Q": "abc"}) == {"P"}
    assert plates.complete(folder / "out", {"P": "other recipe"}) == set()
    assert read_diameters(kept.parent) == {"P": 22.0}
    (kept / "P.tif").write_text("changed")
    assert plates.complete(folder / "out", {"P": "abc"}) == set()


def test_a_plate_whose_frames_could_not_be_fetched_is_tried_again(learnt):
    packet, folder = learnt
    path = folder / "calibration/P.fields" / FIELDS
    files.write_json(path, files.read_json(path) | {"lost": "Unreachable: gone", "fields": {}})
    plates.commit(packet, folder / "calibration", folder / "out")
    assert plates.complete(folder / "out", {"P": "abc"}) == set()


def test_the_plan_asks_nothing_of_a_plate_that_is_settled(here, learnt):
    made = planned(here)
    _, folder = learnt
    for name in ("P.fields/P.tif", "P.fields/P.png", "P.json"):
        (folder / "calibration" / name).rename(
            folder
            / "calibration"
            / name.replace("P.tif", "PA.tif").replace("P.png", "PA.png").replace("P.json", "PA.json")
        )
    path = folder / "calibration/P.fields" / FIELDS
    files.write_json(path, json.loads(path.read_text().replace('"P"', '"PA"')))
    plates.commit({"id": "PA", "identity": made.identities["PA"]}, folder / "calibration", here / "out")
    again = planned(here)
    assert again.settled_plates == {"PA"}
    plan.write(again, here / "plan")
    written = files.read_json(here / "plan/plan.json")
    assert [plate["id"] for plate in written["plates"]] == ["PB"]
    assert written["settled_plates"] == ["PA"]
    assert ledger.read(here / "out") == ([], [])
