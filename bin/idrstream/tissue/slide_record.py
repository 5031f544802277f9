"""What was read, assumed and found of a slide: slide.json for people and programs, and its row in the ledger."""

from idrstream.tissue import costs, squares

TISSUE = (
    f"{squares.SIDE}-pixel squares with at least a nucleus's pixels above {squares.FAINT:g} of the contrast, "
    "grown by a diameter"
)


def record(packet, statistics, prepared, numbers, tasks, overlays):
    """The content of slide.json.

    packet      the planner's JSON of the slide
    statistics  what READ wrote of its channels
    prepared    what PREPARE wrote
    numbers     steps.Numbers
    tasks       what costs.measured wrote of every task, in the order of the steps
    overlays    list of {"file", "box"}
    """
    nuclear = [
        channel | {name: found[name] for name in ("low", "high", "masked")}
        for channel, found in zip(packet["nuclear"], statistics, strict=True)
    ]
    copied = ("slide", "size", "whole_size", "region", "pixel_size", "dtype", "channels", "tile", "metadata")
    content = {name: packet[name] for name in copied} | {"image": packet["locations"], "nuclear": nuclear}
    content |= {name: prepared[name] for name in ("diameter", "diameter_source")}
    content["diameter_um"] = _micrometres(prepared["diameter"], packet["pixel_size"])
    devices = sorted({task["device"] for task in tasks if "device" in task})
    rule = TISSUE if packet["tissue"] == "auto" else "nuclei are looked for everywhere"
    content["tissue"] = {"rule": rule, "share": prepared["tissue_share"]}
    content |= {"model": _first(tasks, "model"), "device": ", ".join(devices)}
    content["settings"] = {name: value for task in tasks for name, value in task.get("settings", {}).items()}
    content |= {"nuclei": int(numbers.labels.max()), "uncertified": int(numbers.uncertified)}
    content |= {"read_alone": int(numbers.alone), "network_tiles": sum(task.get("network_tiles", 0) for task in tasks)}
    content |= {"warnings": prepared["warnings"] + _warnings(statistics, devices), "steps": costs.together(tasks)}
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
        "size": packet["size"],
        "pixel_size": _micrometres(1, size),
        "diameter": content["diameter"],
        "uncertified": content["uncertified"],
        "seconds": round(sum(step["seconds"] for step in content["steps"]), 3),
    }


def _micrometres(pixels, size):
    """A length in micrometres; None if nobody knows the size of a pixel. Of pixels that are not square, the mean."""
    return size and round(pixels * (size["y"] * size["x"]) ** 0.5, 4)


def _first(tasks, name):
    """What the first task that tells NAME says of it."""
    return next((task[name] for task in tasks if name in task), None)


def _warnings(statistics, devices):
    several = f"parts were computed on several devices ({', '.join(devices)}): a few pixels may depend on which"
    return [several] * (len(devices) > 1) + [
        f"channel {found['number']} {found['name']}: {found['masked']:,} pixels are not in the file; "
        "its smallest level stands for them"
        for found in statistics
        if found["masked"]
    ]
