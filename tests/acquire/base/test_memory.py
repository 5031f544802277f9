"""What a process says of its memory is its own."""

import subprocess
import sys

from repository import BIN

PEAK = "import sys; sys.path.insert(0, sys.argv[1]); from idrstream.base import memory; print(memory.peak())"


def peak(before=""):
    return int(subprocess.run([sys.executable, "-c", before + PEAK, BIN], stdout=-1, check=True).stdout)


def test_a_process_tells_the_most_that_it_had_and_nothing_of_the_one_that_started_it():
    held = bytearray(b"\1") * 300_000_000
    small, large = peak(), peak("held = bytearray(b'\\1') * 200_000_000; del held; ")
    assert len(held) > small and 200_000_000 < large < 250_000_000
