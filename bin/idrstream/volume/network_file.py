"""The network in a configuration file of incasem, or in a file of its block `model` alone."""

from pathlib import Path

from idrstream.base import strict_yaml, tables
from idrstream.volume import unet

SIZES = "input_size_voxels", "output_size_voxels"
# The sections of config_prediction.yaml and config_training.yaml, and the keys in them; `model` is the network's.
SECTIONS = {
    "directories": "runs data db",
    "prediction": """pipeline data run_id_training checkpoint directories.prefix input_size_voxels output_size_voxels
        num_workers log_metrics torch.device""",
    "training": """pipeline data iterations input_size_voxels output_size_voxels save_every log_every optimizer.lr
        optimizer.weight_decay reject.min_masked reject.reject_probability reject.probability
        augmentation.elastic.control_point_spacing augmentation.elastic.jitter_sigma augmentation.elastic.subsample
        augmentation.intensity.scale augmentation.intensity.shift augmentation.simple.transpose_only snapshot.every
        profiling_stats.every precache.cache_size precache.num_workers""",
    "validation": "pipeline data validate_every input_size_voxels output_size_voxels snapshot.every",
    "sources": "class",
    "data": "voxel_size downsample_factor num_classes",
    "model": "",
    "loss": "type weight balance_labels.clipmin balance_labels.clipmax",
    "torch": "device",
    "sacred": "log_every",
}
KNOWN = [f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys.split()]


def read(path):
    """The network that a file describes.

    returns  Unet, None where the file has no block `model`; sentences for the log on what is read and not used

    Raises tables.Problems with all faults.
    """
    path = Path(path)
    try:
        content = strict_yaml.read(path)
    except FileNotFoundError:
        raise tables.Problems.of(path.name, ["there is no such file; give a network description"]) from None
    if not isinstance(content, dict) or not content:
        raise tables.Problems.of(path.name, ["it has no keys; give a configuration of incasem, or its block model"])
    if not content.keys() & SECTIONS.keys():
        return unet.from_keys(content, path.name), []
    faults = _unknown({key: value for key, value in content.items() if key != "model"})
    network = None
    if content.get("model") is not None:
        try:
            network = unet.from_keys(content["model"], f"{path.name}, model")
        except tables.Problems as problems:
            raise tables.Problems(problems.sentences + tables.Problems.of(path.name, faults).sentences) from problems
        faults += _contradictions(content, network)
    if faults:
        raise tables.Problems.of(path.name, faults)
    return network, [f"{path.name}: {sentence}" for sentence in _unused(content)]


def _unknown(keys, place=""):
    """Faults of keys that no configuration of incasem has."""
    faults = []
    for key, value in keys.items():
        path = f"{place}{key}"
        begun = any(known.startswith(f"{path}.") for known in KNOWN)
        if isinstance(value, dict) and begun:
            faults += _unknown(value, f"{path}.")
        elif path not in KNOWN and not (begun and value is None):
            faults.append(f'unknown key "{path}".{tables.nearest(path, KNOWN)}')
    return faults


def _contradictions(content, network):
    data = content.get("data")
    data = data if isinstance(data, dict) else {}
    faults = []
    if data.get("num_classes", network.outputs) != network.outputs:
        faults.append(
            f"data.num_classes is {data['num_classes']}, model.num_fmaps_out {network.outputs}; make them equal"
        )
    if data.get("downsample_factor", 1) != 1:
        remedy = "give volumes of the voxel size that the network was trained on, and 1"
        faults.append(f"data.downsample_factor {data['downsample_factor']} is not supported: {remedy}")
    return faults


def _unused(content):
    """Sentences on what has no effect here."""
    sections = [f"{key}.*" for key in content if key != "model"]
    sentences = [f"read and not used: {', '.join(sections)}."] if sections else []
    blocks = [key for key in ("prediction", "training", "validation") if isinstance(content.get(key), dict)]
    if any(size in content[key] for key in blocks for size in SIZES):
        sentences.append("input_size_voxels and output_size_voxels have no effect: --tile says how much a tile keeps.")
    reject = (content.get("training") or {}).get("reject") or {}
    if "probability" in reject:
        sentences.append("training.reject.probability has no effect, nor has it in incasem: it is reject_probability.")
    return sentences
