"""Memory that this process has taken. Standard library only."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak():
    """Bytes that this process has had in memory at most since its program began.

    On Linux not `ru_maxrss`, which a program takes over from the process that started it.
    """
    if STATUS.exists():
        return 1024 * int(STATUS.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
