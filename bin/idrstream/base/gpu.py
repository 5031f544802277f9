"""What a GPU did for a task, and what to do when its memory does not suffice. Standard library."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext

from idrstream.base import processes
from idrstream.base.task import TransientError

QUERY = "name,memory.total,memory.used,utilization.gpu"  # of nvidia-smi; MiB and percent
EVERY_S = 2  # seconds between two looks at the GPU
SMALLEST = 8  # what of the usual number of tiles or crops is still computed, one in so many
PATIENCE_S = 10  # seconds; an nvidia-smi that takes longer hangs, with the driver


@contextmanager
def watched(name, on_gpu):
    """Context: yields a dict that says, once the block has ended, what it was computed on.

    name     in words, where nvidia-smi cannot tell
    on_gpu   whether that is a GPU: the one of this task, looked at every two seconds and at the end
    yields   {"name"}; of a GPU also "memory" and "peak_memory" (MiB, whosever it is), "utilisation" (mean, percent)
    """
    facts, lines, ended = {"name": name}, [], threading.Event()
    watch = threading.Thread(target=_watch, args=(lines, ended), daemon=True)
    if on_gpu:
        watch.start()
    try:
        yield facts
    finally:
        ended.set()
        if on_gpu:
            watch.join()
    facts |= _facts(lines)


def _watch(lines, ended):
    """Append to LINES what nvidia-smi says, until ENDED, and once after that.

    A new nvidia-smi each time: one that goes on by itself would have to be ended by a task that may have been killed.
    """
    device = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    query = ["nvidia-smi", f"--id={device}", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    last = False
    while not last:
        last = ended.wait(EVERY_S)
        try:
            answer = subprocess.run(processes.tied(query), capture_output=True, text=True, timeout=PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired):
            return
        if answer.returncode:  # a container may have the driver's libraries and not its programs
            return
        lines += answer.stdout.splitlines()


def _facts(lines):
    lines = [line.split(", ") for line in lines]
    lines = [line for line in lines if len(line) == 4 and all(cell.isdigit() for cell in line[1:])]  # or [N/A]
    if not lines:
        return {}
    names, total, used, busy = zip(*lines, strict=True)
    used, busy = [int(cell) for cell in used], [int(cell) for cell in busy]
    return {
        "name": names[0],
        "memory": int(total[0]),
        "peak_memory": max(used),
        "utilisation": round(sum(busy) / len(busy)),
    }


class BatchSize:
    """How many tiles or crops a network is given at once: half as many each time the GPU's memory does not hold them.

    size   how many to begin with, then how many there are
    what   what they are, in the plural
    error  the exception that says that memory ran out
    alone  one thread computes at a time, as memory is bounded by; a processor's threads do beside each other
    """

    def __init__(self, size, what, error, alone=True):
        self.size, self._usual = size, size
        self._what, self._error = what, error
        self._turn = threading.Lock() if alone else nullcontext()

    def __call__(self, compute):
        """``compute(size)``; if memory runs out, again with half of the size, said on stderr.

        Raises TransientError below an eighth of the usual size: another program may have the rest of the GPU.
        """
        with self._turn:
            return self._computed(compute)

    def _computed(self, compute):
        while True:
            try:
                return compute(self.size)
            except self._error as error:
                if self.size <= max(1, self._usual // SMALLEST):
                    why = f"the GPU's memory does not hold {self.size} {self._what} at once ({error})"
                    raise TransientError(why) from error
            self.size //= 2
            print(f"the GPU's memory ran out: {self.size} {self._what} at once from now on", file=sys.stderr)
