"""A command that is ended leaves nothing behind: no process, however it is ended, and no half-made folder if it can."""

import os
import re
import signal
import subprocess
import sys

import pytest

from ascp import USER, StandIn
from idrstream.base import files
from killed import end
from repository import BIN
from support import needs_java

ON_A_GPU = """
import sys
from pathlib import Path
import click
from idrstream.base import gpu, task
from idrstream.readers import bioformats

@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@task.whole("folder")
def main(folder):
    folder.mkdir()
    if "java" in sys.argv[0]:
        bioformats.java()
    for _ in task.in_threads(lambda number: write(folder, number), range(2), 2):
        pass

def write(folder, number):
    with gpu.watched("a GPU", on_gpu=True):
        while True:
            (folder / f"{number}.bin").write_bytes(bytes(1000))

main()
"""
ENDS = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """The program, in a mood in which it hangs."""
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexec sleep 60\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "asked"


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("beside", ["nothing", pytest.param("java", marks=needs_java)])
def test_a_task_on_a_gpu_leaves_no_process_and_told_to_end_no_folder(number, beside, nvidia_smi, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(BIN))
    (tmp_path / f"{beside}.py").write_text(ON_A_GPU)
    (tmp_path / "work").mkdir()
    command = [sys.executable, tmp_path / f"{beside}.py", tmp_path / "work/labels"]
    assert end(command, number, nvidia_smi.exists) == (143 if number == signal.SIGTERM else -number, {})
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["labels"] * (number == signal.SIGKILL)


@pytest.mark.parametrize("number", ENDS)
def test_a_fetch_leaves_no_ascp_and_told_to_end_no_folder(number, tmp_path):
    program = StandIn(tmp_path)
    program.is_in_the_mood("hangs")
    wanted = {
        "key": "P_A01_s1_f1",
        "plate": "P",
        "well": "A01",
        "site": 1,
        "frame": 1,
        "locations": [f"{USER}/movie.bin"],
    }
    files.write_json(tmp_path / "batch.json", {"images": [wanted], "source": None, "root": None})
    command = [sys.executable, BIN / "screen_fetch.py", tmp_path / "batch.json", tmp_path / "frames"]
    command += ["--ascp", tmp_path / "ascp", "--aspera_key", tmp_path / "a key"]
    assert end(command, number, lambda: program.calls) == (143 if number == signal.SIGTERM else -number, {})
    assert (tmp_path / "frames").exists() == (number == signal.SIGKILL)


def test_every_program_that_a_command_starts_is_tied_to_it():
    calls = [call for path in BIN.rglob("*.py") for call in re.findall(r"subprocess\.\w+\(\s*(.*)", path.read_text())]
    assert len(calls) >= 4 and [call for call in calls if not call.startswith("processes.tied(")] == []


def test_a_thread_that_ends_while_the_children_are_counted_does_not_keep_the_folder(tmp_path):
    script = """if True:
        import os, signal, sys, time
        from pathlib import Path
        from idrstream.base.processes import undone_by_sigterm

        glob = Path.glob
        Path.glob = lambda folder, pattern: [folder / "0/children", *glob(folder, pattern)]  # 0 has ended
        with undone_by_sigterm(sys.argv[1]):
            os.mkdir(sys.argv[1])
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
            except Exception:
                pass
    """
    ended = subprocess.run([sys.executable, "-c", script, tmp_path / "out"], env=os.environ | {"PYTHONPATH": str(BIN)})
    assert (ended.returncode, list(tmp_path.iterdir())) == (143, [])
