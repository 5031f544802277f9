"""The layers of `unet_lean` in torch, for a GPU. Maps are changed in place where they are needed no more."""

import torch
from torch.nn import functional

valid = functional.conv3d
relu = torch.relu_


def transposed(maps, weights, steps, cut):
    return functional.conv_transpose3d(maps, weights, stride=tuple(steps), padding=tuple(cut))


def pooled(maps, steps):
    return functional.max_pool3d(maps, steps, steps)


def add(maps, others):
    return maps.add_(others)


def sides(maps):
    return maps.shape[2:]


def centred(maps, shape):
    """The middle of the maps, SHAPE."""
    for axis, size in enumerate(shape, 2):
        maps = maps.narrow(axis, (maps.shape[axis] - size) // 2, size)
    return maps
