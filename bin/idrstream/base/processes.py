"""Programs and workers that a command starts, none of which outlives it. Standard library.

Run as a script, `processes.py PID PROGRAM ...` becomes that program, tied to the process PID that started it.
"""

import ctypes
import os
import shutil
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
PYTHON = sys.executable
NO_PROGRAM = 127  # exit code of a shell that cannot run a program


def tied(command):
    """COMMAND (a list of words) as one that the kernel kills as soon as this process ends; unchanged outside Linux.

    The thread that starts it must wait for it, because the kernel acts when that thread ends. A program that cannot be
    run ends with 127 and a message on stderr. (Python's own way, `preexec_fn`, may hang where there are threads.)
    """
    return [PYTHON, "-I", "-S", __file__, str(os.getpid()), *command] if sys.platform == "linux" else command


def tie(parent):
    """Have the kernel kill this process as soon as PARENT, the process that started it, ends; on Linux only."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked worker would clean up after its parent
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended meanwhile
            os._exit(128 + signal.SIGKILL)


@contextmanager
def undone_by_sigterm(folder):
    """Context: SIGTERM (scheduler, Nextflow, `kill`) ends this process and its children at once, and deletes FOLDER.

    Not by an exception: a pool would first wait for its threads, and a library may catch it.
    """

    def end(number, _frame):
        try:
            signal.signal(number, signal.SIG_IGN)
            for child in _children():
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
            half = Path(folder).with_name(f".{Path(folder).name}.half")
            with suppress(OSError):
                os.rename(folder, half)  # so that no thread writes to it meanwhile
            for path in half, folder:
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os._exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _children():
    """Processes that this one has started and not waited for; empty if the system does not tell."""
    pids = []
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended meanwhile
            pids += map(int, children.read_text().split())
    return pids


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)
        sys.exit(NO_PROGRAM)
