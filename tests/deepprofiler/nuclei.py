"""Drawn nuclei as a batch of the pipeline, for DeepProfiler to embed."""

import os
import subprocess
import sys

import numpy as np

from idrstream.images.frames import image_key
from repository import ROOT

COMMAND = ROOT / "bin/screen_embed_deepprofiler.py"
NUCLEI = {  # (y, x) by well; some near the border, none in A2, another size in A4
    "A1": [(150.25, 200.5), (40.0, 60.125), (290.7, 390.1), (100.0, 300.0)],
    "A2": [],
    "A3": [(80.3, 77.7), (222.2, 333.3)],
    "A4": [(60.0, 50.0), (130.6, 170.4), (90.0, 100.1)],
}
FIELD = np.linspace(0.5, 1.5, 400, dtype=np.float32)[None].repeat(300, axis=0)


def draw(centers, shape, seed):
    """Nuclei of several sizes on a noisy ground, uint16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    grey = rng.normal(200, 10, shape)
    for cy, cx in centers:
        grey += rng.uniform(500, 900) * np.exp(-((np.hypot(y - cy, x - cx) / rng.uniform(8, 14)) ** 4))
    return grey.astype(np.uint16)


def a_row(well, plate="P1", site=1):
    number = int(well[1:])
    key = image_key(plate, f"A{number:02}", site, 50)
    shape = [200, 260] if well == "A4" else [300, 400]
    where = {"plate": plate, "well": f"A{number:02}", "well_number": number, "site": site, "frame": 50}
    return {
        "id": key,
        "key": key,
        "status": "ok",
        **where,
        "shape": shape,
        "metadata": {"Gene": "CDK1" if number % 2 else ""},
    }


def its_cells(centers):
    y, x = np.array(centers, float).reshape(-1, 2).T
    return {"label": np.arange(1, len(y) + 1), "center_y": y, "center_x": x}


def embed(*arguments, **environment):
    command = [sys.executable, COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
