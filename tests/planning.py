"""What tests of a plan share: the params of a small run, its table of wells, and the plan that is made of them."""

import json

from idrstream.screen import plan
from repository import ROOT

SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
RULES = {name: rule for group in SCHEMA["$defs"].values() for name, rule in group["properties"].items()}
DEFAULTS = {
    name: rule["x-workflows"]["screen"].get("default")
    for name, rule in RULES.items()
    if "screen" in rule["x-workflows"]
}
DEFAULTS |= {"workflow": "screen", "redo": False, "connections": 4, "max_failed": 0.05}
DEFAULTS |= {"study": "example", "batch_size": 2, "outdir": "out"}
DEFAULTS |= {"input": "wells.tsv", "screens": "screens.tsv", "source": "source"}

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
