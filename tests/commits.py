"""What tests of an output folder share: plans made again, what was committed, deaths at any step and full disks."""

import resource
import signal
from contextlib import contextmanager, suppress
from itertools import count

from planning import planned

GATE = {"lost": {}, "stopped": False, "inflight": 0}


def plan_again(here, note="", **changed):
    made = planned(here, **changed)
    made.note = note
    return made


def tables_in(here):
    return sorted(path.name for path in (here / "out/profiles").rglob("*.parquet*"))


@contextmanager
def killed(monkeypatch, step, survived):
    """Die at the call of STEP (`module.function`) after so many that were survived; whoever dies is not heard of."""
    module, name = step.split(".")
    real, calls = getattr(__import__(module), name), count()

    def dies(*arguments, **options):
        if next(calls) >= survived:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(step, dies)
        yield


@contextmanager
def full_disk(size):
    """No file may grow above SIZE bytes."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
