#!/usr/bin/env python3
"""Mark the cells of an output folder that a person labelled with a phenotype."""

from collections import Counter
from pathlib import Path

import click

from idrstream.base import tables, task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("labelled", type=click.Path(exists=True, dir_okay=False))
@click.argument("marked", type=click.Path(path_type=Path))
@task.notes
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("marked")
def main(outdir, labelled, marked, notes, count):
    """Write the cells of OUTDIR that have a point of the table LABELLED in their outline to MARKED/cells.parquet.

    LABELLED has the columns plate, well, frame, x, y and class. Beside them points.tsv: each point, with its cell or
    with the reason why it has none.
    """
    task.limit_threads(count)
    import pyarrow.parquet as pq

    from idrstream.runs import ledger
    from idrstream.screen import phenotypes, profiles

    try:
        told = phenotypes.points(labelled, outdir)
    except tables.Problems as found:
        raise task.UserError("\n".join(found.sentences)) from found
    plates = {f"plate={point['plate']}" for point in told}
    paths = [path for path in ledger.tables_in(outdir, profiles.FOLDER) if path.parent.name in plates]
    cells = phenotypes.cells(paths, told)
    marked.mkdir()
    tables.write(marked / "points.tsv", list(told[0]), told)
    if cells is not None:
        pq.write_table(cells, marked / "cells.parquet", compression="zstd")
    missed = Counter(point["reason"].split(":")[0] for point in told if not point["cell"])
    why = "; ".join(f"{number} x {reason}" for reason, number in missed.items())
    warned = [f"{missed.total()} points of --phenotypes have no cell ({why}): points.tsv"] if missed else []
    count = 0 if cells is None else len(cells)
    said = (
        f"{len(told) - missed.total()} of {len(told)} points of phenotypes lie in a nucleus: {count} cells are marked"
    )
    task.tell(notes, [said], warned)
    click.echo("\n".join([said, *warned]))


if __name__ == "__main__":
    main()
