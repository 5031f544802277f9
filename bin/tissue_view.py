#!/usr/bin/env python3
"""Look at a slide of an output folder in napari: channels, nuclei and cells, and the row of each."""

from contextlib import ExitStack
from pathlib import Path

import click

from idrstream.base import tables
from idrstream.images import viewer
from idrstream.tissue import viewing


@click.command()
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--slide", required=True, help="Slide, by its name.")
@click.option("--channel", "channels", multiple=True, help="Channel to show, by name; again for more. [of the nuclei]")
@click.option("--image", "images", multiple=True, help="File of the slide, if it was moved; again if it has several.")
def main(outdir, slide, channels, images):
    """Show a slide of OUTDIR in napari, from its files and its store; a click on a cell shows its row."""
    viewer.check()
    with ExitStack() as files:
        try:
            found = viewing.Slide(outdir, slide)
            layers, notes = found.layers(found.chosen(channels), images, files)
        except tables.Problems as problems:
            raise click.ClickException(str(problems)) from problems
        for note in notes:
            click.echo(note)
        if layers:
            viewer.show(layers, slide)


if __name__ == "__main__":
    main()
