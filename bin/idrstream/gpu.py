"""What a GPU did for a task, and what to do when its memory does not suffice. Standard library."""

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, nullcontext

from idrstream.task import MayHeal

ASKED = "name,memory.total,memory.used,utilization.gpu"  # of nvidia-smi; MiB and percent


@contextmanager
def watched(name, on_gpu):
    """Context: yields a dict that says, once the block has ended, what it was computed on.

    name     in words, where nvidia-smi cannot tell
    on_gpu   whether that is a GPU: the one of this task, asked every second
    yields   {"name"}; of a GPU also "memory" and "peak_memory" (MiB, whosever it is), "utilisation" (mean, percent)
    """
    facts = {"name": name}
    if not on_gpu:
        yield facts
        return
    mine = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    ask = ["nvidia-smi", f"--id={mine}", f"--query-gpu={ASKED}", "--format=csv,noheader,nounits", "--loop=1"]
    with tempfile.TemporaryFile("w+") as said:
        try:
            watch = subprocess.Popen(ask, stdout=said, stderr=subprocess.DEVNULL)
        except OSError:  # a container may have the driver's libraries and not its programs
            yield facts
            return
        try:
            yield facts
        finally:
            watch.terminate()
            watch.wait()
        said.seek(0)
        facts |= _facts(said.read())


def _facts(text):
    lines = [line.split(", ") for line in text.splitlines()]
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


class AtOnce:
    """How many tiles or crops a network is given at once: half as many from when the GPU's memory does not hold them.

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
        """``compute(size)``; if memory runs out, for the first time, once more with half of the size, said on stderr.

        Raises MayHeal if it runs out again: another program may have the rest of the GPU.
        """
        with self._turn:
            return self._computed(compute)

    def _computed(self, compute):
        while True:
            try:
                return compute(self.size)
            except self._error as error:
                if self.size < self._usual or self.size == 1:
                    why = f"the GPU's memory does not hold {self.size} {self._what} at once ({error})"
                    raise MayHeal(why) from error
            self.size //= 2
            print(f"the GPU's memory ran out: {self.size} {self._what} at once from now on", file=sys.stderr)
