"""What makes a result of `tissue` what it is (runs.recipe). Standard library only, because it runs on the head.

The slide itself, with the channels, pixel size and region that are taken of it, is in the id of its row. How it is cut
into tiles is in neither, for it changes no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idrstream.runs.recipe import Book, Library, Stage

NETWORK = ("diameter", "predict")  # stages with a network of Cellpose's

STAGES = {
    "readers": Stage("reading of images", "readers/__init__.py"),
    "statistics": Stage("contrast", "tissue/levels.py"),
    "diameter": Stage("diameters", "tissue/diameter.py"),
    "squares": Stage("search for tissue", "tissue/squares.py"),
    "predict": Stage("flows", "tissue/prediction.py"),
    "label": Stage("nuclei", "tissue/labelling.py"),
    "normalize": Stage("contrast for deep watershed", "tissue/normalized.py"),
    "maps": Stage("maps for deep watershed", "tissue/blending.py"),
    "flood": Stage("deep watershed", "tissue/flooding.py"),
    "given": Stage("label images that exist", "tissue/given.py"),
    "pair": Stage("pairs of nuclei and cells", "tissue/pairing.py"),
    "expand": Stage("cells around nuclei", "tissue/expansion.py"),
    "measure": Stage("measurements", "tissue/measuring.py"),
    "tables": Stage("tables", "tissue/tables/__init__.py"),
}

# Parameters that affect results, and models: name -> (stages that take it, default). "nuclei" and "cells" are as they
# are for a slide: "labels" where its row names a label image, "watershed" where a network for it looks for them.
PARAMS = {
    "nuclei": (("readers",), "model"),
    "model": (("nuclei", "maps"), None),
    "diameter": (("nuclei",), "auto"),
    "flow_threshold": (("label",), 0.4),
    "cellprob_threshold": (("predict",), 0),
    "tissue": (("predict",), "all"),
    "maxima_threshold": (("flood",), "cell=0.075,nucleus=0.1"),
    "maxima_smooth": (("flood",), "0"),
    "maxima_algorithm": (("flood",), "h_maxima"),
    "interior_threshold": (("flood",), "0.2"),
    "interior_smooth": (("flood",), "2"),
    "radius": (("flood",), "2"),
    "small_objects": (("flood",), "15"),
    "fill_holes": (("flood",), "15"),
    "label_erosion": (("flood",), "0"),
    "pixel_expansion": (("flood",), "0"),
    "cells": (("readers",), "none"),
    "expansion": (("expand",), "3um"),
    "cell_model": (("cells", "maps"), None),
    "cell_diameter": (("cells",), "auto"),
    "statistics": (("measure",), "mean,median,min,max,sd,variance"),
    "compartments": (("measure",), "nucleus,cytoplasm,membrane,cell"),
    "names": (("tables",), "qupath"),
    "outputs": (("tables",), "masks,quant,geojson,parquet,h5ad,spatialdata"),
}
CHECKSUMS = ("model", "cell_model")

LIBRARIES = (
    Library("cellpose", "torch", "2.15", NETWORK, "networks"),
    Library("cellpose", "openvino", "2026.4", (*NETWORK, "maps"), "networks on a processor"),
    Library("cellpose", "onnxruntime-gpu", "1.31", ("maps",), "networks for deep watershed on a GPU"),
    Library("cellpose", "cellpose", "3.1", NETWORK, "the network's layers, and its tiles' averages"),
    Library("cellpose", "opencv-python-headless", "4.11", ("diameter",), "resizing"),
    Library("cellpose", "scipy", "1", ("diameter", "normalize", "flood"), "filters, resizing, holes"),
)

# Commands that check their libraries, and the stages that each computes.
COMMANDS = {"prepare": ("diameter", "squares"), "predict": ("predict",)}
COMMANDS |= {"normalize": ("normalize",), "flood": ("maps", "flood")}


def _wanted(values: Mapping[str, Any]) -> set[str]:
    networks = {"nuclei"} if values["nuclei"] == "model" else set()
    networks |= {"cells"} if values["cells"] == "model" else set()
    flooded = {layer for layer in ("nuclei", "cells") if values[layer] == "watershed"}
    measured = values["cells"] != "none" or {*values["outputs"].split(",")} != {"masks"}
    wanted = {"readers"} | networks | flooded | ({"measure", "tables"} if measured else set())
    wanted |= {"statistics", "predict", "label"} if networks else set()
    wanted |= {"squares"} if networks and values["tissue"] == "auto" else set()
    diameters = {"nuclei": "diameter", "cells": "cell_diameter"}
    wanted |= {"diameter"} if any(values[diameters[layer]] == "auto" for layer in networks) else set()
    wanted |= {"expand"} if values["cells"] == "expand" else set()
    wanted |= {"normalize", "maps", "flood"} if flooded else set()
    wanted |= {"pair"} if values["cells"] in ("model", "labels", "watershed") else set()
    return wanted | ({"given"} if "labels" in (values["nuclei"], values["cells"]) else set())


BOOK = Book(STAGES, PARAMS, CHECKSUMS, CHECKSUMS, LIBRARIES, COMMANDS, _wanted)
