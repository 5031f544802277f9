#!/usr/bin/env python3
"""Fetch the frames of a batch."""

import click

from idrstream.base import files
from idrstream.base.task import progress, versions, whole
from idrstream.screen import fetch
from idrstream.sources import aspera, staged


@click.command()
@versions
@click.argument("batch", type=click.Path(exists=True))
@click.argument("frames", type=click.Path())
@click.option(
    "--folders", type=click.Path(), help="Folder of the batch's local folders by number; else they are where they are."
)
@click.option("--ascp", type=click.Path(exists=True), help="IBM's ascp, if it is not on PATH.")
@click.option("--aspera_key", type=click.Path(exists=True), help="Private key that the Aspera server knows.")
@click.option("--calibration", type=click.Path(), help="Folder with the calibration of each plate, if there is any.")
@click.option("--last", is_flag=True, help="Last try: what cannot be reached is a row, even if nothing can.")
@click.option("--connections", type=click.IntRange(1, 64), default=4, show_default=True, help="Movies read at a time.")
@whole("frames")
def main(batch, frames, folders, ascp, aspera_key, calibration, last, connections):
    """Fetch the frames that BATCH (JSON, from the planner) lists into the folder FRAMES, a row an image.

    An image that cannot be had is a row with the reason. Ends with 75 if not one image could be reached.
    """
    aspera.use(ascp, aspera_key)
    batch = files.read_json(batch)
    places = staged.places(batch.get("folders", []), folders)
    rows = fetch.fetch(
        batch, frames, batch["root"], places, connections, last, calibration, lambda tasks: progress(tasks, "fetching")
    )
    for row in rows:
        if row["status"] != "ok":
            click.echo(f"{row['key']}: {row['reason']}", err=True)


if __name__ == "__main__":
    main()
