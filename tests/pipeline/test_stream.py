"""The stream: bounded on disk, losing nothing, going on from wherever it was stopped."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from test_pipeline import ORDER, ROOT

from make_screen import make_screen

WELLS = range(1, 9)
PARTS = ("bin", "lib", "modules", "workflows", "conf", "assets/studies", "assets/models", "main.nf", "nextflow.config")


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """The pipeline, but for its networks."""
    copy = tmp_path_factory.mktemp("pipeline")
    for part in (*PARTS, "nextflow_schema.json", "containers"):
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, copy / part)
    (copy / ".venvs").symlink_to(ROOT / ".venvs")
    for command in ("segment", "embed"):
        shutil.copy(Path(__file__).with_name("light.py"), copy / f"bin/{command}.py")
        (copy / f"bin/{command}.py").write_text(f"#!/usr/bin/env python3\n{(copy / f'bin/{command}.py').read_text()}")
        (copy / f"bin/{command}.py").chmod(0o755)
    return copy


@pytest.fixture(scope="session")
def screen(tmp_path_factory):
    """One plate of eight wells, a frame each."""
    folder = tmp_path_factory.mktemp("screen")
    make_screen(folder, plates=["DM0001_01"], wells=WELLS, frames=1, shape=(128, 168))
    return folder


class Stream:
    """A run of the light pipeline in a folder of its own, which may be killed."""

    def __init__(self, light, screen, folder):
        self.light, self.screen, self.folder, self.runs = light, screen, folder, 0
        folder.mkdir(exist_ok=True)

    def start(self, *options, **env):
        given = {"input": "data_to_process.tsv", "screens": "screens.tsv"}
        words = [word for name, file in given.items() for word in (f"--{name}", self.screen / file)]
        words += ["--source", self.screen, "--study", "example", "--illumination", "none", "--diameter", 22]
        command = [ROOT / "engine/nextflow", "run", self.light, "-profile", "venv", "-ansi-log", "false"]
        self.runs += 1
        env = os.environ | {"NXF_SYNTAX_PARSER": "v2", "FAULT_LOG": str(self.folder / f"fault-{self.runs}")} | env
        words = [str(word) for word in (*command, *words, "--batch_size", 1, *options)]
        with open(self.folder / f"log-{self.runs}", "w") as log:
            self.head = subprocess.Popen(
                words, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def end(self):
        self.code = self.head.wait()
        self.said = (self.folder / f"log-{self.runs}").read_text()
        return self

    def run(self, *options, **env):
        return self.start(*options, **env).end()

    def kill(self):
        os.killpg(self.head.pid, signal.SIGKILL)
        return self.end()

    @property
    def out(self):
        return self.folder / "results"

    @property
    def images(self):
        return pd.read_table(self.out / "images.tsv", keep_default_na=False)

    @property
    def committed(self):
        """Batch -> when its entry was written."""
        entries = [json.loads(path.read_text()) for path in (self.out / "ledger").glob("*.json")]
        return {entry["batch"]: entry["committed"] for entry in entries if entry["committed"]}

    @property
    def cells(self):
        table = pd.read_parquet(self.out / "profiles/single_cells").drop(columns="plate")
        return table.sort_values(ORDER, ignore_index=True).to_parquet()


@pytest.fixture
def stream(light, screen, tmp_path):
    return Stream(light, screen, tmp_path / "run")


@pytest.fixture(scope="session")
def whole(light, screen, tmp_path_factory):
    """A run that nothing disturbed."""
    run = Stream(light, screen, tmp_path_factory.mktemp("whole")).run()
    assert run.code == 0, run.said
    assert (run.images["cells"] == 5).all()
    return run


def test_batches_are_fetched_one_after_the_other_so_a_server_gets_no_more_than_the_connections_of_one(whole):
    trace = pd.read_table(next(whole.out.glob("pipeline_info/trace_*.tsv")))
    fetched = trace[trace["name"].str.contains(":FETCH ")].sort_values("submit")
    begun = pd.to_datetime(fetched["submit"])
    ended = begun + pd.to_timedelta(fetched["duration"])
    assert len(fetched) == len(WELLS)
    assert (begun.values[1:] > ended.values[:-1] - pd.Timedelta("0.2s").to_timedelta64()).all()  # it rounds to 0.1 s


def test_a_batch_that_fails_is_given_up_and_said_and_the_next_run_takes_up_just_that(stream, whole):
    run = stream.run("--max_inflight", 1, FAULT="EMBED 3 1 0")
    assert run.code == 1
    lost = run.images[run.images["status"] == "lost"]
    assert lost["row"].tolist() == [3]
    assert lost["reason"].item() == "EMBED ended with exit code 1: something went wrong in here"
    assert "1 of 8 images were not finished; the next run takes them up" in run.said
    (log,) = (run.out / "pipeline_info").glob("lost_b0003-*.log")
    assert "something went wrong in here" in log.read_text()
    assert len(run.committed) == 7
    before = run.committed
    again = stream.run()
    assert again.code == 0, again.said
    assert before.items() < again.committed.items()
    assert again.cells == whole.cells


def test_what_may_heal_is_tried_again_and_then_nobody_need_know(stream, whole):
    run = stream.run("--batch_nums", "3", FAULT="SEGMENT 3 137 1")
    assert run.code == 0, run.said
    assert (run.folder / "fault-1").read_text() == "xx"


@pytest.mark.parametrize("options, begun", [(["--on_batch_failure", "stop"], 1), ([], 3)])
def test_after_one_or_three_batches_lost_in_a_row_no_other_begins(options, begun, stream, light):
    run = stream.run("--max_inflight", 1, *options, FAULT="SEGMENT 0 1 0", FAULT_ALL="1")
    assert run.code == 1
    assert (run.images["status"] == "lost").sum() == begun
    stopped = run.images[run.images["status"] == "missing"]
    assert set(stopped["reason"]) == {"the run was stopped before its batch began"}


def test_an_error_that_the_user_must_mend_stops_the_run(stream):
    run = stream.run("--max_inflight", 1, FAULT="SEGMENT 0 64 0")
    assert run.code == 1
    assert "something went wrong in here" in run.said


@pytest.mark.parametrize("slots", [2, 4])
def test_the_disk_holds_no_more_than_the_slots_allow(slots, stream):
    heavy = 30_000_000
    stream.start("--max_inflight", slots, HEAVY=str(heavy), SECONDS="0.5")
    peak = 0
    while stream.head.poll() is None:
        peak = max(peak, size(stream.folder / "work"))
        time.sleep(0.1)
    run = stream.end()
    assert run.code == 0, run.said
    assert heavy < peak < 1.1 * slots * 2 * heavy
    assert size(stream.folder / "work") < 1_000_000
    assert f"of {slots} batches and" in run.said


def size(folder):
    """Bytes of the files in a folder that is being written to."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue
    return total


def killed_and_finished(stream, moment, resume):
    """Kill the head at a moment, in seconds after its first task began; go on; what was finished at the kill."""
    stream.start("--max_inflight", 2, SECONDS="0.3")
    while "Submitted process > SCREEN" not in (stream.folder / "log-1").read_text():
        time.sleep(0.05)
        assert stream.head.poll() is None
    timer = threading.Timer(moment, lambda: None)
    timer.start()
    timer.join()
    stream.kill()
    finished = stream.committed
    for path in stream.out.rglob("*"):
        assert path.suffix != ".parquet" or path.stat().st_size > 0
    if not resume:
        shutil.rmtree(stream.folder / "work")
        shutil.rmtree(stream.folder / ".nextflow")
    run = stream.run(*(["-resume"] if resume else []))
    assert run.code == 0, run.said
    return finished


@pytest.mark.parametrize("seed", range(3))
def test_a_head_killed_at_any_moment_loses_nothing_and_repeats_nothing_that_was_finished(seed, stream, whole):
    moment = random.Random(seed).uniform(0, 12)
    finished = killed_and_finished(stream, moment, resume=seed != 2)
    assert finished.items() <= stream.committed.items()
    assert stream.cells == whole.cells
    assert not list(stream.out.rglob("*.part"))
