"""What a task of a slide keeps in memory does not grow with the slide."""

import json
import subprocess
import sys

import pytest

from repository import ROOT

TASK = """
import json, sys
from pathlib import Path
import numpy as np
import slides
from idrstream.base import memory
from idrstream.cells import masks
from idrstream.tissue import arrays, foreground, levels, prediction, steps, tiles

folder, shape, side = Path(sys.argv[1]), (int(sys.argv[2]),) * 2, 256
whole = tiles.Box(0, shape[0], 0, shape[1])
every = tiles.grid(whole, side)
for tile in every:
    steps.predict(folder, slides.endless, tile, shape, 100)
steps.seeds(folder / "nuclei.npz", [folder], shape)
nuclei = arrays.read(folder / "nuclei.npz", masks.Nuclei)
pixels = foreground.Foreground([folder], shape, side)
for tile in every:
    steps.label(folder, pixels, tile, nuclei, masks.Limits())
numbers = steps.number(folder, [folder], nuclei, 15)
seen = [lambda box: slides.endless(box)[2]]
field = prediction.Field(lambda given: np.repeat(given, 3, axis=1), 1, seen, shape, 0.8)
for tile in every[:: len(every) // 9]:
    field(tile)
levels.levels(lambda box: slides.endless(box)[2], shape, np.float32).quantile(0.5)
print(json.dumps([memory.peak() / 1e6, int(numbers.labels.max()), int(numbers.uncertified)]))
"""


def run(folder, side):
    """(peak MB, nuclei, uncertified ones) of every step of a slide of SIDE pixels each way, in one process."""
    command = [sys.executable, "-c", TASK, folder, str(side)]
    paths = f"{ROOT}/bin:{ROOT}/tests"
    done = subprocess.run(command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("small, large", [(1024, 3072), pytest.param(1024, 8192, marks=pytest.mark.full)])
def test_memory_does_not_grow_with_the_slide(small, large, tmp_path):
    """Nine times the pixels; flows of all of them would be 113 MB, two fifths of the whole."""
    before, few, _ = run(tmp_path / "small", small)
    after, many, uncertified = run(tmp_path / "large", large)
    assert many > 8 * few and uncertified == 0
    assert after < 1.1 * before


FREED = """
from pathlib import Path
import numpy as np
from idrstream.base import task

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

task.device(False)
start = resident()
for size in 1 << 24, 1 << 27:
    array = np.ones(size, np.uint8)
    del array
    print(resident() - start)
"""


def test_freed_windows_of_slides_are_returned_to_the_system_and_layers_of_networks_are_kept():
    """Kept windows would leave holes that a slightly larger one does not fit into: a quarter of a gigabyte a task."""
    command, paths = [sys.executable, "-c", FREED], f"{ROOT}/bin"
    done = subprocess.run(command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    layers, windows = map(int, done.stdout.split())
    assert layers > 12 << 20 and windows < 64 << 20
