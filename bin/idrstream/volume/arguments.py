"""The arguments of every stage's command, as they follow from the params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def of(values: Mapping[str, Any]) -> dict[str, str]:
    """What each stage's command is given of the params; what is of a slab is in its packet."""
    reading = f"--connections {values['connections']}"
    return {
        "predict": f"{reading} --require_gpu" if values["require_gpu"] else reading,
        "label": reading,
        "commit": "--keep_intermediates" if values["keep_intermediates"] else "",
        "choose": "",
        "assemble": reading,
        "summary": f"--max_failed {values['max_failed']}",
    }
