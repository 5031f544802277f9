#!/usr/bin/env python3
"""Look at an image of an output folder in napari: frame, nuclei, and the row of each cell."""

from pathlib import Path

import click

from idrstream.base import tables
from idrstream.images import viewer
from idrstream.screen import viewing


@click.command()
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--plate", required=True, help="Plate, by its short name.")
@click.option("--well", required=True, help="Well, such as A3.")
@click.option("--site", type=int, help="Site, if the well has several.")
@click.option("--frame", type=int, help="Frame, if the site has several.")
@click.option(
    "--variant", type=click.Choice(["ic", "no_ic"]), help="Illumination corrected or not, of a run with streams."
)
def main(outdir, plate, well, **wanted):
    """Show the first image of a well in OUTDIR in napari; a click on a nucleus shows its row."""
    viewer.check()
    try:
        row, *others = viewing.find(outdir, plate, well, **wanted)
    except tables.Problems as found:
        raise click.ClickException(str(found)) from found
    layers, notes = viewing.layers(outdir, row)
    for note in notes:
        click.echo(note)
    for other in others[:8]:
        click.echo(" ".join(["also there:", *(f"--{name} {other[name]}" for name in viewing.PLACE if name in other)]))
    if layers:
        viewer.show(layers, row["key"])


if __name__ == "__main__":
    main()
