"""NORMALIZE: what a slide's look to a network for deep watershed rests on, measured and kept for the steps after it."""

import itertools
from pathlib import Path

import numpy as np

from idrstream.base import files
from idrstream.tissue import normalized, scratch, view
from idrstream.tissue.normalized import Channel, Normalized

FACTS, TABLES = "normalized.json", "tables.npz"
PLANES = ("nuclear", "membrane")  # keys of the planner's JSON that list channels, each for one of the network


def normalize(packet, slide, folder, stated, scale, threads=1):
    """Write what the look of a slide rests on into FOLDER; returns the facts written, without the tables of CLAHE.

    packet   the planner's JSON of the slide: its `size` and channels
    slide    its scratch
    stated   heads.Heads of the network
    scale    (y, x) pixels of the network per pixel of the slide
    threads  windows that are looked at at a time
    """
    size = tuple(packet["size"])
    shape, channels, tables = normalized.resized_shape(size, scale), {}, {}
    for key in PLANES[: stated.channels]:
        plane = _plane(slide, packet[key])
        found = plane and normalized.measure(plane, size, shape, threads)
        channels[key] = found and {name: value for name, value in found._asdict().items() if name != "tables"}
        if found:
            tables[key] = found.tables
    with files.whole(Path(folder, TABLES)) as hidden, open(hidden, "wb") as file:
        np.savez_compressed(file, **tables)
    facts = {"shape": shape, "scale": scale, "channels": channels, "warnings": _warnings(packet, slide, channels)}
    files.write_json(Path(folder, FACTS), facts)
    return facts


def read(folder, packet, slide):
    """The Normalized of a slide, of what `normalize` wrote into FOLDER."""
    facts = files.read_json(Path(folder, FACTS))
    with np.load(Path(folder, TABLES)) as tables:
        channels = [found and Channel(**found, tables=tables[key]) for key, found in facts["channels"].items()]
    planes = [_plane(slide, packet[key]) for key in facts["channels"]]
    return Normalized(planes, packet["size"], facts["shape"], channels)


def _plane(slide, channels):
    """CHANNELS of the planner's JSON in one: a function of a Box that returns (Y, X) float32 grey levels, the highest.

    Those of one grey level are left out; None where all are such.
    """
    reads = [read for read, _ in scratch.varied(slide, channels)]
    highest = view.brightest(reads)
    return (lambda box: highest(box).astype(np.float32)) if reads else None


def _warnings(packet, slide, channels):
    """Sentences on what the network was not shown; CHANNELS are of the facts."""
    names = {channel["number"]: f"{channel['number']} {channel['name']}" for channel in scratch.statistics(slide)}
    constant = {channel["number"] for channel in scratch.statistics(slide) if channel["constant"]}
    given = {key: [channel["number"] for channel in packet[key]] for key in channels}
    told = [
        f"channel {names[number]} has one grey level: the network was not shown it"
        for number in names
        if number in constant and number in itertools.chain(*given.values())
    ]
    for key, found in channels.items():
        varied = [number for number in given[key] if number not in constant]
        if varied and found is None:
            which = " with ".join(f"channel {names[number]}" for number in varied)
            cut = "in the network's pixels, but for the brightest thousandth"
            told.append(f"{which} has one grey level {cut}: the network was not shown it")
    return told
