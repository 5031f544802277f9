"""PREPARE: the diameter of a slide's nuclei, or of its cells, and the squares in which they are looked for."""

from pathlib import Path

import numpy as np

from idrstream.base import files, units
from idrstream.cells import segmentation
from idrstream.tissue import diameter, scratch, search, view
from idrstream.tissue.squares import SIDE, Squares, without_glass

FACTS, SQUARES = "prepared.json", "squares.npy"


def prepare(packet, slide, folder, load, layer):
    """Write the diameter and the squares of a slide into FOLDER; returns the facts written.

    packet  the planner's JSON of the slide: its `size`, diameters (pixels, or "auto") and `tissue` ("all" or "auto")
    slide   its scratch
    load    function that returns the network.Model; not called where the diameter is given
    layer   of search.PLANES
    """
    shape, planes = tuple(packet["size"]), scratch.planes(slide, packet, layer)
    pixels, source = _diameter(packet[search.DIAMETERS[layer]], layer, planes, shape, load)
    wanted = Squares(np.zeros([-(-side // SIDE) for side in shape], bool))
    if planes and packet["tissue"] == "auto":
        wanted = without_glass(view.brightest(planes), shape, pixels, segmentation.MIN_SIZE)
    elif planes:
        wanted = Squares(~wanted.wanted)
    with files.whole(Path(folder, SQUARES)) as hidden, open(hidden, "wb") as file:
        np.save(file, wanted.wanted)
    facts = {"diameter": pixels, "diameter_source": source, "tissue_share": round(wanted.share, 6)}
    looked_at = {channel["number"] for channel in packet[search.PLANES[layer][0]]}
    facts["warnings"] = [
        f"channel {channel['number']} {channel['name']} has one grey level: no {layer} were looked for in it"
        for channel in scratch.statistics(slide)
        if channel["constant"] and channel["number"] in looked_at
    ]
    files.write_json(Path(folder, FACTS), facts)
    return facts


def read(folder):
    """(diameter in pixels, Squares; None where objects are looked for everywhere) of what `prepare` wrote."""
    wanted = np.load(Path(folder, SQUARES))
    return files.read_json(Path(folder, FACTS))["diameter"], None if wanted.all() else Squares(wanted)


def _diameter(request, layer, planes, shape, load):
    """(pixels, its source in words)."""
    if request != "auto":
        return request, "given"
    model = load()
    found = diameter.estimate(model, planes, shape) if planes else None
    if found and found.nuclei:
        windows = units.count(len(found.windows), "window")
        return found.diameter, f"estimated from {windows}, {found.nuclei:,} {layer}"
    return model.diameter, "the model's own"
