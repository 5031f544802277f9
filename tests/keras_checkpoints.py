"""Keras checkpoints of EfficientNet-B0, as DeepProfiler takes them."""

import h5py
import numpy as np

from idrstream.cells import checkpoints


def write_b0(path, channels=1, top=False, within=None):
    """A checkpoint of random weights that keep the maps' size."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        group = file.create_group(within) if within else file
        layers = checkpoints.layers(0) | ({"probs": (9, [(1280, 9), (9,)])} if top else {})
        group.attrs["layer_names"] = [name.encode() for name in layers]
        for name, (_, shapes) in layers.items():
            group.create_group(name).attrs["weight_names"] = [f"{name}/{i}:0".encode() for i in range(len(shapes))]
            for i, shape in enumerate(shapes):
                values = rng.normal(0, np.sqrt(2 / np.prod(shape[: 3 if "dw" not in name else 2])), shape)
                if name.endswith("bn"):
                    values = rng.uniform(0.9, 1.1, shape) if i in (0, 3) else rng.normal(0, 0.1, shape)
                if name == "stem_conv" and channels > 1:
                    values = values.repeat(channels, axis=2) / channels
                group[name].create_dataset(f"{name}/{i}:0", data=values.astype(np.float32))
    return path
