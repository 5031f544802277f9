#!/usr/bin/env python3
"""Check everything about a run that can be known before it starts, and cut it into batches."""

import json
from pathlib import Path

import click

from idrstream.base import files
from idrstream.base.task import versions
from idrstream.runs import planning
from idrstream.screen import plan
from idrstream.sources import aspera

EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@versions
@click.argument("launch", type=click.File())
@click.argument("schema", type=EXISTING)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--input", type=EXISTING, help="Table of wells, or samplesheet.")
@click.option("--listing", type=EXISTING, help="Names of the files in --input, if that is a folder (list_files.py).")
@click.option("--streams", type=EXISTING, help="Folder of the file of streams and its tables.")
@click.option("--screens", type=EXISTING, help="Table of short and long plate names.")
@click.option("--ascp", type=EXISTING, help="IBM's ascp.")
@click.option("--aspera_key", type=EXISTING, help="Private key that the Aspera server knows.")
@click.option("--zarr_index", type=EXISTING, help="Table of plates and their OME-Zarr.")
@click.option("--study", type=EXISTING, help="Study description.")
@click.option("--qc_rules", type=EXISTING, help="Rules of quality control.")
@click.option("--model", type=EXISTING, help="Cellpose model file.")
@click.option("--dp_config", type=EXISTING, help="DeepProfiler's configuration.")
@click.option("--dp_checkpoint", type=EXISTING, help="DeepProfiler's checkpoint.")
@click.option("--embed_model", type=EXISTING, help="Network of --embedder efficientnet-b0 or torchscript.")
@click.option("--phenotypes", type=EXISTING, help="Table of points of phenotypes.")
@click.option("--locks", type=EXISTING, help="Folder of the environments' locks, TOOL/requirements.txt.")
@click.option("--outdir", type=EXISTING, help="Output folder, with its ledger.")
def main(launch, schema, out, **given):
    """Plan the run that LAUNCH describes by the params' SCHEMA; write it to OUT.

    LAUNCH is JSON: params, launch_dir, session; source, if --source is a folder that exists. The options name those
    files of the params that exist. OUT is a folder: plan.json, and a JSON for each batch and
    plate. Ends with 64 and plan.json's `problems` where something must be mended first.
    """
    launch = json.load(launch)
    given = planning.by_their_names(given, launch["params"])
    if launch["source"]:
        given["source"] = Path(launch["params"]["source"])
    if "streams" in given:
        given["streams"] /= Path(launch["params"]["streams"]).name
    aspera.use(given.get("ascp"), given.get("aspera_key"))
    with planning.problems(out):
        run = plan.make(launch["params"], launch["launch_dir"], launch["session"], given, files.read_json(schema))
    plan.write(run, out)
    click.echo(run.text())


if __name__ == "__main__":
    main()
