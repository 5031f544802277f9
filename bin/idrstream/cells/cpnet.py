"""Cellpose 3's network (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x): its checkpoint, and the graph of it.

A residual U-Net: blocks of four convolutions, each of which normalises, rectifies and then convolves; on the way up
each is also given the style, the mean of the deepest maps.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from idrstream.base import graph, torch_files
from idrstream.base.task import UserError

EPSILON = 1e-5  # of the normalisations
DIAMETER = np.float32([30])  # pixels, where a checkpoint says none
OLD_NUCLEI = "nucleitorch_0", np.float32([17])  # a checkpoint that says none, and Cellpose knows by its name


class BadModel(UserError):
    """The file is not a Cellpose 3 checkpoint."""


class Checkpoint(NamedTuple):
    """A network of any width.

    weights   {name: float32 array}
    widths    channels of the input, and of the maps of each level
    trained   diameter in pixels to which it saw nuclei scaled
    diameter  its own in pixels: the median of the images it was trained on
    """

    weights: dict
    widths: list
    trained: float
    diameter: float


def read(path):
    """The Checkpoint in a file. Raises BadModel."""
    try:
        stored = torch_files.read(path)
    except FileNotFoundError:
        raise BadModel(f"{path}: there is no such file; give a Cellpose 3 checkpoint.") from None
    except (torch_files.NoWeights, OSError) as error:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint: {error}.") from error
    if "output.2.weight" not in stored:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint (Cellpose 4 and transformer networks are others).")
    weights = {name: np.asarray(array, np.float32) for name, array in stored.items()}
    name, old = OLD_NUCLEI
    default = old if Path(path).name == name else DIAMETER
    trained = old if Path(path).name == name else weights.get("diam_mean", DIAMETER)
    own = weights.get("diam_labels", default)
    try:
        first = [weights[f"downsample.down.res_down_{level}.proj.1.weight"].shape for level in range(levels(weights))]
        widths = [first[0][1], *(shape[0] for shape in first)]
        output = cpnet(weights, graph.pixels((1, widths[0], 64, 64)))  # whatever does not fit together shows
        if list(output.get_output_shape(0)) != [1, 3, 64, 64]:
            raise ValueError(f"{weights['output.2.weight'].shape[0]} outputs")
        return Checkpoint(weights, widths, trained.item(), round(own.item(), 3))
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint: its layers are those of another network.") from error


def levels(weights):
    """How many times the maps are halved, and one."""
    return sum(name.startswith("downsample.") and name.endswith(".proj.1.weight") for name in weights)


def cpnet(weights, pixels):
    """(n, 3, Y, X) flows (y, x) and logits of (n, channels, Y, X).

    weights  {name: array} of a checkpoint
    pixels   node of the input
    """
    layer = partial(_layer, weights)
    down, maps = [], pixels
    for level in range(levels(weights)):
        maps = graph.halved(maps) if level else maps
        name = f"downsample.down.res_down_{level}"
        maps = graph.add(layer(f"{name}.proj", maps, active=False), _both(layer, f"{name}.conv", (0, 1), maps))
        maps = graph.add(maps, _both(layer, f"{name}.conv", (2, 3), maps))
        down.append(maps)
    style = graph.unit_length(graph.pooled_mean(maps))
    for level in reversed(range(len(down))):
        maps = graph.doubled(maps) if level < len(down) - 1 else maps
        maps = _up(weights, f"upsample.up.res_up_{level}", maps, down[level], style)
    return layer("output", maps)


def _both(layer, name, numbers, maps):
    for number in numbers:
        maps = layer(f"{name}.conv_{number}", maps)
    return maps


def _up(weights, name, maps, beside, style):
    """A block on the way up: of the maps from below and those BESIDE it, from the way down."""

    def styled(number, maps):
        place = f"{name}.conv.conv_{number}"
        style_maps = graph.linear(style, weights[f"{place}.full.weight"], weights[f"{place}.full.bias"])
        return _layer(weights, f"{place}.conv", graph.add(maps, style_maps))

    first = graph.add(_layer(weights, f"{name}.conv.conv_0", maps), beside)
    maps = graph.add(_layer(weights, f"{name}.proj", maps, active=False), styled(1, first))
    return graph.add(maps, styled(3, styled(2, maps)))


def _layer(weights, name, maps, active=True):
    """Normalise, rectify if ACTIVE, convolve."""
    figures = (weights[f"{name}.0.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
    maps = graph.norm(maps, *figures, EPSILON)
    number = 2 if active else 1
    maps = graph.relu(maps) if active else maps
    return graph.conv(maps, weights[f"{name}.{number}.weight"], weights[f"{name}.{number}.bias"])
