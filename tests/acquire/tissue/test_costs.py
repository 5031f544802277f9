"""What a slide's steps cost is measured, not guessed."""

import subprocess
import sys
from pathlib import Path

import pytest

from idrstream.base import files
from idrstream.tissue import costs

BIN = Path(costs.__file__).parents[2]


def test_time_processor_and_memory_of_a_step_are_those_of_its_process(tmp_path):
    work = "import sys; from idrstream.tissue import costs\nwith costs.measured(sys.argv[1], 'predict', 5_000_000):\n"
    work += "    kept = bytearray(300_000_000)\n    sum(range(3_000_000))\n"
    subprocess.run([sys.executable, "-c", work, tmp_path / "a.json"], env={"PYTHONPATH": str(BIN)}, check=True)
    found = files.read_json(tmp_path / "a.json")
    assert (found["step"], found["tasks"], found["pixels"]) == ("predict", 1, 5_000_000)
    assert 300 < found["peak_rss_mb"] < 400
    assert found["cpu_seconds"] > 0 and found["seconds"] > 0


def test_a_step_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), costs.measured(tmp_path / "a.json", "label", 1):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_the_tasks_of_a_step_are_added_up():
    tasks = [
        {"step": "predict", "tasks": 1, "pixels": 4_000_000, "seconds": 2.0, "cpu_seconds": 4.0, "peak_rss_mb": 900.0},
        {"step": "label", "tasks": 1, "pixels": 5_000_000, "seconds": 1.0, "cpu_seconds": 1.0, "peak_rss_mb": 300.0},
        {"step": "predict", "tasks": 1, "pixels": 1_000_000, "seconds": 1.5, "cpu_seconds": 2.0, "peak_rss_mb": 950.0},
    ]
    predict, label = costs.together(tasks)
    assert predict == {
        "step": "predict",
        "tasks": 2,
        "pixels": 5_000_000,
        "seconds": 3.5,
        "cpu_seconds": 6.0,
        "cpu_seconds_per_mpx": 1.2,
        "peak_rss_mb": 950.0,
    }
    assert (label["step"], label["cpu_seconds_per_mpx"]) == ("label", 0.2)
