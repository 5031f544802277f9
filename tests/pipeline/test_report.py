"""The report at the end of a run, while one goes on, and where it cannot be made."""

import os
import signal

import pytest
from streams import Stream, make_light


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The light pipeline, with the real report."""
    return make_light(tmp_path_factory.mktemp("told"), report=True)


def files(run):
    """Everything in the output folder but the pictures of the report, with the time of its last change."""
    below = {path.relative_to(run.out): path.stat().st_mtime_ns for path in run.out.rglob("*") if path.is_file()}
    return {path: time for path, time in below.items() if path.parts[:2] != ("qc", "pictures")}


def test_a_report_is_made_while_a_run_goes_on_and_takes_nothing_from_it(told, screen, tmp_path):
    run = Stream(told, screen, tmp_path / "run")
    run.start("--max_inflight", 1, "--batch_nums", "0,1", SECONDS="1").wait_for("batch 0 done")
    os.killpg(run.head.pid, signal.SIGSTOP)  # it holds what it holds, and has not ended when the report is made
    beside = Stream(told, screen, tmp_path / "beside").run("--report_only", "--outdir", run.out)
    assert beside.code == 0, beside.said
    assert "Submitted process > PLAN" not in beside.said
    page = (run.out / "multiqc_report.html").read_text()
    assert "The run goes on, or was stopped" in page
    os.killpg(run.head.pid, signal.SIGCONT)
    run.end()
    assert run.code == 0, run.said
    assert run.images["status"].tolist() == ["ok"] * 2
    assert len(list((run.out / "pipeline_info").glob("trace_*.tsv"))) == 1
    page = (run.out / "multiqc_report.html").read_text()
    assert "The run goes on" not in page and "<dd>2 of 2</dd>" in page
    assert (run.out / "qc/pictures/plate_map_cells_DM0001_01.png").exists()
    before = files(run)
    again = Stream(told, screen, tmp_path / "again").run("--report_only", "--outdir", run.out)
    assert again.code == 0, again.said
    changed = {path for path, time in files(run).items() if before.get(path) != time}
    assert {str(path) for path in changed} == {"multiqc_report.html"}


def test_a_report_that_cannot_be_made_is_said_and_fails_no_run(screen, tmp_path):
    (tmp_path / "light").mkdir()
    broken = make_light(tmp_path / "light", report=True)
    (broken / "assets/multiqc.yml").write_text("custom_data: [")
    run = Stream(broken, screen, tmp_path / "run").run("--batch_nums", "0")
    assert run.code == 0, run.said
    assert "no report was made, all else is there" in run.said
    assert not (run.out / "multiqc_report.html").exists()
    assert run.committed


def test_a_folder_in_which_no_run_has_begun_is_said(told, screen, tmp_path):
    run = Stream(told, screen, tmp_path / "run").run("--report_only", "--outdir", tmp_path / "nothing")
    assert run.code == 1
    assert f"--report_only: in --outdir {tmp_path}/nothing no run has begun" in run.said
    assert not (tmp_path / "nothing").exists()
