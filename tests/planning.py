"""What tests of a plan share: the params of a small run, its table of wells, and the plan that is made of them."""

import json
from pathlib import Path

from idrstream.screen import plan

ROOT = Path(plan.BIN).parent
SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
DEFAULTS = {"workflow": "screen", "study": "example", "batch_size": 2, "batches": "all"}
DEFAULTS |= {"redo": False, "connections": 4, "model": "idrstream", "diameter": "auto", "flow_threshold": 0.4}
DEFAULTS |= {"cellprob_threshold": 0.0, "remove_edge_masks": False, "embedder": "efficientnet", "embed_input": 128}
DEFAULTS |= {"well_profiles": "plate", "profile_by": "auto", "negative_control": None, "plate_format": None}
DEFAULTS |= {"normalize_cells": False, "h5ad": False}
DEFAULTS |= {"illumination": "plate", "camera_offset": "auto", "csv": None, "dp_config": None, "dp_checkpoint": None}
DEFAULTS |= {"phenotypes": None, "save": None}
DEFAULTS |= {"embed_model": None, "crop_rule": "idrstream", "crop_mask": False}
DEFAULTS |= {"bit_depth": "auto", "largest_nucleus": 1.0}
DEFAULTS |= {"reader": "auto", "features": "deep,cp", "stop_after": None, "qc_rules": None}
DEFAULTS |= {"outdir": "out", "input": "wells.tsv", "screens": "screens.tsv", "source": "source", "max_failed": 0.05}

HEADER = "\tPlate\tWell\tFrames\tWell Number\tControl Type\tOriginal Gene Target\tBatch Of Cells"
ROWS = (
    "0\tPA\tA4\t5\t4\tnegative control\tnegative control\t7",
    "1\tPA\tB2\t2,5,9\t26\tpositive control\tENSG01\t7",
    "2\tPA\tC1\t5\t49\tpositive control\tENSG02\t8",
    "3\tPB\tA4\t1\t4\tnegative control\tnegative control\t8",
    "4\tPB\tP24\t1,2\t384\tpositive control\tENSG03\t8",
)


def given(here, params):
    """What the head finds of the files that params name."""
    shipped = {"model": here / "model.pth", "study": ROOT / f"assets/studies/{params['study']}.yml"}
    names = ("input", "screens", "source", "outdir", "study", "model", "dp_config", "dp_checkpoint", "embed_model")
    names += ("phenotypes",)
    named = {name: here / str(params[name]) for name in names}
    found = {name: path if path.exists() else shipped.get(name, path) for name, path in named.items() if params[name]}
    if params["model"] not in ("idrstream", None) and not named["model"].exists():
        del found["model"]
    return {name: path for name, path in found.items() if path.exists()}


def planned(here, session="first", **changed):
    """The plan of a run in the folder HERE with the params CHANGED."""
    params = DEFAULTS | changed
    return plan.make(params, str(here), session, given(here, params), SCHEMA)


def keys(made):
    """The images of a plan's batches, a list a batch."""
    return [[asked["key"] for asked in batch["images"]] for batch in made.batches]
