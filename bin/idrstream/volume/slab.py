"""PREDICT and LABEL: a slab's probabilities, their segmentation, and how they compare with labels."""

from pathlib import Path

import numpy as np

from idrstream.base import failures, files
from idrstream.volume import counts, grid, ome_zarr, results, scores, segmentation, truth
from idrstream.volume.box import Box


def store(packet, folder):
    """The Store of a packet's region in a FOLDER of results."""
    return ome_zarr.Store(Path(folder, results.store(packet["entry"])), Box.of(packet["roi"]), packet["shard"])


def keep(packet, folder, parts):
    """Write the probabilities of a slab, PARTS of prediction.predict, into FOLDER."""
    slab = Box.of(packet["box"])
    maps = np.zeros((packet["classes"], *slab.shape), np.uint8)
    for part, probabilities in parts:
        maps[:, *part.within(slab)] = probabilities
    for number, probability in enumerate(maps, 1):
        store(packet, folder).put(ome_zarr.probability(number), slab, probability)


def label(packet, maps, region, folder):
    """Write a slab's segmentation, and its counts, as far as the packet wants them, into FOLDER.

    maps     folder of results with its probabilities
    region   arrays.Region
    returns  {"voxels": of each class, by the segmentation, where one is wanted;
             "failed": {"counts": why there are none}, where labels or masks to compare with cannot be read}
    """
    source, facts = store(packet, maps), {}
    if "labels" in packet["todo"]:
        facts["voxels"] = _segment(packet, source, region, folder)
    if "counts" in packet["todo"]:
        reason = _compare(packet, source, region, folder)
        facts |= {"failed": {"counts": reason}} if reason else {}
    return facts


def names(packet):
    """Class -> names of the data sets that have it."""
    labels = packet["labels"]
    return {str(number): [each["path"] for each in labels if each["class_id"] == number] for number in _classes(packet)}


def tell(folder, facts):
    """Write what there is to tell, {stage: facts}, into FOLDER."""
    files.write_json(Path(folder, results.FACTS), facts)


def _segment(packet, source, region, folder):
    """Write a slab's segmentation; returns the voxels of each class."""
    slab = Box.of(packet["box"])
    classes, voxels = np.zeros(slab.shape, np.uint8), dict.fromkeys(_classes(packet), 0)
    for layer in _layers(slab):
        inside = truth.inside(region.sample(layer), layer)
        found = segmentation.segment(_read(source, _classes(packet), layer), packet["threshold"], inside)
        classes[layer.within(slab)] = found
        voxels = {number: voxels[number] + int((found == number).sum()) for number in voxels}
    store(packet, folder).put(ome_zarr.SEGMENTATION, slab, classes)
    return {f"class_{number}": count for number, count in voxels.items()}


def _compare(packet, source, region, folder):
    """Write a slab's counts, of the classes that there are labels of: nobody has looked for others.

    Returns why there are none if labels or masks cannot be read, else None. They are the user's for this alone: the
    probabilities stay. What trying again may help is raised.
    """
    slab, total = Box.of(packet["box"]), 0
    numbers = sorted({label["class_id"] for label in packet["labels"]})
    for layer in _layers(slab):
        try:
            inside = truth.inside(region.sample(layer), layer)
            scored = inside & truth.inside(region.zones(layer), layer)
            classes = truth.merged(region.labels(layer), layer)
        except failures.ImageFailure as failure:
            if failure.retryable:
                raise
            return failures.in_words(failure)
        total += counts.count(_read(source, numbers, layer), classes, inside, scored, numbers)
    path = Path(folder, results.counts(packet["entry"], packet["checkpoint"]["name"], packet["slab"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    scores.write(path, scores.named(total, numbers), {str(number): names(packet)[str(number)] for number in numbers})
    return None


def _layers(slab):
    """Boxes as thick as a chunk, which is decoded once: labels may take 8 bytes a voxel, and are read as they lie."""
    return slab.parts((grid.CHUNK, *slab.shape[1:]))


def _read(source, numbers, box):
    """(k, z, y, x) uint8: the probabilities of k classes."""
    return np.stack([source.get(ome_zarr.probability(number), box) for number in numbers])


def _classes(packet):
    return range(1, packet["classes"] + 1)
