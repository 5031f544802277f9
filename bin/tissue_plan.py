#!/usr/bin/env python3
"""Check everything about a run on slides that can be known before it starts, and cut the slides into tiles."""

import json
from pathlib import Path

import click

from idrstream.base import files
from idrstream.base.task import versions
from idrstream.runs import planning
from idrstream.tissue import plan

EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@versions
@click.argument("launch", type=click.File())
@click.argument("schema", type=EXISTING)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--folders", type=click.Path(path_type=Path), help="Folder of the slides' folders by number; else as they are."
)
@click.option("--input", type=EXISTING, help="Table of slides.")
@click.option("--model", type=EXISTING, help="Cellpose model file.")
@click.option("--cell_model", type=EXISTING, help="Cellpose model file of the cells.")
@click.option("--markers", type=EXISTING, help="Table of the channels of every slide.")
@click.option("--locks", type=EXISTING, help="Folder of the environments' locks, TOOL/requirements.txt.")
@click.option("--outdir", type=EXISTING, help="Output folder, with its ledger.")
@click.option("--segmasks", type=EXISTING, help="Folder of the workspace for masks.")
@click.option("--project", type=EXISTING, help="Folder of the workspace for the QuPath project.")
@click.option("--reports", type=EXISTING, help="Folder of the workspace for tables.")
def main(launch, schema, out, folders, **given):
    """Plan the run that LAUNCH describes by the params' SCHEMA; write it to OUT.

    LAUNCH is JSON: params, session, and the folder of the table, or the folders of the workspace and which of them
    cannot be written. The options name those files of the params, and folders of the workspace, that exist.
    OUT is a folder: plan.json, and a JSON for each slide. Ends with 64 and plan.json's `problems` where something must
    be mended first.
    """
    launch = json.load(launch)
    params, schema = launch["params"], files.read_json(schema)
    given = planning.by_their_names(given, params)
    with planning.problems(out):
        places, unwritable = launch.get("workspace"), launch.get("unwritable", ())
        run = plan.make(params, launch["folder"], launch["session"], given, schema, folders, places, unwritable)
    plan.write(run, out)
    click.echo(run.text())


if __name__ == "__main__":
    main()
