"""The head process killed at any moment: nothing lost, nothing repeated. `pytest -rP` prints a line a kill."""

import random
import re
import shutil
import time
from collections import Counter

import pytest
from runs import ROOT
from streams import Stream

from make_screen import make_screen


def killed_and_taken_up(stream, tasks, seconds=0.0, resume=True, **env):
    """Kill a run some seconds after so many tasks began, and run it again; without resume from its results alone."""
    stream.start("--max_inflight", 2, "--batch_size", 2, **env).wait_for(" (b", tasks)
    time.sleep(seconds)
    stream.kill()
    finished = stream.committed
    for path in stream.out.rglob("*.parquet"):
        assert path.read_bytes().endswith(b"PAR1"), "half of a file under a final name"
    if not resume:
        shutil.rmtree(stream.folder / "work")
        shutil.rmtree(stream.folder / ".nextflow")
    run = stream.run("--batch_size", 2, *(["-resume"] if resume else []))
    assert run.code == 0, run.said
    assert finished.items() <= run.committed.items()
    assert not list(run.out.rglob("*.part"))
    again = Counter(re.findall(r"Submitted process > [\w:]*:(\w+) \(b", run.said))
    assert again["COMMIT"] == len(run.committed) - len(finished)
    how = "-resume" if resume else "no work folder"
    print(f"| {tasks} tasks and {seconds:.1f} s | {how} | {len(finished)} of {len(run.committed)} batches |", end=" ")
    print(", ".join(f"{name} {count}" for name, count in again.items()), end=" |\n")


# Beyond the third: for `make test-full`.
@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 20))])
def test_what_was_finished_is_kept_and_the_bytes_are_those_of_a_run_that_nothing_disturbed(seed, stream, whole):
    moment = random.Random(seed)
    tasks, seconds = moment.randint(1, 18), moment.uniform(0, 1)
    killed_and_taken_up(stream, tasks, seconds, resume=seed % 4 > 0, SECONDS="0.3")
    assert stream.cells == whole.cells


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A screen for the real networks, and what a run that nothing disturbed makes of it."""
    folder = tmp_path_factory.mktemp("real")
    make_screen(folder, plates=["DM0001_01"], wells=range(1, 7), frames=1, shape=(512, 672))
    run = Stream(ROOT, folder, folder / "whole").run()
    assert run.code == 0, run.said
    return folder, run.cells


@pytest.mark.full
@pytest.mark.parametrize("tasks", [2, 6, 12])
def test_so_it_is_with_the_real_networks(tasks, real, tmp_path):
    screen, cells = real
    stream = Stream(ROOT, screen, tmp_path / "run")
    killed_and_taken_up(stream, tasks, seconds=3)
    assert stream.cells == cells
