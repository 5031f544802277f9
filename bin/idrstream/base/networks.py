"""A torch network, made ready for the device it is to compute on.

On a processor that is OpenVINO, which computes in one pass over the maps what takes torch several: half the time, with
differences in the sixth digit. It is given no more than the network's graph, and sends nothing to anybody: the package
that would, openvino-telemetry, is not installed.
"""

import threading
import warnings
from functools import lru_cache, partial

import torch

SHAPES = 8  # of arrays for which a network is kept compiled; it takes a second


def layout(device):
    """How a network with depthwise convolutions, and what it is given, lie in the memory of a torch device.

    A GPU's "channels last" ones torch leaves to cuDNN, whose depthwise convolutions in float32 are slow; of the other
    layout it has its own.
    """
    return torch.contiguous_format if device.type == "cuda" else torch.channels_last


def ready(network, device, threads=1, layout=torch.channels_last):
    """NETWORK (a function of one tensor to one) as a function of one float32 array to another.

    device   a torch device, where the network's weights are
    threads  of a processor: how many may call at a time, each computed by one thread
    layout   of the arrays, on a GPU: torch.channels_last or torch.contiguous_format
    """
    if device.type != "cpu":
        return by_torch(network, device, layout)
    one_at_a_time = threading.Lock()
    of_shape = lru_cache(SHAPES)(partial(compiled, network, threads))

    def compute(array):
        with one_at_a_time:
            made = of_shape(array.shape)
        return made(array)

    return compute


def by_torch(network, device, layout=torch.channels_last):
    """NETWORK as a function of arrays that lie as LAYOUT says, computed by torch, in float32 on a GPU too."""
    if device.type == "cuda":
        _compute_exactly()

    def compute(array):
        with torch.inference_mode():
            given = torch.from_numpy(array).to(device).contiguous(memory_format=layout)
            return network(given).cpu().numpy()

    return compute


def _compute_exactly():
    """Have GPUs of all kinds compute in float32, and each alike at every run.

    Left alone, cuDNN rounds what it multiplies to TF32 (10 bits of float32's 23) on the GPUs that have it, which moves
    the borders of nuclei; and it may take sums in any order.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def compiled(network, threads, shape):
    """NETWORK as a function of arrays of SHAPE, computed by this processor in float32, whatever else it offers."""
    import openvino  # here, for on a GPU there is no need of it
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is to be replaced one day; and Python's numbers of SHAPE are meant
        decoder = TorchScriptPythonDecoder(torch.jit.trace(network, torch.zeros(shape), check_trace=False))
    frontend = FrontEndManager().load_by_framework("pytorch")
    graph = frontend.load(decoder)
    graph.set_partial_shape(graph.get_inputs()[0], openvino.PartialShape(list(shape)))
    model = frontend.convert(graph)
    model.reshape(list(shape))
    settings = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    settings["ENABLE_CPU_PINNING"] = False  # tasks beside this one would be pinned to the same cores
    made = openvino.Core().compile_model(model, "CPU", settings)
    of_thread = threading.local()

    def compute(array):
        if not hasattr(of_thread, "request"):
            of_thread.request = made.create_infer_request()
        return of_thread.request.infer([array])[0].copy()  # the next call would write over it

    return compute
