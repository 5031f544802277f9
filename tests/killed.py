"""Commands that are ended from outside, and what lives on."""

import os
import signal
import subprocess
import time
from pathlib import Path

GRACE_S = 1  # after which nothing of a command may live


def end(command, number, begun, env=None):
    """Start a command, wait until BEGUN() and send it the signal NUMBER.

    returns  its exit code, and the command lines of what it had started and still lives a second after its end
    """
    with subprocess.Popen([str(word) for word in command], start_new_session=True, env=env) as process:
        while not begun():
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.02)
        assert len(alive(process.pid)) > 1, "it has started nothing"
        os.kill(process.pid, number)
        status = process.wait()
    time.sleep(GRACE_S)
    living = alive(process.pid)
    for pid in living:
        os.kill(pid, signal.SIGKILL)
    return status, living


def alive(session):
    """Command lines of the processes of a session, by pid; without those that have ended and wait to be reaped."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended meanwhile
            continue
    return found
