"""EfficientNet checkpoints as Keras 2 writes them (HDF5): which layers they hold, read without TensorFlow.

Standard library and h5py only, so that a plan can tell what is wrong before anything runs.
"""

import math
from pathlib import Path

# EfficientNet (Tan & Le 2019) as efficientnet 1.1.1 builds it. Of each stage: kernel, repeats, channels, expansion
STAGES = ((3, 1, 16, 1), (3, 2, 24, 6), (5, 2, 40, 6), (3, 3, 80, 6), (5, 3, 112, 6), (5, 4, 192, 6), (3, 1, 320, 6))
SCALES = ((1, 1), (1, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2, 3.1))  # width, depth: B0-B7


def layers(variant, channels=1):
    """The layers of EfficientNet-B<variant> whose output can be features.

    variant   0 to 7
    channels  of its input
    returns   {name: (channels, shapes of its weights)}, weights in Keras' order
    """
    width, depth = SCALES[variant]
    network = {}

    def conv(name, size, inputs, outputs, bias=False):
        network[name] = outputs, [(size, size, inputs, outputs), *([(outputs,)] if bias else [])]

    def norm(name, channels, active=None):
        network[name] = channels, [(channels,)] * 4
        if active:
            network[active] = channels, []

    inputs = _channels(32, width)
    conv("stem_conv", 3, channels, inputs)
    norm("stem_bn", inputs, "stem_activation")
    for number, (kernel, repeats, outputs, expansion) in enumerate(STAGES, 1):
        outputs = _channels(outputs, width)
        for repeat in range(math.ceil(repeats * depth)):
            block, wide = f"block{number}{chr(ord('a') + repeat)}_", inputs * expansion
            if expansion > 1:
                conv(f"{block}expand_conv", 1, inputs, wide)
                norm(f"{block}expand_bn", wide, f"{block}expand_activation")
            network[f"{block}dwconv"] = wide, [(kernel, kernel, wide, 1)]
            norm(f"{block}bn", wide, f"{block}activation")
            conv(f"{block}se_reduce", 1, wide, max(1, inputs // 4), bias=True)
            conv(f"{block}se_expand", 1, max(1, inputs // 4), wide, bias=True)
            conv(f"{block}project_conv", 1, wide, outputs)
            norm(f"{block}project_bn", outputs, f"{block}add" if repeat else None)
            inputs = outputs
    conv("top_conv", 1, inputs, _channels(1280, width))
    norm("top_bn", _channels(1280, width), "top_activation")
    network["pool5"] = _channels(1280, width), []
    return network


class NoCheckpoint(ValueError):
    """A file is not weights as Keras 2 saves them."""


def shapes(path):
    """What a checkpoint holds: {layer: shapes of its weights, in Keras' order}. Raises NoCheckpoint."""
    return _read(path, lambda weight: weight.shape)


def weights(path):
    """The weights themselves: {layer: arrays}. Raises NoCheckpoint."""
    return _read(path, lambda weight: weight[()])


def channels(stored):
    """Channels of the images that it was trained on, by what `shapes` gave; None where there is no first layer."""
    first = stored.get("stem_conv")
    return first[0][2] if first and len(first[0]) == 4 else None


def missing(stored, variant):
    """What keeps it from being EfficientNet-B<variant>, in words; empty if nothing does, whatever its channels."""
    expected = layers(variant, channels(stored) or 1)
    weighted = [name for name, (_, wanted) in expected.items() if wanted]
    wrong = [name for name in weighted if stored.get(name) != expected[name][1]]
    if not wrong:
        return ""
    return f"{len(wrong)} of {len(weighted)} layers of EfficientNet-B{variant} are not in it, the first {wrong[0]}"


def b0_fault(path):
    """Why the torch network cannot take a checkpoint, in words; empty if it can."""
    try:
        stored = shapes(path)
    except NoCheckpoint as error:
        return str(error)
    count = channels(stored)
    if count not in (None, 1, 3):
        return f"was trained on {count} channels; one is needed, or three, which are then given the same grey levels"
    return missing(stored, 0)


def _read(path, take):
    import h5py

    if not Path(path).is_file():
        raise NoCheckpoint("no such file")
    try:
        with h5py.File(path) as file:
            group = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
            if "layer_names" not in group.attrs:
                raise NoCheckpoint("HDF5, but not weights as Keras 2 saves them (attribute layer_names)")
            names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs["layer_names"]]
            return {name: [take(group[name][weight]) for weight in group[name].attrs["weight_names"]] for name in names}
    except (OSError, KeyError) as error:
        raise NoCheckpoint(f"is not a whole HDF5 file, which checkpoints of Keras 2 are ({error})") from error


def _channels(count, width):
    """Channels of a wider network: a multiple of 8, not more than a tenth below COUNT * WIDTH."""
    near = max(8, int(count * width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * count * width else near
