"""Files and folders that params name: missing ones, and contradictory ones."""

from pathlib import Path

from idrstream import sources
from idrstream.base import tables
from idrstream.cells import heads
from idrstream.runs import params

ASSETS = Path(__file__).resolve().parents[3] / "assets"
GIVEN_A_NETWORK = ("efficientnet-b0", "torchscript")  # embedders that take --embed_model
DEEPPROFILER = ("dp_config", "dp_checkpoint")


def absent(values, given, schema):
    """Missing files and folders that the params name: a sentence each.

    values, given, schema  see plan.make
    """
    problems = []
    if not values["input"] and not values.get("streams"):
        problems.append("--input: name a table of wells (data_to_process.tsv), a samplesheet, or a folder of images")
    if values["input"] and values.get("streams"):
        problems.append("--streams: its file names the tables, so --input must not be given too")
    for name in ("input", "streams", "screens", "zarr_index", "ascp", "aspera_key", "phenotypes", "qc_rules"):
        if values.get(name) and name not in given and not (name == "input" and "listing" in given):
            problems.append(params.no_file(name, values[name]))
    if values["source"] and "source" not in given:
        place = str(values["source"])
        wrong = sources.fault(place) or (None if sources.scheme(place) else "there is no such folder")
        problems += [f"--source {place}: {wrong}"] if wrong else []
    if values["study"] and "study" not in given:
        studies = sorted(path.stem for path in (ASSETS / "studies").glob("*.yml"))
        listed = f"known studies are {', '.join(studies)}." if studies else ""
        problems.append(
            f"--study {values['study']}: no such study or file; {listed}{tables.nearest(values['study'], studies)}"
        )
    problems += params.no_model(values, given, schema)
    if "model" in given and heads.is_onnx(given["model"]):
        problems.append(f"--model {values['model']}: a network for deep watershed; --workflow tissue takes these")
    if values["embedder"] == "deepprofiler":
        for name in DEEPPROFILER:
            if not values[name]:
                problems.append(f"--{name}: --embedder deepprofiler needs it")
            elif name not in given:
                problems.append(params.no_file(name, values[name]))
    problems += _network(values, given)
    return problems + params.no_outdir(values, given)


def _network(values, given):
    """What is wrong with --embed_model, and with --crop_mask for DeepProfiler."""
    embedder, path = values["embedder"], values["embed_model"]
    problems = []
    if embedder in GIVEN_A_NETWORK and not path:
        problems.append(f"--embed_model: --embedder {embedder} needs the file of its network")
    elif path and embedder not in GIVEN_A_NETWORK:
        network = "its own network" if embedder == "efficientnet" else "--dp_checkpoint"
        others = " or ".join(GIVEN_A_NETWORK)
        problems.append(f"--embed_model {path}: --embedder {embedder} uses {network}; --embedder {others} uses a file")
    elif path and "embed_model" not in given:
        problems.append(params.no_file("embed_model", path))
    if embedder == "deepprofiler" and values["crop_mask"]:
        why = "DeepProfiler cuts its crops itself; --embedder efficientnet-b0 takes its checkpoint, and masks"
        problems.append(f"--crop_mask: {why}")
    return problems
