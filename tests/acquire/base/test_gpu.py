"""What is said of a GPU, and what becomes of work that it does not hold. No GPU is needed to see it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from idrstream.base import gpu
from idrstream.base.task import TransientError


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """The program, saying the next of the lines that it is given each time it is asked; then it knows no answer."""

    def say(*lines):
        for number, line in enumerate(lines, 1):
            (tmp_path / f"line{number}").write_text(line + "\n")
        script = f"""#!/bin/sh
            cd {tmp_path}
            echo "$@" >>asked
            cat line$(wc -l <asked)
        """
        (tmp_path / "nvidia-smi").write_text(script)
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(gpu, "EVERY_S", 0.01)
        return tmp_path / "asked"

    return say


def watched(asked, times):
    with gpu.watched("a GPU", on_gpu=True) as used:
        while not asked.exists() or asked.read_text().count("\n") < times:
            time.sleep(0.01)
    return used


def test_a_gpu_is_watched_while_it_works(nvidia_smi, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    asked = nvidia_smi("NVIDIA H200, 143771, 900, 0", "NVIDIA H200, 143771, 2100, 90", "NVIDIA H200, 143771, 1500, 30")
    facts = {"name": "NVIDIA H200", "memory": 143771, "peak_memory": 2100, "utilisation": 40}
    assert watched(asked, 4) == facts
    assert "--id=5 " in asked.read_text()


def test_a_gpu_that_tells_nothing_has_its_name(nvidia_smi):
    asked = nvidia_smi("NVIDIA A100 MIG 1g.5gb, [N/A], [N/A], [N/A]", "half a li")
    assert watched(asked, 3) == {"name": "a GPU"}


def test_a_task_shorter_than_the_time_between_two_looks_has_figures_too(nvidia_smi, monkeypatch):
    nvidia_smi("NVIDIA H200, 143771, 900, 70")
    monkeypatch.setattr(gpu, "EVERY_S", 60)
    with gpu.watched("a GPU", on_gpu=True) as used:
        pass
    assert used["peak_memory"] == 900 and used["utilisation"] == 70


def test_without_a_gpu_or_its_program_nobody_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for on_gpu in (False, True):
        with gpu.watched("something", on_gpu) as used:
            pass
        assert used == {"name": "something"}


def at_most(limit):
    def compute(count):
        if count > limit:
            raise MemoryError(f"{count} are too many")
        return count

    return compute


def test_memory_that_runs_out_halves_the_work_for_good(capsys):
    at_once = gpu.BatchSize(32, "tiles", MemoryError)
    assert [at_once(at_most(limit)) for limit in (32, 16, 32, 7)] == [32, 16, 16, 4]
    said = [f"the GPU's memory ran out: {count} tiles at once from now on\n" for count in (16, 8, 4)]
    assert capsys.readouterr().err == "".join(said)
    with pytest.raises(TransientError, match=r"does not hold 4 tiles at once \(4 are too many\)"):
        at_once(at_most(3))


def test_memory_for_less_than_an_eighth_and_other_errors_are_told():
    with pytest.raises(TransientError, match="does not hold 4 tiles"):
        gpu.BatchSize(32, "tiles", MemoryError)(at_most(3))
    with pytest.raises(ZeroDivisionError):
        gpu.BatchSize(8, "tiles", MemoryError)(lambda count: 1 / 0)


@pytest.mark.parametrize("alone, most", [(True, 1), (False, 2)])
def test_on_a_gpu_one_thread_computes_at_a_time(alone, most):
    at_once, inside, seen = gpu.BatchSize(8, "tiles", MemoryError, alone), [], []

    def compute(count):
        inside.append(count)
        time.sleep(0.05)
        seen.append(len(inside))
        inside.pop()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(at_once, [compute] * 4))
    assert max(seen) == most
