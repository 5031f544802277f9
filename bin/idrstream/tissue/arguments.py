"""The arguments of every stage's command, as they follow from the params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idrstream.tissue import watershed_settings


def of(values: Mapping[str, Any]) -> dict[str, str]:
    """What each stage's command is given of the params; what is of a slide is in its packet."""
    gpu = "--require_gpu" if values["require_gpu"] else ""
    settings = {name: watershed_settings.canonical(name, values[name]) for name in watershed_settings.NAMES}
    watershed = " ".join(f"--{name} {text}" for name, text in settings.items())
    return {
        "read": f"--connections {values['connections']}",
        "prepare": gpu,
        "predict": f"--cellprob_threshold {values['cellprob_threshold']} {gpu}".strip(),
        "seeds": "",
        "label": f"--flow_threshold {values['flow_threshold']}",
        "number": "",
        "normalize": "",
        "flood": f"{watershed} {gpu}".strip(),
        "count": "",
        "finish": watershed,
        "take": f"--connections {values['connections']}",
        "pair": "",
        "measure": f"--connections {values['connections']}",
        "tables": "",
        "assemble": "",
        "commit": "--keep_intermediates" if values["keep_intermediates"] else "",
        "summary": f"--max_failed {values['max_failed']}",
    }
