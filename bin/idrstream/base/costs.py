"""What a task of a process of its own costs: time, processor, memory. Standard library only."""

import resource
import time
from contextlib import contextmanager

from idrstream.base import memory

MEGA = 1_000_000


@contextmanager
def measured():
    """Context: yields a dict that has "seconds" of the block, "cpu_seconds" and "peak_rss_mb" once that has ended.

    CPU seconds and memory are the process's, what starting it cost included. Of a block that fails it stays empty.
    """
    start, cost = time.monotonic(), {}
    yield cost
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost["seconds"] = round(time.monotonic() - start, 3)
    cost["cpu_seconds"] = round(used.ru_utime + used.ru_stime, 3)
    cost["peak_rss_mb"] = round(memory.peak() / MEGA, 1)
