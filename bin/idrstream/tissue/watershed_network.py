"""A network for deep watershed, out of an ONNX file, as a function: OpenVINO on a processor, ONNX Runtime on a GPU."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from idrstream.base import graph, onnx_files, task
from idrstream.base.task import TransientError, UserError
from idrstream.cells import heads

# Convolutions in float32, and by an algorithm that does not depend on what else the GPU is doing.
CUDA = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
GPU_ONLY = "session.disable_cpu_ep_fallback"  # else the processor computes what the GPU cannot
# What ONNX Runtime says where a GPU cannot compute all of a network, and where its memory does not suffice.
NOT_ALL = "fallback to CPU EP has been explicitly disabled"
NO_MEMORY = "out of memory", "Failed to allocate memory", "ALLOC_FAILED", "ALLOCATION_FAILED"


class Network(NamedTuple):
    """A network, ready to be shown tiles.

    compute  function of (n, channels, tile, tile) float32 to (n, 2 * layers, tile, tile): of each layer the distance
             to an object's border, and its interior
    layers   tuple of heads.LAYERS
    tile     pixels a side
    threads  that may call it at a time
    device   in words
    on_gpu   whether that is a GPU
    """

    compute: Callable
    layers: tuple
    tile: int
    threads: int = 1
    device: str = "cpu"
    on_gpu: bool = False


def load(path, require_gpu=False, threads=1):
    """The Network of an ONNX file, on a GPU if there is one.

    Raises UserError, TransientError where the GPU's memory does not suffice, and what task.device does.
    """
    try:
        stated, device = heads.describe(path), task.device(require_gpu)
        on_gpu, sides = device != "cpu", (stated.tile, stated.tile)
        shape = (1, *sides, stated.channels) if stated.last else (1, stated.channels, *sides)
        run, outputs = _on_gpu(path, shape) if on_gpu else _on_processor(path, shape, threads)
        heads.check(outputs, stated.last, stated.tile)
    except heads.NoNetwork as fault:
        raise UserError(f"{path}: {fault}.") from fault
    words = task.device_name(device, threads)
    return Network(_maps(run, stated.last), stated.layers, stated.tile, 1 if on_gpu else threads, words, on_gpu)


def _on_processor(path, shape, threads):
    """(function of one array of SHAPE to a list, onnx_files.Array of each)."""
    try:
        run, shapes = graph.of_file(path, shape, threads)
    except RuntimeError as error:
        words = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise heads.NoNetwork(f"OpenVINO cannot compute it ({words[-1]})") from error
    return run, [_array(str(place), shape) for place, shape in enumerate(shapes, 1)]


def _on_gpu(path, shape):
    """The same by ONNX Runtime, whose outputs have the shapes of its answer to zeros."""
    try:
        import onnxruntime
    except ImportError as error:
        missing = "ONNX Runtime, which computes networks for deep watershed on a GPU, is not installed"
        raise UserError(f"{missing}: {task.REBUILD}") from error
    onnxruntime.preload_dlls()  # CUDA's, which came with PyTorch
    session = _session(onnxruntime, path)
    if "CUDAExecutionProvider" not in session.get_providers():  # it would compute on the processor
        raise UserError("there is a GPU, and ONNX Runtime cannot load CUDA for it; why stands above")
    (given,) = session.get_inputs()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(GPU_ONLY, "1")
    for name, length in zip(given.shape, shape, strict=True):
        if isinstance(name, str):  # any length: arithmetic on shapes, which runs on the processor, becomes constants
            options.add_free_dimension_override_by_name(name, length)
    session = _session(onnxruntime, path, options)

    def run(array):
        with _errors_of_onnx_runtime():
            return session.run(None, {given.name: array})

    answers = run(np.zeros(shape, np.float32))
    return run, [
        _array(output.name, answer.shape) for output, answer in zip(session.get_outputs(), answers, strict=True)
    ]


def _session(onnxruntime, path, options=None):
    with _errors_of_onnx_runtime():
        return onnxruntime.InferenceSession(str(path), options, providers=[("CUDAExecutionProvider", CUDA)])


@contextmanager
def _errors_of_onnx_runtime():
    """Context: they become NoNetwork, or TransientError where the GPU's memory does not suffice."""
    try:
        yield
    except MemoryError:  # the machine's
        raise
    except Exception as error:  # they have no other class in common
        words = " ".join(str(error).split())
        if any(sign in words for sign in NO_MEMORY):
            raise TransientError(f"the GPU's memory does not hold the network and a tile of it ({words})") from error
        if NOT_ALL in words:
            why = "a GPU cannot compute all of it by ONNX Runtime; export it in 32-bit floats, with fixed sides"
            raise heads.NoNetwork(why) from error
        raise heads.NoNetwork(f"ONNX Runtime cannot compute it ({words})") from error


def _array(name, sides):
    return onnx_files.Array(name, onnx_files.FLOAT32, sides)


def _maps(run, last):
    """A function of (n, channels, Y, X) float32 to (n, outputs, Y, X): of classes the second."""

    def compute(tiles):
        given = np.ascontiguousarray(np.moveaxis(tiles, 1, 3) if last else tiles)
        answers = [np.moveaxis(answer, 3, 1) if last else answer for answer in run(given)]
        return np.stack([answer[:, 0 if answer.shape[1] == 1 else 1] for answer in answers], axis=1)

    return compute
