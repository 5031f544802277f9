"""The report at the end of a run, while one goes on, and where it, or another view of the results, cannot be made."""

import json
import os
import re
import signal
from html import unescape

import pytest
from streams import Stream, make_light

VIEWS = ("--csv", "DP", "--well_profiles", "plate")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The light pipeline, with the real report."""
    return make_light(tmp_path_factory.mktemp("told"), report=True)


def closing(run):
    """The last lines that a run says of itself."""
    return run.said[run.said.index("images done, ") :] + "\n"


def files(run):
    """Everything in the output folder but the report's pictures and the manifest, with the time of its last change."""
    below = {path.relative_to(run.out): path.stat().st_mtime_ns for path in run.out.rglob("*") if path.is_file()}
    return {
        path: time
        for path, time in below.items()
        if path.parts[:2] != ("qc", "pictures") and path.parts[0] != "manifest"
    }


@pytest.fixture(scope="module")
def ended(told, screen, tmp_path_factory):
    """A run; while it went on, a report on it and another run into its folder; and the page of that report."""
    folder = tmp_path_factory.mktemp("ended")
    run = Stream(told, screen, folder / "run")
    run.start("--max_inflight", 1, *VIEWS, "--batches", "0,1", SECONDS="1").wait_for("batch 0 done")
    os.killpg(run.head.pid, signal.SIGSTOP)  # it holds what it holds, and has not ended when the report is made
    beside = Stream(told, screen, folder / "beside").run("--report_only", "--outdir", run.out)
    during = (run.out / "multiqc_report.html").read_text() if beside.code == 0 else ""
    beside.traces = list((run.out / "pipeline_info").glob("trace_*.tsv"))
    other = Stream(told, screen, folder / "other").run("--outdir", run.out)
    os.killpg(run.head.pid, signal.SIGCONT)
    return run.end(), beside, other, during


def test_a_report_is_made_while_a_run_goes_on_and_takes_nothing_from_it(ended):
    run, beside, _, during = ended
    assert beside.code == 0, beside.said
    assert ":PLAN" not in beside.said
    assert "The run is going or was stopped" in during
    assert run.code == 0, run.said
    assert run.images["status"].tolist() == ["ok"] * 2
    assert len(beside.traces) == 1, "it writes none of its own"
    page = (run.out / "multiqc_report.html").read_text()
    assert "The run is going" not in page and "<dd>2 of 2</dd>" in page
    assert (run.out / "qc/pictures/plate_map_cells_DM0001_01.png").exists()


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_goes_on(ended):
    run, _, other, _ = ended
    assert other.code == 1
    assert f"--outdir {run.out}: another run is writing to it" in other.said
    assert run.code == 0, run.said


def test_what_a_view_leaves_out_is_said_in_the_log_at_the_end_and_in_the_report(ended):
    run, *_ = ended
    few = 'Plate DM0001_01: wells not normalised. 1 of its wells with cells have control_type "negative control"'
    assert f"WARN: {few}" in run.said
    assert few in closing(run)
    assert few in unescape((run.out / "multiqc_report.html").read_text())
    assert len(list((run.out / "profiles/wells/aggregated").iterdir())) == 1


REFUSES = """#!/usr/bin/env python3
import sys

print("Error: no room for tables", file=sys.stderr)
sys.exit(64)
"""
GROWS = """#!/usr/bin/env python3
import os

with open(os.environ["TRIED"], "a") as tried:
    print("x", file=tried)
print("it grew", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def troubled(ended, screen, tmp_path_factory):
    """A run into the same folder of which two views and the report fail; and what was there before."""
    run, *_ = ended
    broken = make_light(tmp_path_factory.mktemp("broken"), report=True)
    (broken / "bin/screen_export.py").write_text(REFUSES)
    (broken / "bin/screen_plate_profiles.py").write_text(GROWS)
    (broken / "assets/multiqc.yml").write_text("custom_data: [")
    before = files(run)
    second = Stream(broken, screen, tmp_path_factory.mktemp("troubled"))
    second.run(*VIEWS, "--h5ad", "--batches", "0,1", "--outdir", run.out, TRIED=second.folder / "tried")
    return second, before


def test_views_and_a_report_that_fail_are_warned_of_and_take_nothing_else_with_them(ended, troubled):
    (run, *_), (second, before) = ended, troubled
    assert second.code == 0, second.said
    warned = json.loads((run.out / "pipeline_info/warnings.json").read_text())["warnings"]
    assert [re.sub(r" \(/.*/.command.log\)", "", sentence) for sentence in sorted(warned)] == [
        "EXPORT made nothing: no room for tables; csv is of an earlier run",
        "PLATE_PROFILES ended with exit code 137: it grew; profiles/wells is of an earlier run",
    ]
    for sentence in warned:
        assert f"WARN: {sentence}" in second.said and f"  {sentence}\n" in closing(second)
    assert (second.folder / "tried").read_text() == "x\n" * 3
    assert "warnings   3\n" in closing(second)
    assert "  REPORT ended with exit code 1: RuntimeError: MultiQC ended with" in closing(second)
    assert "; multiqc_report.html is of an earlier run" in closing(second)
    assert [path.name for path in (run.out / "profiles/h5ad").iterdir()] == ["DM0001_01.h5ad"]
    changed = {str(path) for path, time in files(run).items() if before.get(path, time) != time}
    assert all(f"{name}.parquet {run.out}/qc/{name}.parquet" in second.said for name in ("images", "cells"))
    assert not {path for path in changed if path.startswith(("csv", "profiles", "multiqc"))}


def test_a_report_made_afterwards_changes_nothing_else_and_tells_what_the_run_warned_of(
    ended, troubled, told, tmp_path
):
    (run, *_), _ = ended, troubled
    before = files(run)
    again = Stream(told, run.screen, tmp_path / "again").run("--report_only", "--outdir", run.out)
    assert again.code == 0, again.said
    changed = {path for path, time in files(run).items() if before.get(path) != time}
    assert {str(path) for path in changed} == {"multiqc_report.html"}
    page = unescape((run.out / "multiqc_report.html").read_text())
    assert "Warning: EXPORT made nothing: no room for tables" in page
    assert "Plate DM0001_01: wells not normalised" not in page  # the run before it said so


def test_a_folder_in_which_no_run_has_begun_is_said(told, screen, tmp_path):
    run = Stream(told, screen, tmp_path / "run").run("--report_only", "--outdir", tmp_path / "nothing")
    assert run.code == 1
    assert f"--report_only: in --outdir {tmp_path}/nothing no run has begun" in run.said
    assert not (tmp_path / "nothing").exists()
