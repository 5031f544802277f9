"""The networks that look for the objects of slides: which one finds what, and at which scale it sees a slide."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.cells import heads
from idrstream.tissue import recipe, search, watershed_settings

PARAMS = {"nuclei": "model", "cells": "cell_model"}  # that name the network of a layer
DIAMETERS = {PARAMS[layer]: param for layer, param in search.DIAMETERS.items()}  # of what a network looks for
KERAS = (".h5", ".hdf5", ".keras")
FLOWS = ("flow_threshold", "cellprob_threshold")  # of Cellpose's networks
SCALES = 0.1, 10.0  # network pixels a pixel: a slide outside of them has another pixel size than it states

Networks = Mapping[str, heads.Heads]


class Search(NamedTuple):
    """A network that looks at a slide.

    layers  what it looks for: "nuclei", "cells", or both at once
    param   that names it: "model" or "cell_model"
    scale   (y, x) network pixels per pixel of the slide, of one for deep watershed; None of Cellpose's, which go by a
            diameter
    """

    layers: list[str]
    param: str
    scale: tuple[float, float] | None = None


def networks(given: Mapping[str, Path]) -> tuple[dict[str, heads.Heads], list[str]]:
    """Param -> what its file states, of those that are networks for deep watershed; and sentences about the others.

    given  param -> its file, of those that exist
    """
    found, problems = {}, []
    for param in DIAMETERS:
        if param in given and given[param].suffix.lower() in KERAS:
            how = "docs/tissue/migrating-from-deepcell-imaging.md converts it"
            why = f"networks for deep watershed are ONNX files; {how}"
            problems.append(f"--{param} {given[param].name}: a file of Keras; {why}")
        if param in given and heads.is_onnx(given[param]):
            try:
                found[param] = heads.describe(given[param])
            except heads.NoNetwork as reason:
                problems.append(f"--{param} {given[param].name}: {reason}")
    return found, problems


def of(layers: list[str], networks: Networks, values: Mapping[str, Any]) -> list[Search]:
    """Who looks for LAYERS. The network of the nuclei finds cells too where it can and no other is named."""
    both = "model" in networks and not values["cell_model"]
    if both and layers:
        return [Search(layers, "model")]
    return [Search([layer], PARAMS[layer]) for layer in layers]


def problems(values: Mapping[str, Any], networks: Networks) -> Iterator[str]:
    """Sentences about params of a deep watershed that are wrong, and params that another kind of network would need."""
    try:
        watershed_settings.settings({name: values[name] for name in watershed_settings.NAMES})
    except ValueError as faults:
        yield from str(faults).splitlines()
    named = values["cells"] == "model" and values["cell_model"]
    if "model" in networks and not named and values["cell_diameter"] != "auto":
        why = "one network finds nuclei and cells; --diameter sets its scale"
        yield f"--cell_diameter {values['cell_diameter']}: {why}"
    used = {"model"} | ({"cell_model"} if named else set())
    kinds = {param in networks for param in used}
    if True not in kinds:
        for name in watershed_settings.NAMES:
            yield from _unused(values, name, "for deep watershed, whose networks are ONNX files; --model names none")
    if False not in kinds:
        for name in FLOWS:
            yield from _unused(values, name, "of Cellpose's networks, and --model names none of these")
    if True in kinds and values["tissue"] == "auto":
        yield "--tissue auto: networks for deep watershed look at all of a slide; leave it out"


def _unused(values: Mapping[str, Any], name: str, why: str) -> Iterator[str]:
    try:
        value = values[name] if name in FLOWS else watershed_settings.canonical(name, values[name])
    except ValueError:  # which `problems` tells
        return
    if value != recipe.PARAMS[name][1]:
        yield f"--{name} {values[name]}: it is {why}"


def scaled(
    search: Search,
    network: heads.Heads,
    values: Mapping[str, Any],
    pixel: tuple[float, float] | None,
    length: float | str | None,
) -> tuple[Search, str | None]:
    """(SEARCH with its scale on a slide, what is wrong with it).

    pixel   (y, x) of the slide in micrometres; None: unknown
    length  diameter of the objects, pixels, as the user states it; or "auto"
    """
    name, param = os.path.basename(str(values[search.param])), DIAMETERS[search.param]
    try:
        network.require(search.layers)
        scale = network.scale(pixel, "auto" if length is None else length)
    except heads.NoNetwork as reason:
        remedy = "; name the network that finds cells by --cell_model" if "cells" in search.layers else ""
        return search, f"--{search.param} {name}: {reason}{remedy}"
    except heads.NoScale as reason:
        if pixel or length != "auto":
            return search, f"--{param} {values[param]}: {reason}"
        other = f", or the diameter in pixels by --{param}" if network.diameter else ""
        what = f"the slide states no pixel size, and {name} sees slides at {network.pixel_size:g} µm a pixel"
        return search, f'{what}; name it in a column "pixel_size"{other}'
    if not SCALES[0] <= min(scale) <= max(scale) <= SCALES[1]:
        limits = f"{SCALES[0]:g} to {SCALES[1]:g} times its size can be looked at"
        return search, f"{name} would see the slide {max(scale):.3g} times as large as it is; {limits}"
    return search._replace(scale=scale), None
