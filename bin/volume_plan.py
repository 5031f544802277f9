#!/usr/bin/env python3
"""Check everything about a run on volumes that can be known before it starts, and cut the regions into slabs."""

import json
from pathlib import Path

import click

from idrstream.base import files
from idrstream.base.task import versions
from idrstream.runs import planning
from idrstream.volume import plan

EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@versions
@click.argument("launch", type=click.File())
@click.argument("schema", type=EXISTING)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--folders", type=click.Path(path_type=Path), help="Folder of the local folders by number; else as they are."
)
@click.option("--data", type=EXISTING, help="Data JSON.")
@click.option("--validation", type=EXISTING, help="Data JSON of the regions by which a checkpoint is chosen.")
@click.option("--network", type=EXISTING, help="YAML file that describes the network.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, type=EXISTING, help="Checkpoint; may be given several times."
)
@click.option("--locks", type=EXISTING, help="Folder of the environments' locks, TOOL/requirements.txt.")
@click.option("--outdir", type=EXISTING, help="Output folder, with its ledger.")
def main(launch, schema, out, folders, checkpoints, **given):
    """Plan the run that LAUNCH describes by the params' SCHEMA; write it to OUT.

    LAUNCH is JSON: params, session, and the folder of the containers. The options name those files of the params that
    exist. OUT is a folder: plan.json, regions.json, and a JSON for each slab by which a checkpoint is chosen. Ends with
    64 and plan.json's `problems` where something must be mended first.
    """
    launch = json.load(launch)
    params, schema = launch["params"], files.read_json(schema)
    given = planning.by_their_names(given, params)
    with planning.problems(out):
        run = plan.make(params, launch["folder"], launch["session"], given, checkpoints, schema, folders)
    plan.write(run, out)
    click.echo(run.text())


if __name__ == "__main__":
    main()
