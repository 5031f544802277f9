"""A checkpoint and a config for tests of DeepProfiler 0.5.1: `python make_checkpoint.py FOLDER`, or `make(folder)`.

EfficientNet-B0 with one channel and random weights (seed 0), the same every time on one machine. Left at that its
features are about 1e-7, for the statistics of its 49 batch-normalisations are untouched; so each is set to those of its
own input on 16 synthetic nuclei.
"""

import json
import sys
from pathlib import Path

import numpy as np

BOX = 128  # pixels
CONFIG = {
    "dataset": {"locations": {"mode": "single_cells", "box_size": BOX, "mask_objects": False}},
    "train": {"model": {"params": {"conv_blocks": 0}}},
    "profile": {"feature_layer": "pool5", "batch_size": 32},
}


def make(folder):
    """Write checkpoint.hdf5 and config.json into FOLDER and return their paths."""
    config, checkpoint = Path(folder) / "config.json", Path(folder) / "checkpoint.hdf5"
    config.write_text(json.dumps(CONFIG, indent=1))
    _network(checkpoint)
    return config, checkpoint


def _network(path):
    # Imported after deepprofiler, which puts TensorFlow in graph mode: EfficientNet cannot be built in the other.
    from deepprofiler.profiling import build_model
    import tensorflow as tf  # isort: skip

    session = tf.compat.v1.ConfigProto()
    session.graph_options.rewrite_options.disable_meta_optimizer = True  # it takes a second for each of the 49 runs
    tf.compat.v1.keras.backend.set_session(tf.compat.v1.Session(config=session))
    tf.keras.utils.set_random_seed(0)
    model = build_model({**CONFIG, "num_classes": 2, "dataset": {**CONFIG["dataset"], "images": {"channels": ["DNA"]}}})
    norms = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    steps = []
    for norm in norms:
        mean, variance = tf.nn.moments(norm.input, axes=[0, 1, 2])
        assign = tf.compat.v1.assign
        steps.append((assign(norm.moving_mean, mean), assign(norm.moving_variance, variance)))
    for step in steps:  # in order: each changes the input of the next
        tf.compat.v1.keras.backend.get_session().run(step, {model.input: _crops()})
    model.save_weights(path)


def _crops():
    """16 crops as DeepProfiler cuts and scales them: (16, BOX, BOX, 1) float32, 0 to 1, a nucleus or a few in each."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:BOX, :BOX] - BOX / 2
    crops = rng.normal(20, 2, (16, BOX, BOX))
    for crop in crops:
        places = [(0, 0), *rng.uniform(-BOX / 2, BOX / 2, (3, 2))]
        for (dy, dx), radius in zip(places, rng.uniform(6, 14, 4), strict=True):
            crop += rng.uniform(60, 150) * np.exp(-((((y - dy) ** 2 + (x - dx) ** 2) / radius**2) ** 2))
    low, high = (extreme(crops, axis=(1, 2), keepdims=True) for extreme in (np.min, np.max))
    return ((crops - low) / (high - low)).astype(np.float32)[..., None]


if __name__ == "__main__":
    make(sys.argv[1])
