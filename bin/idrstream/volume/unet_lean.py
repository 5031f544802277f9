"""The U-Net of incasem computed with less work and memory, by OpenVINO's layers or by torch's.

Enlarging maps by repetition and then convolving them is one transposed convolution of the small maps (exact algebra,
other roundings); and the convolution of joined maps is the sum of two. So neither enlarged nor joined maps are made.
"""

import numpy as np


def prepared(unet, weights):
    """The weights that `logits` takes.

    unet     Unet
    weights  {name of a tensor: float32 array}, `unet.names()`
    returns  {name: float32 array}; in place of the first weights of a pass on the way up, their "skip", of the maps of
             the way down, and "rise", of the maps from below
    """
    weights = dict(weights)
    for level, factor in enumerate(unet.factors):
        name = _first(level)
        both, width = weights.pop(f"{name}.weight"), unet.widths[level]
        weights[f"{name}.skip"] = np.ascontiguousarray(both[:, :width])
        weights[f"{name}.rise"] = of_enlarged(both[:, width:], factor)
    return weights


def of_enlarged(weights, factor):
    """The transposed convolution that does what a convolution does to maps enlarged by repetition.

    weights  (outputs, inputs, Z, Y, X) float32
    factor   (3) by which the maps are enlarged, and steps of the transposed convolution, which cuts off one voxel less
             than the weights have, at either end
    returns  (inputs, outputs, Z + factor - 1, ...) float32

    Along an axis the voxel c of the small maps stands at f c ... f c + f - 1, so that the place f c + m sees it by the
    sum of the weights -m ... -m + f - 1, where there are such.
    """
    weights = weights.astype(np.float64)
    for axis, step in enumerate(factor, 2):
        none = [(0, 0)] * weights.ndim
        none[axis] = step - 1, step - 1
        padded, size = np.pad(weights, none), weights.shape[axis] + step - 1
        sums = sum(padded.take(range(first, first + size), axis) for first in range(step))
        weights = np.flip(sums, axis)
    return np.ascontiguousarray(weights.swapaxes(0, 1), np.float32)


def logits(unet, weights, maps, layers):
    """(n, outputs, z, y, x) of (n, 1, Z, Y, X) float32.

    weights  of `prepared`, as LAYERS take them
    layers   module with valid, transposed, pooled, centred, relu, add and sides: `graph` or `layers_torch`
    """

    def convolved(maps, name, places):
        for place in places:
            layer = f"{name}.conv_pass.{2 * place}"
            maps = layers.relu(layers.valid(maps, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
        return maps

    skipped = []
    for level, kernels in enumerate(unet.down):
        if level:
            skipped.append(maps)
            maps = layers.pooled(maps, unet.factors[level - 1])
        maps = convolved(maps, f"unet.l_conv.{level}", range(len(kernels)))
    for level in reversed(range(len(unet.factors))):
        name, (kernel, *others) = _first(level), unet.up[level]
        maps = layers.transposed(maps, weights[f"{name}.rise"], unet.factors[level], [side - 1 for side in kernel])
        shape = [size + side - 1 for size, side in zip(layers.sides(maps), kernel, strict=True)]
        beside = layers.centred(skipped.pop(), shape)
        beside = layers.valid(beside, weights[f"{name}.skip"], weights[f"{name}.bias"])
        maps = layers.relu(layers.add(maps, beside))
        maps = convolved(maps, f"unet.r_conv.0.{level}", range(1, 1 + len(others)))
    last = "final_conv_pass.conv_pass.0"
    return layers.valid(maps, weights[f"{last}.weight"], weights[f"{last}.bias"])


def _first(level):
    """Name of the convolution that sees maps of the way down and from below."""
    return f"unet.r_conv.0.{level}.conv_pass.0"
