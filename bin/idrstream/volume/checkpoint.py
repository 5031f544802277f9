"""Checkpoints of incasem's U-Net, and ours, which hold more: read without torch, and fitted to a network."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from idrstream.base import files, tables, torch_files
from idrstream.volume import unet as unets
from idrstream.volume.unet import Unet

WEIGHTS = "model_state_dict"
ITERATION = re.compile(r"model_checkpoint_(\d+)(\.pth?)?")  # incasem's name of a file
LAYER = re.compile(r"(.+)\.conv_pass\.(\d{1,3})\.(?:weight|bias)")
DOWN, UP, FINAL = "unet.l_conv.", "unet.r_conv.0.", "final_conv_pass"
LISTED = 30  # tensors in a message: all of incasem's


class Checkpoint(NamedTuple):
    """What a file holds.

    name       of the file
    weights    {name of a tensor: float32 array}
    iteration  of the training; None if neither the file nor its name says it
    keys       description of the network, as `unet.from_keys` takes it; None in incasem's own files
    sha256     of the file
    """

    name: str
    weights: dict
    iteration: int | None
    keys: dict | None
    sha256: str


def read(path):
    """The Checkpoint in a file: {"model_state_dict": tensors, ...}, or the tensors. Raises tables.Problems."""
    path = Path(path)
    try:
        content = torch_files.contents(path)
        digest = files.sha256(path)
    except FileNotFoundError:
        raise tables.Problems.of(path.name, ["there is no such file; give a checkpoint"]) from None
    except (torch_files.NoWeights, OSError) as error:
        raise tables.Problems.of(path.name, [f"not a checkpoint, or not all of one: {error}"]) from error
    tensors = content.get(WEIGHTS, content)
    arrays = isinstance(tensors, dict) and all(isinstance(one, np.ndarray) for one in tensors.values())
    if not tensors or not arrays:
        raise tables.Problems.of(path.name, [f'not a checkpoint: it holds neither "{WEIGHTS}" nor tensors alone'])
    own = content if WEIGHTS in content else {}
    iteration, named = own.get("iteration"), ITERATION.fullmatch(path.name)
    if not isinstance(iteration, int):
        iteration = int(named[1]) if named else None
    weights = {str(name): np.array(array, np.float32) for name, array in tensors.items()}
    return Checkpoint(path.name, weights, iteration, own.get("network"), digest)


def fit(checkpoint, unet=None):
    """The network that a checkpoint is of.

    unet     that of a network file; without it the checkpoint's own description counts, or the shapes of its tensors
    returns  Unet; sentences for the log on what is assumed

    Raises tables.Problems with all that does not fit.
    """
    name, weights = checkpoint.name, checkpoint.weights
    seen = _of_shapes(name, weights)
    own = unets.from_keys(checkpoint.keys, name) if checkpoint.keys is not None else None
    faults = _unlike(weights, seen.names()) + _unsupported(seen)
    faults += [f"{where} holds numbers that are not finite" for where in sorted(weights) if _void(weights[where])]
    stated = unet or own
    if stated:
        faults += _differences(seen, stated, "the network file" if unet else "its own description")
    if unet and own and own.factors != unet.factors:
        pooled = f"{_words(own.factors)} (downsample_factors), and the network file says {_words(unet.factors)}"
        faults.append(f"it was trained with a pooling of {pooled}")
    if faults:
        raise tables.Problems.of(name, faults)
    if stated:
        return stated, []
    assumed = f"{_words(seen.factors)} is assumed (else give a --network with downsample_factors)"
    return seen, [f"{name} does not say by how much its network pools: {assumed}."]


def _of_shapes(name, weights):
    """The network of these tensors as far as their names and shapes tell it; its pooling is taken to be by two."""
    passes = {}
    for tensor in weights:
        if layer := LAYER.fullmatch(tensor):
            passes.setdefault(layer[1], set()).add(int(layer[2]))
    levels = sum(part.startswith(DOWN) for part in passes)
    if f"{DOWN}0" not in passes or FINAL not in passes or levels < 2:
        held = ", ".join(map(tables.shown, sorted(weights)[:3]))
        raise tables.Problems.of(
            name, [f'not a checkpoint of incasem\'s U-Net: no "{DOWN}0...", "{DOWN}1..." but {held} ...']
        )

    def width(part):
        tensor = next(array for tensor, array in weights.items() if tensor.startswith(f"{part}."))
        return tensor.shape[0] if tensor.ndim else 1

    def kernels(part):
        shapes = [weights.get(f"{part}.conv_pass.{place}.weight", np.zeros(0)).shape for place in sorted(passes[part])]
        return tuple(shape[2:] if len(shape) == 5 else (3, 3, 3) for shape in shapes)

    maps = width(f"{DOWN}0")
    growth = max(1, width(f"{DOWN}1") // max(1, maps)) if f"{DOWN}1" in passes else Unet.growth
    down = tuple(kernels(part) if (part := f"{DOWN}{level}") in passes else unets.TWICE for level in range(levels))
    up = tuple(kernels(part) if (part := f"{UP}{level}") in passes else unets.TWICE for level in range(levels - 1))
    return Unet(maps, width(FINAL), growth, ((2, 2, 2),) * (levels - 1), down, up, kernels(FINAL)[0])


def _unlike(weights, expected):
    """Faults of tensors that are missing, superfluous or of another shape than EXPECTED."""
    missing = [name for name in expected if name not in weights]
    besides = [tables.shown(name) for name in weights if name not in expected]
    others = [
        f"{name} is {_shape(weights[name].shape)} and not {_shape(shape)}"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    faults = {"missing": missing, "not of the network": besides, "of another shape": others}
    return [f"tensors {what} ({len(names)}): {_listed(names)}" for what, names in faults.items() if names]


def _differences(seen, stated, where):
    """Faults of a network that tensors show, against the one that is stated."""
    if len(seen.factors) != len(stated.factors):
        return [f"its network pools {len(seen.factors)} times, and {where} says {len(stated.factors)}"]
    here, there = seen.to_keys(), stated.to_keys()
    keys = [key for key in here if key != "downsample_factors" and here[key] != there[key]]
    return [f"its network has {key} {here[key]}, and {where} says {there[key]}" for key in keys]


def _unsupported(unet):
    sides = {side for _, _, kernels in unet.passes().values() for kernel in kernels for side in kernel}
    even = sorted(side for side in sides if side % 2 == 0)
    faults = [f"kernels of {even[0]} voxels are not supported; they must be odd"] if even else []
    if unet.outputs < 2:
        faults.append("its network has one output; background and each class must have one of their own")
    return faults


def _void(array):
    return not np.isfinite(array).all()


def _shape(shape):
    return " x ".join(map(str, shape)) or "a number"


def _words(factors):
    return "; ".join(",".join(map(str, factor)) for factor in factors)


def _listed(names):
    return ", ".join(names[:LISTED]) + ", ..." * (len(names) > LISTED)
