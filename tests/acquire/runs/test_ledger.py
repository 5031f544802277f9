"""What is finished stays finished, nothing is there twice, and nothing half-written is ever seen."""

import json
import os
import shutil
from contextlib import suppress
from datetime import datetime, timezone

import pytest

from commits import GATE, full_disk, killed, plan_again, tables_in
from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import commit, ledger
from idrstream.screen import outcome
from planning import DEFAULTS, keys, planned


def test_a_finished_image_is_never_planned_again_whatever_the_batch_size(here, committed):
    committed(plan_again(here, batches="1-"))
    assert keys(planned(here)) == [["PA_A04_s1_f5", "PA_B02_s1_f2", "PA_B02_s1_f5", "PA_B02_s1_f9"]]
    committed(plan_again(here, batch_size=5))
    made = planned(here, batch_size=1)
    assert (made.batches, made.done) == ([], 8)
    assert "Nothing to do" in made.text()


def test_a_failure_is_tried_again_only_if_time_may_heal_it(here, committed):
    committed(plan_again(here), failed=["PA_C01_s1_f5"], retryable=True)
    assert keys(planned(here)) == [["PA_C01_s1_f5"]]
    committed(plan_again(here), failed=["PA_C01_s1_f5"], retryable=False)
    assert keys(planned(here)) == []
    assert [[row["key"] for row in ledger.rows(ledger.read(here / "out")[0]).values() if row["status"] != "ok"]] == [
        ["PA_C01_s1_f5"]
    ]


def assert_whole_and_nothing_double(here):
    """All eight images are there, once, and no file that no entry names; then the folder is emptied."""
    whole, broken = ledger.read(here / "out")
    assert broken == []
    assert tables_in(here) == sorted(os.path.basename(file["path"]) for entry in whole for file in entry["files"])
    assert len(ledger.rows(whole)) == 8
    shutil.rmtree(here / "out")
    (here / "out").mkdir()


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "shutil.copyfileobj"])
def test_a_commit_killed_at_any_step_is_done_again_and_leaves_nothing_double(step, here, committed, monkeypatch):
    for survived in range(6):
        with killed(monkeypatch, step, survived):
            committed(plan_again(here, note="begun", batch_size=5))
        for entry in ledger.read(here / "out")[0]:
            assert all((here / "out" / file["path"]).read_text() == "begun" for file in entry["files"])
        committed(plan_again(here, note="ended", batch_size=2))
        assert_whole_and_nothing_double(here)


def test_a_redo_killed_at_any_step_leaves_nothing_double(here, committed, monkeypatch):
    for survived in range(8):
        committed(plan_again(here, note="old", batch_size=5))
        with killed(monkeypatch, "os.replace", survived):
            committed(plan_again(here, session="second", note="new", redo=True, batch_size=5))
        committed(plan_again(here, session="third", note="last", batch_size=3))
        assert_whole_and_nothing_double(here)


def visible(here):
    """What a reader of the folder sees, who knows nothing of a ledger: path -> content."""
    tables = (here / "out/profiles/single_cells").rglob("*")
    return {str(path.relative_to(here / "out")): path.read_text() for path in tables if readable(path)}


def readable(path):
    return path.is_file() and not path.name.startswith((".", "_"))  # the names that Arrow, and so pandas, passes over


@pytest.mark.parametrize("redo", [False, True])
@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "shutil.copyfileobj", "os.unlink"])
def test_a_killed_commit_leaves_no_cells_that_the_ledger_does_not_know(step, redo, here, committed, monkeypatch):
    for survived in range(7):
        if redo:
            committed(plan_again(here, note="old", batches="1"))
        with killed(monkeypatch, step, survived):
            committed(plan_again(here, session="2", note="new", batches="1", redo=redo, flow_threshold=0.4))
        commit.recover(here / "out")
        whole, broken = ledger.read(here / "out")
        named = [file["path"] for entry in whole for file in entry["files"]]
        seen = visible(here)
        assert (broken, sorted(seen)) == ([], sorted(named))
        assert len(set(seen.values())) <= 1, "cells of one making"
        assert len(seen) == 2 or not redo, "redone, or as they were"
        assert not list((here / "out").rglob(".*.part"))
        shutil.rmtree(here / "out")
        (here / "out").mkdir()


@pytest.mark.parametrize("redo", [False, True])
@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.unlink"])
def test_a_commit_that_is_killed_and_tried_again_by_its_run_ends_as_if_nothing_had_been(
    step,
    redo,
    here,
    committed,
    monkeypatch,
):
    for survived in range(9):
        if redo:
            committed(plan_again(here, note="old", batches="1"))
        made = plan_again(here, session="2", note="new", batches="1", redo=redo)
        with killed(monkeypatch, step, survived):
            committed(made, recover=False)
        committed(made, recover=False)
        assert set(visible(here).values()) == {"new"} and len(visible(here)) == 2
        assert len(ledger.read(here / "out")[0]) == 1
        shutil.rmtree(here / "out")
        (here / "out").mkdir()


def test_a_redo_in_other_batches_takes_away_nothing_before_all_of_it_is_there_anew(here, committed):
    committed(plan_again(here, note="old", batch_size=5))
    redo = plan_again(here, session="second", note="new", redo=True, batch_size=1)
    assert [len(batch["images"]) for batch in redo.batches] == [8], "a batch is made anew whole"
    other = plan_again(here, session="second", note="new", redo=True, batch_size=1, batches="0")
    assert [len(batch["supersedes"]) for batch in other.batches] == [1]


def test_tables_of_a_commit_that_is_decided_are_read_though_they_are_hidden_still(here, committed, monkeypatch):
    made = plan_again(here, note="cells", batches="1")
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(commit, "_finish", _die)
        committed(made)
    assert visible(here) == {}
    paths = ledger.tables_in(here / "out", "profiles/single_cells")
    assert [path.read_text() for path in paths] == ["cells"] * 2
    assert len(ledger.rows(ledger.read(here / "out")[0])) == sum(len(batch["images"]) for batch in made.batches)


def _die(*_):
    raise KeyboardInterrupt


def test_a_redo_that_finds_no_room_loses_nothing(here, committed):
    committed(plan_again(here, note="old" * 50_000))
    before, entries = visible(here), ledger.read(here / "out")
    for size in (1, 3, 8):  # the batches of eight images; of one, in whose place others come; all in one
        with full_disk(100_000), pytest.raises(OSError, match="File too large"):
            redo = plan_again(here, session="second", note="new" * 50_000, redo=True, batch_size=size)
            committed(redo)
        assert visible(here) == before
        assert ledger.read(here / "out") == entries
        assert not list((here / "out").rglob(".*.part")) and not list((here / "out/ledger/pending").iterdir())


def test_a_result_never_takes_the_place_of_somebody_elses_file(here, committed):
    made = plan_again(here, batches="1")
    (path,) = {f"profiles/single_cells/plate=PA/{batch['id']}.parquet" for batch in made.batches}
    files.write_text(here / "out" / path, "mine")
    with pytest.raises(Problems, match="was not written by idrstream and would be overwritten"):
        committed(made)
    assert (here / "out" / path).read_text() == "mine"
    assert ledger.read(here / "out") == ([], [])


def test_an_entry_whose_file_was_changed_or_lost_does_not_count(here, committed):
    committed(plan_again(here, note="cells"))
    first, second = sorted((here / "out/profiles").rglob("plate=PB/*.parquet"))
    first.write_text("other")
    second.unlink()
    assert keys(planned(here)) == [["PA_C01_s1_f5", "PB_A04_s1_f1"], ["PB_P24_s1_f1", "PB_P24_s1_f2"]]
    os.utime(next((here / "out/profiles").rglob("plate=PA/*.parquet")), (1, 1))
    assert len(keys(planned(here))) == 2, "another time stamp alone is no change"


def test_redo_replaces_what_it_computes_anew(here, committed):
    committed(plan_again(here, note="old"))
    before = tables_in(here)
    redo = {"session": "second", "redo": True, "batches": "1"}
    committed(plan_again(here, note="new", **redo))
    assert tables_in(here) == before
    assert keys(planned(here, **redo)) == [], "resumed, it goes on where it was"
    texts = {path.name[:5]: path.read_text() for path in (here / "out/profiles").rglob("*.parquet")}
    assert texts == {"b0000": "old", "b0001": "new", "b0002": "old"}
    committed(plan_again(here, session="third", note="newer", redo=True, batch_size=1, batches="2"))
    whole, broken = ledger.read(here / "out")
    assert broken == []
    assert len(ledger.rows(whole)) == sum(len(entry["images"]) for entry in whole) == 8


def test_what_is_deleted_lies_inside_the_work_directory(tmp_path):
    work, other = tmp_path / "work", tmp_path / "other"
    for folder in (work / "ab/cd/frames", other):
        folder.mkdir(parents=True)
        (folder / "file").write_text("12345")
    (work / "link").symlink_to(other)
    (work / "ab/cd/frames/link").symlink_to(other)
    for outside in (other, work, work / "link", work / "../other"):
        with pytest.raises(ValueError, match="nothing was deleted"):
            commit.reclaim([work / "ab/cd/frames", outside], work)
    assert commit.reclaim([work / "ab/cd/frames", work / "gone"], work) >= 5
    assert not (work / "ab/cd/frames").exists()
    assert (other / "file").exists()


def test_the_summary_has_a_row_for_every_image_and_an_error_when_too_many_failed(here, committed):
    made = plan_again(here, batches="0,1")
    committed(made, failed=["PA_C01_s1_f5"])
    rest = planned(here)
    within = {asked["id"]: batch["id"] for batch in rest.batches for asked in batch["images"]}
    requested = [asked | {"batch": within.get(asked["id"])} for asked in rest.images]
    said = outcome.summarise(made.images, made.places, made.study.wells, here / "out", max_failed=0.2, gate=GATE)
    assert said["error"] is None
    assert said["text"].startswith("5 of 6 images done, 15 cells")
    assert (
        "PA C01 frame 5: Truncated: cut"
        in outcome.summarise(made.images, made.places, made.study.wells, here / "out", max_failed=0.1, gate=GATE)[
            "error"
        ]
    )
    assert (
        "2 of 8 images were not finished"
        in outcome.summarise(requested, made.places, made.study.wells, here / "out", max_failed=1, gate=GATE)["error"]
    )
    rows = (here / "out/images.tsv").read_text().splitlines()
    assert len(rows) == 1 + 8
    assert rows[0].split("\t") == list(outcome.COLUMNS)
    assert [row.split("\t")[0] for row in rows[1:]] == ["0", "1", "1", "1", "2", "3", "4", "4"]
    assert len((here / "out/failures.tsv").read_text().splitlines()) == 1 + 3
    assert json.loads(json.dumps(said)) == said
    assert DEFAULTS["max_failed"] == 0.05


def test_a_redo_that_does_not_end_fails_the_run_though_every_image_has_an_earlier_result(here, committed):
    committed(plan_again(here))
    redo = plan_again(here, session="second", redo=True, batches="0,1")
    within = {asked["id"]: batch["id"] for batch in redo.batches for asked in batch["images"]}
    requested = [asked | {"batch": within[asked["id"]]} for asked in redo.images]
    begun = datetime.now(timezone.utc).isoformat()
    first, second = redo.batches
    redo.batches = [first]
    committed(redo)
    error = outcome.summarise(requested, redo.places, redo.study.wells, here / "out", 1, GATE, begun=begun)["error"]
    count = len(second["images"])
    assert error.splitlines()[:2] == [
        f"{count} of {len(requested)} images were not finished; the next run computes them",
        f"  {count} of them have an earlier run's result; --redo computes them again",
    ]
    redo.batches = [second]
    committed(redo)
    assert (
        outcome.summarise(requested, redo.places, redo.study.wells, here / "out", 1, GATE, begun=begun)["error"] is None
    )
    lost = {"lost": {second["id"]: {"process": "COMMIT", "exit": 1, "log": []}}}
    error = outcome.summarise(requested, redo.places, redo.study.wells, here / "out", 1, GATE | lost, begun=begun)[
        "error"
    ]
    assert error.startswith("all results are committed, but a later step failed\n")
