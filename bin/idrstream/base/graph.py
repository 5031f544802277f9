"""Layers of networks as nodes of an OpenVINO graph, (n, channels, [Z,] Y, X) float32, and the graph compiled.

On a processor OpenVINO computes in one pass over the maps what PyTorch takes several for: half the time, with
differences in the sixth digit. It sends nothing to anybody: the package that would, openvino-telemetry, is not
installed.
"""

import threading
from functools import lru_cache, partial

import numpy as np
import openvino
from openvino import opset13 as op

SHAPES = 8  # of arrays for which a network is kept compiled; it takes a second


def pixels(shape):
    """The node of an input of SHAPE."""
    return op.parameter(list(shape), np.float32)


def sides(maps):
    """[Y, X] of a node, or [Z, Y, X]."""
    return list(maps.get_output_shape(0))[2:]


def conv(maps, weights, bias=None, step=1, padding=None, groups=1):
    """Convolution.

    weights  (outputs, inputs a group, [Z,] Y, X)
    bias     (outputs,)
    padding  (before, after) zeros of each axis; None: as many as keep the size at a step of 1
    """
    axes = weights.ndim - 2
    padding = padding or [(side // 2, side // 2) for side in weights.shape[2:]]
    before, after = zip(*padding, strict=True)
    how = {"strides": [step] * axes, "pads_begin": before, "pads_end": after, "dilations": [1] * axes}
    if groups > 1:
        weights = weights.reshape(groups, len(weights) // groups, *weights.shape[1:])
        maps = op.group_convolution(maps, _constant(weights), **how)
    else:
        maps = op.convolution(maps, _constant(weights), **how)
    return maps if bias is None else op.add(maps, _constant(bias.reshape(1, -1, *[1] * axes)))


def valid(maps, weights, bias=None):
    """Convolution without padding."""
    return conv(maps, weights, bias, padding=[(0, 0)] * (weights.ndim - 2))


def transposed(maps, weights, steps, cut):
    """Transposed convolution.

    weights  (inputs, outputs, [Z,] Y, X)
    steps    of each axis: by how much its sides grow
    cut      of each axis: how many pixels of the result are left out at either end
    """
    how = {"strides": list(steps), "pads_begin": list(cut), "pads_end": list(cut)}
    return op.convolution_backprop_data(maps, _constant(weights), **how)


def norm(maps, scale, shift, mean, variance, epsilon):
    """Batch-normalisation by stored figures, (channels,) each."""
    figures = map(_constant, (scale, shift, mean, variance))
    return op.batch_norm_inference(maps, *figures, epsilon=epsilon)


def relu(maps):
    return op.relu(maps)


def relu6(maps):
    return op.clamp(maps, 0.0, 6.0)


def silu(maps):
    return op.swish(maps)


def sigmoid(maps):
    return op.sigmoid(maps)


def add(maps, others):
    return op.add(maps, others)


def multiply(maps, others):
    return op.multiply(maps, others)


def halved(maps):
    """The highest of each 2 x 2 pixels."""
    return pooled(maps, (2, 2))


def pooled(maps, steps):
    """The highest of each box of pixels, STEPS along each axis."""
    steps, none = list(steps), [0] * len(steps)
    return op.max_pool(maps, steps, [1] * len(steps), none, none, steps, "floor").output(0)


def doubled(maps):
    """Each pixel four times."""
    how = {"shape_calculation_mode": "scales", "coordinate_transformation_mode": "asymmetric"}
    scales, axes = np.array([2, 2], np.float32), np.array([2, 3], np.int64)
    return op.interpolate(maps, _constant(scales), "nearest", axes=_constant(axes), nearest_mode="floor", **how)


def centred(maps, shape):
    """The middle of the maps, SHAPE."""
    begin = [(side - size) // 2 for side, size in zip(sides(maps), shape, strict=True)]
    end = [first + size for first, size in zip(begin, shape, strict=True)]
    axes = range(2, 2 + len(shape))
    begin, end, step, axes = (np.array(values, np.int64) for values in (begin, end, [1] * len(begin), axes))
    return op.slice(maps, *map(_constant, (begin, end, step, axes)))


def mean(maps, keep=False):
    """The mean over y and x: (n, channels), or (n, channels, 1, 1) to KEEP the axes."""
    return op.reduce_mean(maps, _constant(np.array([2, 3], np.int64)), keep)


def pooled_mean(maps):
    """(n, channels), the mean by pooling, which adds up in another order than `mean`."""
    maps = op.avg_pool(maps, [1, 1], [0, 0], [0, 0], sides(maps), False)
    return op.squeeze(maps, _constant(np.array([2, 3], np.int64)))


def unit_length(vectors):
    """(n, k) divided by their length."""
    squares = op.power(vectors, _constant(np.float32(2)))
    length = op.power(op.reduce_sum(squares, _constant(np.array([1], np.int64)), True), _constant(np.float32(0.5)))
    divided = op.divide(vectors, length)
    divided.get_rt_info()["nonconvertable_divide_0"] = True  # else by 1 / length, which moves the last bit
    return divided


def linear(vectors, weights, bias):
    """(n, outputs, 1, 1) of (n, inputs); WEIGHTS (outputs, inputs)."""
    outputs = op.add(op.matmul(vectors, _constant(weights), False, True), _constant(bias.reshape(1, -1)))
    return op.unsqueeze(outputs, _constant(np.array([2, 3], np.int64)))


def _constant(values):
    return op.constant(np.ascontiguousarray(values))


def ready(network, threads=1):
    """NETWORK as a function of one float32 array to another, computed by this processor.

    network  function of a node, its input, to another, its output
    threads  how many may call at a time, each computed by one thread
    """
    one_at_a_time = threading.Lock()
    of_shape = lru_cache(SHAPES)(partial(compiled, network, threads=threads, callers=threads))

    def compute(array):
        with one_at_a_time:
            of_this = of_shape(array.shape)
        return of_this(array)

    return compute


def compiled(network, shape, threads=1, callers=1):
    """NETWORK as a function of arrays of SHAPE, in float32, whatever else the processor offers.

    network  function of a node, its input, to another, its output
    threads  that compute
    callers  how many may call at a time, each computed by its share of the threads
    """
    given = pixels(shape)
    compute = _of_model(openvino.Model([network(given)], [given]), threads, callers)
    return lambda array: compute(array)[0]


def of_file(path, shape, threads=1):
    """A network in a file that OpenVINO reads, such as ONNX, as a function of one array to the list of its outputs.

    shape    of the arrays, which are float32
    threads  how many may call at a time, each computed by one thread
    returns  the function; the shapes of the outputs

    Raises RuntimeError where OpenVINO cannot read it, or not for this shape.
    """
    model = openvino.Core().read_model(path)
    model.reshape(list(shape))
    compute = _of_model(model, threads, threads)
    return compute, [tuple(output.get_shape()) for output in model.outputs]


def _of_model(model, threads, callers):
    """A model as a function of its one input to the list of its outputs, which CALLERS may call at a time."""
    settings = {"NUM_STREAMS": callers, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    settings["ENABLE_CPU_PINNING"] = False  # tasks beside this one would be pinned to the same cores
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    of_thread = threading.local()

    def compute(array):
        if not hasattr(of_thread, "request"):
            of_thread.request = compiled.create_infer_request()
        answers = of_thread.request.infer([array])
        return [answers[output].copy() for output in compiled.outputs]  # the next call would write over them

    return compute
