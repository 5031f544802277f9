"""Cellpose 3's network in torch, for a GPU."""

import torch
from cellpose.resnet_torch import CPnet


def network(checkpoint):
    """The network of a cpnet.Checkpoint, ready to predict."""
    net = CPnet(list(checkpoint.widths), checkpoint.weights["output.2.weight"].shape[0], 3)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in checkpoint.weights.items()}, strict=False)
    return net.to(memory_format=torch.channels_last).eval().requires_grad_(False)
