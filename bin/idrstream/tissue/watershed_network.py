"""A network for deep watershed, out of an ONNX file, as a function: OpenVINO on a processor, ONNX Runtime on a GPU."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from idrstream.base import graph, onnx_files, task
from idrstream.base.task import UserError
from idrstream.cells import heads

# Convolutions in float32, and by an algorithm that does not depend on what else the GPU is doing.
CUDA = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


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
    """The Network of an ONNX file, on a GPU if there is one. Raises UserError, and what task.device does."""
    try:
        stated, device = heads.describe(path), task.device(require_gpu)
        on_gpu = device != "cpu"
        run, outputs = _on_gpu(path) if on_gpu else _on_processor(path, stated, threads)
        heads.check(outputs, stated.last, stated.tile)
    except heads.NoNetwork as fault:
        raise UserError(f"{path}: {fault}.") from fault
    words = task.device_name(device, threads)
    return Network(_maps(run, stated.last), stated.layers, stated.tile, 1 if on_gpu else threads, words, on_gpu)


def _on_processor(path, stated, threads):
    """(function of one array to a list, onnx_files.Array of each)."""
    sides = stated.tile, stated.tile
    shape = (1, *sides, stated.channels) if stated.last else (1, stated.channels, *sides)
    try:
        run, shapes = graph.of_file(path, shape, threads)
    except RuntimeError as error:
        words = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise heads.NoNetwork(f"OpenVINO cannot compute it ({words[-1]})") from error
    return run, [onnx_files.Array(str(place), onnx_files.FLOAT32, shape) for place, shape in enumerate(shapes, 1)]


def _on_gpu(path):
    """The same by ONNX Runtime."""
    try:
        import onnxruntime
    except ImportError as error:
        missing = "ONNX Runtime, which computes networks for deep watershed on a GPU, is not installed"
        raise UserError(f"{missing}: {task.REBUILD}") from error
    onnxruntime.preload_dlls()  # CUDA's, which came with PyTorch
    session = onnxruntime.InferenceSession(str(path), providers=[("CUDAExecutionProvider", CUDA)])
    if "CUDAExecutionProvider" not in session.get_providers():  # it would compute on the processor
        raise UserError("there is a GPU, and ONNX Runtime cannot load CUDA for it; why stands above")
    (given,) = session.get_inputs()
    return lambda array: session.run(None, {given.name: array}), []


def _maps(run, last):
    """A function of (n, channels, Y, X) float32 to (n, outputs, Y, X): of classes the second."""

    def compute(tiles):
        given = np.ascontiguousarray(np.moveaxis(tiles, 1, 3) if last else tiles)
        answers = [np.moveaxis(answer, 3, 1) if last else answer for answer in run(given)]
        return np.stack([answer[:, 0 if answer.shape[1] == 1 else 1] for answer in answers], axis=1)

    return compute
