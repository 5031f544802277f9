"""What was read, assumed and found of a slide: slide.json for people and programs, and its row in the ledger."""

from collections import Counter

from idrstream.base import units
from idrstream.tissue import costs, search, squares

TISSUE = (
    f"{squares.SIDE}-pixel squares with at least a nucleus's pixels above {squares.FAINT:g} of the contrast, "
    "grown by a diameter"
)
COPIED = ("slide", "size", "whole_size", "region", "polygon", "pixel_size", "dtype", "channels", "tile", "metadata")
COPIED += ("npz", "given", "expansion", "measured", "statistics", "compartments", "names", "outputs")


def record(packet, statistics, found, tasks, overlays):
    """The content of slide.json.

    packet      the planner's JSON of the slide
    statistics  what READ wrote of its channels
    found       assembly.Found
    tasks       what costs.measured wrote of every task, in the order of the steps
    overlays    list of {"file", "box"}
    """
    content = {name: packet[name] for name in COPIED}  # of the planner's JSON
    content |= {"image": packet["locations"], "cells_from": packet["cells"]}
    content |= {key: _at_contrast(packet[key], statistics) for key in search.PLANES["cells"]}
    content |= _searches(packet, found, tasks)
    devices = sorted({task["device"] for task in tasks if "device" in task})
    content["device"] = ", ".join(devices)
    content["settings"] = {name: value for task in tasks for name, value in task.get("settings", {}).items()}
    numbers = [layer.numbers for layer in found.layers.values()]
    content |= {"nuclei": len(found.layers["nuclei"].objects.labels), "counts": found.counts}
    content |= {"uncertified": sum(int(layer.uncertified) for layer in numbers)}
    content |= {"read_alone": sum(int(layer.alone) for layer in numbers)}
    content |= {"network_tiles": sum(task.get("network_tiles", 0) for task in tasks)}
    told = [warning for prepared in found.prepared.values() for warning in prepared["warnings"]]
    told = packet["warnings"] + told + _warnings(statistics, devices, tasks)
    content |= {"warnings": told, "steps": costs.together(tasks)}
    return content | {"overlays": overlays}


def row(packet, content):
    """The row of the slide in the ledger, of its slide.json."""
    size = packet["pixel_size"]
    return {
        "id": packet["identity"],
        "key": packet["slide"],
        "slide": packet["slide"],
        "status": "ok",
        "reason": "",
        "retryable": False,
        "cells": content["nuclei"],
        "counts": content["counts"] and {k: v for k, v in content["counts"].items() if isinstance(v, int)},
        "size": packet["size"],
        "pixel_size": _micrometres(1, size),
        "diameter": content["diameter"],
        "uncertified": content["uncertified"],
        "seconds": round(sum(step["seconds"] for step in content["steps"]), 3),
    }


def _at_contrast(channels, statistics):
    """Channels of the planner's JSON with the grey levels that became 0 and 1, and how many pixels were masked."""
    told = {channel["number"]: channel for channel in statistics}
    facts = ("low", "high", "masked")
    return [channel | {name: told[channel["number"]][name] for name in facts} for channel in channels]


def _searches(packet, found, tasks):
    """How nuclei and cells were looked for: keys of cells begin with cell_. None of what no network looked for."""
    content = {}
    for layer, key in search.DIAMETERS.items():
        prepared = found.prepared.get(layer, {})
        pixels, source = prepared.get("diameter"), prepared.get("diameter_source")
        if packet["scales"].get(layer):
            pixels = None if packet[key] in (None, "auto") else packet[key]
            source = "given" if pixels else "the network's, by the size of a pixel"
        content |= {key: pixels, f"{key}_um": pixels and _micrometres(pixels, packet["pixel_size"])}
        content[f"{key}_source"] = source
        models = (task["model"] for task in tasks if layer in task.get("looked_for", ()))
        content["model" if layer == "nuclei" else "cell_model"] = next(models, None)
    rule = TISSUE if packet["tissue"] == "auto" else "nuclei are looked for everywhere"
    content["scales"] = {layer: scale for layer, scale in packet["scales"].items() if scale}
    share = found.prepared.get("nuclei", {}).get("tissue_share", 1.0)
    return content | {"tissue": {"rule": rule, "share": share} if "nuclei" in found.prepared else None}


def _micrometres(pixels, size):
    """A length in micrometres; None if nobody knows the size of a pixel. Of pixels that are not square, the mean."""
    return size and round(pixels * (size["y"] * size["x"]) ** 0.5, 4)


def _warnings(statistics, devices, tasks):
    several = f"parts were computed on several devices ({', '.join(devices)}): a few pixels may depend on which"
    without, undecided = Counter(), Counter()
    for task in tasks:
        without.update(task.get("without_data", {}))
        undecided.update(task.get("undecided", {}))
    unusable = [f"pictures are without channel {c['number']}: {c['unusable']}" for c in statistics if "unusable" in c]
    absent = [
        f"channel {found['number']} {found['name']}: {found['masked']:,} pixels are not in the file; "
        "its smallest level stands for them"
        for found in statistics
        if found["masked"]
    ]
    unmeasured = [
        f"channel {name}: {units.count(count, 'object')} with pixels that the file marks as without data: not measured"
        for name, count in without.items()
    ]
    lost = [
        f"{layer}: {units.count(count, 'pixel')} of the resized slide lie inside by the network, but not even a wide "
        "window tells of which object: they are background"
        for layer, count in undecided.items()
        if count
    ]
    return [several] * (len(devices) > 1) + unusable + absent + unmeasured + lost
