"""Configurations and checkpoints for DeepProfiler 0.5.1 (Moshkov et al. 2024, doi:10.1038/s41467-024-45999-1).

Standard library and h5py only, so that the planner can report problems before anything runs.
"""

import json
from pathlib import Path

from idrstream.base import files
from idrstream.cells import checkpoints
from idrstream.cells.checkpoints import layers

CHANNEL, CHECKPOINT = "DNA", "checkpoint.hdf5"  # a suffix without h5 is read as another format
OTHERWISE = "or take --embedder efficientnet-b0, which takes three, or efficientnet, which needs no checkpoint"


def _whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


NEEDED = {
    "dataset.locations.mode": (lambda v: v == "single_cells", '"single_cells" is needed: one crop a nucleus'),
    "dataset.locations.box_size": (_whole, "the side of a crop in whole pixels is needed, for instance 128"),
    "dataset.locations.mask_objects": (
        lambda v: v is False,
        "false is needed: 0.5.1 finds the nucleus to keep by the median of 10 x 10 pixels, and of a small nucleus"
        " it keeps the background",
    ),
    "train.model.params.conv_blocks": (
        lambda v: v == 0 or (_whole(v) and v < len(checkpoints.SCALES)),
        "the variant of EfficientNet is needed, 0 (B0) to 7 (B7); 0.5.1 has no other network",
    ),
    "profile.batch_size": (_whole, "a whole number of crops is needed, for instance 32"),
}
REFUSED = {
    "dataset.images.channels": (
        lambda v: isinstance(v, list) and len(v) == 1,
        "one channel is what idrstream gives to DeepProfiler; give the config of a checkpoint of one channel",
    ),
    "train.model.crop_generator": (
        lambda v: "repeat_channel" not in str(v),
        "0.5.1 no longer has it, and would ignore it without a word; remove it and give a checkpoint that was trained"
        f" on one channel, {OTHERWISE}",
    ),
    "profile.use_pretrained_input_size": (
        lambda v: not v,
        "0.5.1 would download ImageNet weights, and then fail, for it no longer makes crops of that size with three"
        f" channels; remove it and give a checkpoint that was trained on one channel, {OTHERWISE}",
    ),
}


def problems(config, checkpoint):
    """Problems: what DeepProfiler 0.5.1 cannot run, or would run with a network that nobody trained.

    config      DeepProfiler's JSON file
    checkpoint  weights as Keras 2 saves them (HDF5); 0.5.1 silently leaves layers random that it does not find there
    returns     a list of sentences
    """
    place = f"--dp_config {Path(config).name}"
    try:
        wanted = json.loads(Path(config).read_text(encoding="utf-8"), object_pairs_hook=_without_duplicates)
    except OSError as error:
        return [f"{place}: cannot be read ({error.strerror})"]
    except ValueError as error:
        return [f"{place}: is not JSON ({error})"]
    if not isinstance(wanted, dict):
        return [f'{place}: is not a DeepProfiler config, which has "dataset", "train" and "profile"']
    problems = []
    for key, (fits, why) in {**NEEDED, **REFUSED}.items():
        value = _look(wanted, key)
        if value is None and key in NEEDED:
            problems.append(f"{place}, {key}: is missing; {why}")
        elif value is not None and not fits(value):
            problems.append(f"{place}, {key}: {json.dumps(value)}; {why}")
    key = "train.model.params.conv_blocks"
    variant = _look(wanted, key)
    if not NEEDED[key][0](variant):
        return problems
    layer = _look(wanted, "profile.feature_layer")
    if layer not in layers(variant):
        why = "is missing" if layer is None else f"{json.dumps(layer)}; 0.5.1 has no such layer"
        usual = '"pool5" is usual, the mean over the last maps (once called avg_pool)'
        problems.append(f"{place}, profile.feature_layer: {why}; {usual}")
    return problems + [f"--dp_checkpoint {Path(checkpoint).name}: {fault}" for fault in _faults(checkpoint, variant)]


def _without_duplicates(pairs):
    """A JSON object. Raises ValueError for a duplicate key, where json would use the last."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'duplicate key "{next(name for name in names if names.count(name) > 1)}"')
    return content


def _look(content, key):
    """The value at a dotted KEY; None if it is missing."""
    for name in key.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _faults(checkpoint, variant):
    try:
        stored = checkpoints.shapes(checkpoint)
    except checkpoints.NoCheckpoint as error:
        return [str(error)]
    channels = checkpoints.channels(stored)
    if channels not in (None, 1):
        whose = " (as the public ImageNet weights that IDR_stream used)" if channels == 3 else ""
        why = f"was trained on {channels} channels{whose}, idrstream gives one, and 0.5.1 no longer repeats it"
        return [f"{why}; give a checkpoint that was trained on one channel, {OTHERWISE}"]
    missing = checkpoints.missing(stored, variant)
    return [f"{missing}; is it of this network, and train.model.params.conv_blocks of this checkpoint?"] * bool(missing)


def settings(config):
    """The user's config with the project's own settings.

    The project sets the channel, labels and targets, the checkpoint's name, width and height, no compression (it would
    make the pixels 8-bit), no outlines and no paths; everything else is unchanged.
    """
    config = files.read_json(config)
    config["paths"] = {}
    overrides = {
        "dataset.images": {"channels": [CHANNEL], "width": None, "height": None},
        "dataset.metadata": {"label_field": "Gene"},
        "prepare": {"outlines": ""},
        "prepare.compression": {"implement": False},
        "train.partition": {"targets": ["Gene"]},
        "train.validation": {"batch_size": config["profile"]["batch_size"]},  # required, without effect
        "profile": {"checkpoint": CHECKPOINT},
    }
    for key, values in overrides.items():
        section = config
        for name in key.split("."):
            if not isinstance(section.get(name), dict):
                section[name] = {}
            section = section[name]
        section.update(values)
    return config
