"""Who has a GPU of this machine is said, and nobody can misuse the lock. No GPU is needed to see it."""

import fcntl
import os
import subprocess

import pytest

from repository import ROOT

LOCK = ROOT / "conf/gpu_lock.sh"


@pytest.fixture
def start(tmp_path):
    """Start a task that has a GPU, once it has, until its standard input ends; its output is a file."""
    begun = []

    def begin(name, devices="0"):
        (tmp_path / name).mkdir()
        script = f"source '{LOCK}'; echo has $CUDA_VISIBLE_DEVICES; read -r line || true"
        environment = os.environ | {"IDRSTREAM_LOCKS": str(tmp_path / "locks"), "CUDA_VISIBLE_DEVICES": devices}
        task = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path / name,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        begun.append(task)
        return task

    yield begin
    for task in begun:
        task.kill()
        task.wait()


def test_one_who_waits_is_told_which_task_has_the_gpu(start, tmp_path):
    one = start("one")
    assert one.stdout.readline() == "has 0\n"
    other = start("other")
    said = other.stdout.readline()
    assert said.startswith("waiting for a GPU: GPU 0 is held by ") and said.endswith(f" in {tmp_path}/one\n")
    assert f" {one.pid} bash " in said
    one.stdin.close()
    assert other.stdout.readline() == "has 0\n"


def test_one_who_holds_a_gpu_and_leaves_no_note_is_told_of_too(start, tmp_path):
    (tmp_path / "locks/0").mkdir(parents=True)
    (tmp_path / "locks/0.by-1").symlink_to("a[$(touch x)] nonsense")
    (tmp_path / "locks/0.by-2").symlink_to(f"{2**31} of a task that has ended")
    lock = os.open(tmp_path / "locks/0", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    said = start("one").stdout.readline()
    os.close(lock)
    assert said.startswith("waiting for a GPU: GPU 0 is held by somebody who left no note")
    assert os.listdir(tmp_path / "one") == []


@pytest.mark.parametrize("place", ["locks", "locks/0"])
def test_a_lock_is_not_made_through_somebody_elses_link(place, start, tmp_path):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "victim").mkdir()
    for target in "victim", "victim/profile":
        (tmp_path / place).unlink(missing_ok=True)
        (tmp_path / place).symlink_to(tmp_path / target)
        task = start(target.replace("/", "-") + "-task")
        assert task.wait() == 64
        assert f"{tmp_path}/{place} is no folder of everybody's" in task.stdout.read()
    assert os.listdir(tmp_path / "victim") == []


def test_a_note_is_not_written_through_somebody_elses_link(start, tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / f"locks/0.by-{os.getuid()}").symlink_to(tmp_path / "victim")
    assert start("one").stdout.readline() == "has 0\n"
    assert (tmp_path / "victim").read_text() == "precious"
