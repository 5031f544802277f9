"""BaSiC for benchmarks that run in another environment than its own."""

import io
import os
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# Pairs, because NumPy takes a plain pipe for a file and asks it for a position.
LOOP = """
import io, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from idrstream.screen import illumination
pipes = io.BufferedRWPair(open(0, "rb", 0), open(1, "wb", 0))
while pipes.peek(1):
    frames, offset = (np.lib.format.read_array(pipes) for _ in range(2))
    field = illumination.of_plate(frames, offset).field if sys.argv[2] == "plate" else illumination.fit(frames, offset)
    np.lib.format.write_array(pipes, field)
    pipes.flush()
"""


class Fitter:
    """A process in the environment `illumination`, which ends with its caller. Call it with frames for their field.

    kind     "frames": illumination.fit; "plate": illumination.of_plate
    threads  of torch
    """

    def __init__(self, kind, threads=1):
        command = [ROOT / ".venvs/illumination/bin/python", "-c", LOOP, ROOT / "bin", kind]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, env=environment)
        self._pipes = io.BufferedRWPair(process.stdout, process.stdin)

    def __call__(self, frames, offset=0.0):
        """(Y, X) float32 of mean 1, of frames (n, Y, X) in grey levels."""
        for array in np.stack(frames), np.float64(offset):
            np.lib.format.write_array(self._pipes, np.asarray(array))
        self._pipes.flush()
        return np.lib.format.read_array(self._pipes)
