#!/usr/bin/env python3
"""Write the single cells of an output folder as AnnData."""

from pathlib import Path

import click

from idrstream.base import task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("h5ad", type=click.Path(path_type=Path))
@task.notes
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("h5ad")
def main(outdir, h5ad, notes, count):
    """Write the cells of OUTDIR into the folder H5AD, a file a plate: features in X, Metadata_* in obs.

    Exit code 64, and no folder, where there is no table, or tables differ in their features.
    """
    task.limit_threads(count)
    from idrstream.screen import annotated, single_cells

    cells = single_cells.SingleCells(outdir)
    if cells.notes or not cells.plates:
        raise task.UserError(cells.notes[0] if cells.notes else "there is no table of cells")
    h5ad.mkdir()
    for plate, paths in task.progress(list(cells.plates.items()), "writing"):
        annotated.write(paths, cells, h5ad / f"{plate}.h5ad")
    task.tell(notes, [], [])
    click.echo(f"{len(cells.plates)} plates")


if __name__ == "__main__":
    main()
