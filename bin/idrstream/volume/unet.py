"""The U-Net of incasem: its layers by name, the sizes that it takes and gives, its cost. Standard library only.

All convolutions are valid, so an output is smaller than its input by a constant. The maps are cropped where they meet
and nowhere else: incasem crops once more before the last convolutions, which gives 110 voxels of 204 where here are
114, of the same values. Pooling divides an input into boxes of `step` voxels: moved by whole steps it gives the same
voxels, moved by others it does not.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from idrstream.base import tables
from idrstream.volume.box import Triple

TWICE = ((3, 3, 3), (3, 3, 3))  # the convolutions of a level, where nothing else is said
KEYS = ("type", "num_fmaps", "num_fmaps_out", "fmap_inc_factor", "downsample_factors", "constant_upsample")
KEYS += ("kernel_size_down", "kernel_size_up", "kernel_size_final")  # the last is ours


@dataclass(frozen=True)
class Unet:
    """One network.

    maps     of the finest level
    outputs  classes, background among them
    growth   by which a level has more maps than the one above it
    factors  (levels, 3) of the pooling behind each level but the coarsest, z y x
    down     (levels + 1, convolutions, 3) kernels on the way down, finest level first
    up       (levels, convolutions, 3) kernels on the way up, finest level first
    final    (3) kernel of the convolution to the classes

    Kernels are odd.
    """

    maps: int = 32
    outputs: int = 2
    growth: int = 2
    factors: tuple = ((2, 2, 2),) * 3
    down: tuple | None = None
    up: tuple | None = None
    final: Triple = (3, 3, 3)

    def __post_init__(self):
        for name, count in (("down", len(self.factors) + 1), ("up", len(self.factors))):
            if getattr(self, name) is None:
                object.__setattr__(self, name, (TWICE,) * count)

    @property
    def widths(self):
        """Maps of each level, finest first."""
        return tuple(self.maps * self.growth**level for level in range(len(self.factors) + 1))

    def passes(self):
        """{name of a pass: (maps that it is given, maps that it gives, its kernels)}, in incasem's order."""
        widths = self.widths
        passes = {
            f"unet.l_conv.{level}": (widths[level - 1] if level else 1, width, self.down[level])
            for level, width in enumerate(widths)
        }
        for level, kernels in enumerate(self.up):
            passes[f"unet.r_conv.0.{level}"] = widths[level] + widths[level + 1], widths[level], kernels
        return passes | {"final_conv_pass": (self.maps, self.outputs, (self.final,))}

    def names(self):
        """{name of a tensor: its shape}, as in a checkpoint of incasem and in its order."""
        shapes = {}
        for name, (inputs, outputs, kernels) in self.passes().items():
            for place, kernel in enumerate(kernels):
                layer = f"{name}.conv_pass.{2 * place}"  # the odd ones are the rectifiers
                shapes[f"{layer}.weight"] = (outputs, outputs if place else inputs, *kernel)
                shapes[f"{layer}.bias"] = (outputs,)
        return shapes

    @property
    def parameters(self):
        return sum(map(math.prod, self.names().values()))

    @property
    def step(self) -> Triple:
        """By multiples of how many voxels an input may be moved for the same results."""
        return tuple(math.prod(factor[axis] for factor in self.factors) for axis in range(3))

    @property
    def context(self) -> Triple:
        """Voxels of an input before the first voxel of its output, and as many behind the last."""
        return tuple(self._lost(axis) // 2 for axis in range(3))

    def output(self, shape: Triple) -> Triple | None:
        """The shape of the output of an input of SHAPE; None where pooling does not divide it or nothing is left."""
        sizes = [self._output(size, axis) for axis, size in enumerate(shape)]
        return None if None in sizes else tuple(sizes)

    def input(self, output: Triple) -> Triple:
        """The smallest input whose output is not smaller than OUTPUT."""
        return tuple(self._input(size, axis) for axis, size in enumerate(output))

    def given(self, kept: Triple) -> Triple:
        """The smallest input whose output holds a tile of KEPT voxels, wherever between two steps the tile begins."""
        return self.input(tuple(size + step - 1 for size, step in zip(kept, self.step, strict=True)))

    def flops(self, shape: Triple, lean=False) -> int:
        """Multiplications and additions of all convolutions on an input of SHAPE.

        lean  as `unet_lean` computes it, which does not enlarge maps before it convolves them
        """
        widths, total = self.widths, 0
        for level, kernels in enumerate(self.down):
            inputs, width = widths[level - 1] if level else 1, widths[level]
            shape, cost = _convolved(shape, kernels, inputs, width)
            total += cost
            if level < len(self.factors):
                shape = tuple(size // factor for size, factor in zip(shape, self.factors[level], strict=True))
        for level in reversed(range(len(self.factors))):
            (width, below), factor, coarse = widths[level : level + 2], self.factors[level], shape
            enlarged = tuple(size * step for size, step in zip(coarse, factor, strict=True))
            shape, cost = _convolved(enlarged, self.up[level], width if lean else width + below, width)
            total += cost
            if lean:
                kernel = (side + step - 1 for side, step in zip(self.up[level][0], factor, strict=True))
                total += 2 * math.prod(kernel) * below * width * math.prod(coarse)
        return total + _convolved(shape, (self.final,), self.maps, self.outputs)[1]

    def to_keys(self) -> dict:
        """Its description, as `from_keys` takes it."""
        values = "Unet", self.maps, self.outputs, self.growth, self.factors, True, self.down, self.up, self.final
        return dict(zip(KEYS, map(_listed, values), strict=True))

    def _lost(self, axis):
        """Voxels that an output is smaller than its input."""
        lost = _cut(self.down[-1], axis)
        for factor, down, up in reversed(list(zip(self.factors, self.down, self.up, strict=False))):
            lost = _cut(down, axis) + factor[axis] * lost + _cut(up, axis)
        return lost + _cut((self.final,), axis)

    def _output(self, size, axis):
        whole = size - self._lost(axis)
        for factor, kernels in zip(self.factors, self.down, strict=False):
            size, rest = divmod(size - _cut(kernels, axis), factor[axis])
            if rest:
                return None
        return whole if whole > 0 else None

    def _input(self, output, axis):
        return next(size for size in itertools.count(output + self._lost(axis)) if self._output(size, axis))


def from_keys(keys, name="network") -> Unet:
    """The network of the block `model` of a configuration of incasem; what it does not say is as in incasem's own.

    keys  num_fmaps, num_fmaps_out, fmap_inc_factor, downsample_factors, constant_upsample, kernel_size_down,
          kernel_size_up, kernel_size_final
    name  of the file or block, for messages

    Raises tables.Problems.
    """
    if not isinstance(keys, dict):
        raise tables.Problems.of(name, ["the model is not a list of keys with values"])
    faults = [f'unknown key "{key}".{tables.nearest(key, KEYS)}' for key in keys if key not in KEYS]
    if keys.get("type", "Unet") != "Unet":
        faults.append(f'type "{keys["type"]}": only "Unet" can be computed')
    if keys.get("constant_upsample", True) is not True:
        faults.append("constant_upsample must be true: enlarging by trained layers is not supported")
    counts = {"maps": ("num_fmaps", 1), "outputs": ("num_fmaps_out", 2), "growth": ("fmap_inc_factor", 1)}
    values = {}
    for field, (key, least) in counts.items():
        if key in keys and not _is_whole(keys[key], least):
            faults.append(f"{key} must be a whole number from {least} on, not {keys[key]!r}")
        values[field] = keys.get(key, getattr(Unet, field))
    values["factors"] = _factors(keys, faults)
    values["down"] = _kernels(keys, "kernel_size_down", len(values["factors"]) + 1, faults)
    values["up"] = _kernels(keys, "kernel_size_up", len(values["factors"]), faults)
    values["final"] = _triple(keys.get("kernel_size_final", 3), odd=True)
    if values["final"] is None:
        faults.append(f"kernel_size_final must be three odd numbers, not {keys['kernel_size_final']!r}")
    if faults:
        raise tables.Problems.of(name, faults)
    return Unet(**values)


def _factors(keys, faults):
    stated = keys.get("downsample_factors", Unet.factors)
    factors = tuple(map(_triple, stated)) if isinstance(stated, (list, tuple)) else ()
    if factors and None not in factors:
        return factors
    faults.append(f"downsample_factors must be a list of levels, each of three numbers, not {stated!r}")
    return Unet.factors


def _kernels(keys, key, levels, faults):
    """A tuple of a tuple of kernels a level; None where KEYS has none."""
    stated = keys.get(key)
    if stated is None:
        return None
    if isinstance(stated, (list, tuple)) and len(stated) == levels:
        passes = [level if isinstance(level, (list, tuple)) else () for level in stated]
        kernels = tuple(tuple(_triple(kernel, odd=True) for kernel in level) for level in passes)
        if all(level and None not in level for level in kernels):
            return kernels
    faults.append(
        f"{key} must be a list of {levels} levels, each a list of kernels of three odd numbers, not {stated!r}"
    )
    return None


def _triple(value, odd=False):
    """Three whole numbers of a list or a number that stands for three; None if it is neither."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * 3
    right = len(values) == 3 and all(_is_whole(number, 1) and (not odd or number % 2) for number in values)
    return values if right else None


def _is_whole(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _listed(value):
    return [_listed(one) for one in value] if isinstance(value, tuple) else value


def _cut(kernels, axis):
    return sum(kernel[axis] - 1 for kernel in kernels)


def _convolved(shape, kernels, inputs, outputs):
    """The shape that valid convolutions leave, and what they cost."""
    cost = 0
    for kernel in kernels:
        shape = tuple(size - side + 1 for size, side in zip(shape, kernel, strict=True))
        cost += 2 * math.prod(kernel) * inputs * outputs * math.prod(shape)
        inputs = outputs
    return shape, cost
