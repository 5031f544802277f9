"""Programs and workers that a command starts: none outlives it, however it ends. Standard library.

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
NO_PROGRAM = 127  # a shell's exit code for it


def tied(command):
    """COMMAND (a list of words) as one that the kernel kills as soon as this process ends; as it is where not on Linux.

    The thread that starts it has to wait for it, as it is that thread's end that the kernel looks at. A program that
    cannot be run ends with 127, and says why on stderr. (Python's own way, `preexec_fn`, may hang where there are
    threads.)
    """
    return [PYTHON, "-I", "-S", __file__, str(os.getpid()), *command] if sys.platform == "linux" else command


def tie(parent):
    """Have the kernel kill this process as soon as the process PARENT, which started it, ends; Linux alone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked worker would clean up after its parent
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended meanwhile
            os._exit(128 + signal.SIGKILL)


@contextmanager
def undone_by_sigterm(folder):
    """Context: SIGTERM (of a scheduler, Nextflow, `kill`) ends this process, what it has started, and FOLDER, at once.

    Not by an exception: a pool would first wait for its threads, and an `except` of some library may swallow it.
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
                os.rename(folder, half)  # so that no thread writes to it while it goes
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
    """Processes that this one has started and not waited for; none where the system does not tell."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has ended meanwhile
            found += map(int, children.read_text().split())
    return found


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)
        sys.exit(NO_PROGRAM)
