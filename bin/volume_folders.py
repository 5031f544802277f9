#!/usr/bin/env python3
"""Name the local folders in which the volumes of data files lie, so that the planner can be given them."""

import json
import os.path
from pathlib import Path

import click

from idrstream.base.task import versions
from idrstream.sources import staged
from idrstream.volume import data_file


@click.command()
@versions
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data_dir", required=True, help="What relative paths in them are relative to: a folder or an address.")
def main(files, data_dir):
    """Print the folders, and the containers, of the data JSONs FILES as JSON; of a file with mistakes, none.

    The planner reads the files again, and says what is wrong with them.
    """
    places = [place for path in files for place in data_file.named(path, data_dir)]
    folders = [place for place in staged.folders(places) if os.path.isabs(place)]
    click.echo(json.dumps({"root": None, "folders": folders, "images": [{"locations": places}]}))


if __name__ == "__main__":
    main()
