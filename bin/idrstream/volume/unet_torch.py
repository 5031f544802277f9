"""The U-Net of incasem in torch, to be trained."""

import torch
from torch import nn
from torch.nn import functional

from idrstream.volume.layers_torch import centred


def module(unet):
    """The network of a Unet, untrained: (n, 1, Z, Y, X) to (n, outputs, z, y, x) logits; tensors: `unet.names()`."""
    return _Plain(unet)


class _Pass(nn.Module):
    def __init__(self, inputs, outputs, kernels, active=True):
        super().__init__()
        layers = []
        for kernel in kernels:
            layers += [nn.Conv3d(inputs, outputs, kernel), nn.ReLU() if active else nn.Identity()]
            inputs = outputs
        self.conv_pass = nn.Sequential(*layers)

    def forward(self, maps):
        return self.conv_pass(maps)


class _Plain(nn.Module):
    """Layer for layer as incasem has it: enlarged maps are joined to those of the way down, then convolved."""

    def __init__(self, unet):
        super().__init__()
        self._factors, passes = unet.factors, unet.passes()
        self.unet = nn.Module()
        self.unet.l_conv = nn.ModuleList(_Pass(*passes[f"unet.l_conv.{level}"]) for level in range(len(unet.widths)))
        up = nn.ModuleList(_Pass(*passes[f"unet.r_conv.0.{level}"]) for level in range(len(unet.factors)))
        self.unet.r_conv = nn.ModuleList([up])
        self.final_conv_pass = _Pass(*passes["final_conv_pass"], active=False)

    def forward(self, maps):
        *down, deepest = self.unet.l_conv
        skipped = []
        for level, factor in zip(down, self._factors, strict=True):
            skipped.append(level(maps))
            maps = functional.max_pool3d(skipped[-1], factor, factor)
        maps = deepest(maps)
        for level, factor in reversed(list(zip(self.unet.r_conv[0], self._factors, strict=True))):
            maps = functional.interpolate(maps, scale_factor=tuple(map(float, factor)), mode="nearest")
            maps = level(torch.cat([centred(skipped.pop(), maps.shape[2:]), maps], 1))
        return self.final_conv_pass(maps)
