#!/usr/bin/env python3
"""Name the local folders in which the slides of a table lie, so that the planner can be given them."""

import json
import os.path
from pathlib import Path

import click

from idrstream.base.tables import Problems
from idrstream.base.task import versions
from idrstream.sources import staged
from idrstream.tissue import sheet


@click.command()
@versions
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option("--folder", required=True, help="What relative paths in it are relative to.")
def main(table, folder):
    """Print the folders, and the files, of the rows of TABLE as JSON; of a table with mistakes, none.

    The planner reads the table again, and says what is wrong with it.
    """
    try:
        _, requests = sheet.read(table, {}, folder)
    except Problems:
        requests = []
    places = [place for request in requests for place in request.places]
    found = [place for place in staged.folders(places) if os.path.isabs(place)]
    click.echo(json.dumps({"root": None, "folders": found, "images": [{"locations": places}]}))


if __name__ == "__main__":
    main()
