"""What makes a result of `volume` what it is (runs.recipe). Standard library only, because it runs on the head.

The region itself, with the arrays that it is read from, is in the identity of its results. How it is cut into slabs
is in neither, for it changes no result. The tile is: another one moves the last bit of what the network computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idrstream.runs.recipe import Book, Library, Stage

STAGES = {
    "readers": Stage("reading of images", "readers/__init__.py"),
    "predict": Stage("prediction", "volume/prediction.py"),
    "label": Stage("segmentation", "volume/segmentation.py"),
    "count": Stage("counts", "volume/counts.py"),
}

# Parameters that affect results, and models: name -> (stages that take it, default).
PARAMS = {
    "checkpoint": (("predict",), None),
    "network": (("predict",), None),
    "tile": (("predict",), None),
    "threshold": (("label",), None),
}

LIBRARIES = (
    Library("volume", "openvino", "2026.4", ("predict",), "networks on a processor"),
    Library("volume", "torch", "2.15", ("predict",), "networks on a GPU"),
)

COMMANDS = {"predict": ("predict",)}  # that check their libraries, and the stages that each computes

# What is committed (results.py): kind -> the stages behind it.
KINDS = {
    "maps": {"readers", "predict"},
    "labels": {"readers", "predict", "label"},
    "counts": {"readers", "predict", "count"},
    "volume": {"readers", "predict", "label"},
}


def _wanted(_values: Mapping[str, Any]) -> set[str]:
    return set(STAGES)


BOOK = Book(STAGES, PARAMS, ("checkpoint",), ("checkpoint",), LIBRARIES, COMMANDS, _wanted)


def of(kind: str, settings: Mapping[str, Any], versions: Mapping[str, int], libraries: Mapping[str, str]) -> dict:
    """The recipe of a KIND of result; the other arguments as of Book.of."""
    return BOOK.part(BOOK.of(settings, versions, libraries), KINDS[kind])
