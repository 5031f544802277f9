"""Compiled loops are compiled once for all tasks, and work wherever their code can or cannot be kept."""

import json
import os
import subprocess
import sys

import pytest

from repository import BIN

KERNEL = """
from idrstream.base.kernels import kernel

@kernel("int64(int64)")
def twice(number):
    return 2 * number
"""
TASK = "import json, loops; print(json.dumps([loops.twice(21), sum(loops.twice.stats.cache_hits.values())]))"


@pytest.fixture
def task(tmp_path):
    """A function that starts a process with a kernel of a module of its own, with more environment."""
    (tmp_path / "loops.py").write_text(KERNEL)

    def start(**more):
        environment = os.environ | {"PYTHONPATH": f"{BIN}:{tmp_path}"} | more
        return subprocess.Popen([sys.executable, "-c", TASK], env=environment, stdout=subprocess.PIPE, text=True)

    return start


def answer(process):
    """(what the kernel returned, kernels that were taken from files) of a process that ended well."""
    printed, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


def test_the_next_task_takes_what_the_first_compiled(task, tmp_path):
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "code")}
    assert answer(task(**place)) == [42, 0]
    assert answer(task(**place)) == [42, 1]


def test_tasks_that_compile_at_once_leave_code_that_holds(task, tmp_path):
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "code")}
    assert [answer(process)[0] for process in [task(**place) for _ in range(3)]] == [42, 42, 42]
    assert answer(task(**place)) == [42, 1]
    assert not list(tmp_path.rglob("*.tmp.*"))


def test_code_that_can_be_kept_nowhere_is_compiled_by_each_task(task, tmp_path):
    for name in "file", "__pycache__":
        (tmp_path / name).touch()  # no folder can be made in its place
    nowhere = {"NUMBA_CACHE_DIR": str(tmp_path / "file"), "XDG_CACHE_HOME": str(tmp_path / "file")}
    nowhere |= {"HOME": str(tmp_path / "file"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert answer(task(**nowhere)) == [42, 0]
