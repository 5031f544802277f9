"""EfficientNet-B0 (Tan & Le 2019) in torch, for a GPU: weights of a Keras 2 checkpoint, TensorFlow's arithmetic.

What DeepProfiler 0.5.1 computes, and what IDR_stream computed with the public ImageNet weights, without TensorFlow.
Every layer has the name that it has in the checkpoint. TensorFlow pads "same" so that the last sample falls on the last
pixel: where the step is 2, it puts more zeros behind than before.
"""

import torch
from torch import nn
from torch.nn import functional

from idrstream.cells import checkpoints
from idrstream.cells.efficientnet import EPSILON, STEPS, in_torch_order


def load(path):
    """The network of a checkpoint, ready to compute; `channels` says how many it takes.

    Raises checkpoints.NoCheckpoint, with the reason, for any other file.
    """
    if fault := checkpoints.b0_fault(path):
        raise checkpoints.NoCheckpoint(fault)
    stored = checkpoints.weights(path)
    network = EfficientNetB0(stored["stem_conv"][0].shape[2])
    with torch.no_grad():
        for name, layer in network.named_children():
            for tensor, array in zip(_tensors(layer), stored[name], strict=True):
                tensor.copy_(torch.from_numpy(in_torch_order(name, array)))
    return network.eval().requires_grad_(False)


class EfficientNetB0(nn.Module):
    """(n, channels, Y, X) float32 to (n, 1280): the mean over the last maps, Keras' `avg_pool`, DeepProfiler's `pool5`.

    channels  1 or 3
    """

    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        step = {f"block{stage}a_dwconv": step for stage, step in enumerate(STEPS, 1)} | {"stem_conv": 2}
        self._blocks = []
        for name, (outputs, shapes) in checkpoints.layers(0, channels).items():
            if name.endswith("bn"):
                self.add_module(name, nn.BatchNorm2d(outputs, eps=EPSILON))
            elif name.endswith("dwconv"):
                self.add_module(name, _Same(outputs, outputs, shapes[0][0], step.get(name, 1), groups=outputs))
                self._blocks.append(name.removesuffix("dwconv"))
            elif shapes:
                size, _, inputs, _ = shapes[0]
                bias = len(shapes) > 1
                self.add_module(name, _Same(inputs, outputs, size, step.get(name, 1), bias=bias))

    def forward(self, pixels):
        maps = self._active("stem_", pixels)
        for block in self._blocks:
            maps = self._block(block, maps)
        return self._active("top_", maps).mean(dim=(2, 3))

    def _block(self, block, before):
        """Mobile inverted bottleneck with squeeze and excitation."""
        maps = self._active(f"{block}expand_", before) if hasattr(self, f"{block}expand_conv") else before
        maps = functional.silu(getattr(self, f"{block}bn")(getattr(self, f"{block}dwconv")(maps)))
        weight = functional.silu(getattr(self, f"{block}se_reduce")(maps.mean(dim=(2, 3), keepdim=True)))
        maps = maps * torch.sigmoid(getattr(self, f"{block}se_expand")(weight))
        maps = getattr(self, f"{block}project_bn")(getattr(self, f"{block}project_conv")(maps))
        return maps + before if maps.shape == before.shape else maps

    def _active(self, prefix, maps):
        return functional.silu(getattr(self, f"{prefix}bn")(getattr(self, f"{prefix}conv")(maps)))


class _Same(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding."""

    def __init__(self, inputs, outputs, size, step, groups=1, bias=False):
        super().__init__(inputs, outputs, size, step, padding=size // 2 if step == 1 else 0, groups=groups, bias=bias)

    def forward(self, maps):
        if self.stride[0] > 1:
            height, width = (self._zeros(length) for length in maps.shape[2:])
            maps = functional.pad(maps, (*width, *height))
        return super().forward(maps)

    def _zeros(self, length):
        size, step = self.kernel_size[0], self.stride[0]
        count = max(((length - 1) // step) * step + size - length, 0)
        return count // 2, count - count // 2


def _tensors(layer):
    """A layer's tensors in Keras' order."""
    if isinstance(layer, nn.BatchNorm2d):
        return [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    return [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
