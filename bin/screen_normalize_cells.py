#!/usr/bin/env python3
"""Normalise the single cells of an output folder to the negative controls of the whole screen."""

from pathlib import Path

import click

from idrstream.base import task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("cells", type=click.Path(path_type=Path))
@click.option("--negative_control", "named", help="Control type that is negative, beside `negative control`.")
@task.notes
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("cells")
def main(outdir, cells, named, notes, count):
    """Write the cells of OUTDIR into the folder CELLS/cells, each feature in units of the negative controls' deviation.

    Beside them scaler.tsv: mean and deviation of each feature, the number of cells they are of, and whether it is
    divided by the deviation.

    Exit code 64, and no folder, where there are too few cells of negative controls, or tables differ in their features.
    """
    task.limit_threads(count)
    import pandas as pd

    from idrstream.screen import controls, normalized_cells, single_cells

    found = single_cells.SingleCells(outdir)
    if found.notes:
        raise task.UserError(found.notes[0])
    negative = controls.words(named)
    scaler = normalized_cells.fitted(found, negative)
    count = int(scaler.count.max(initial=0))
    needed = normalized_cells.CONTROLS
    if count < needed:
        types = normalized_cells.control_types(found)
        raise task.UserError(controls.too_few("Cells", "the screen's cells", count, needed, types, negative))
    cells.mkdir()
    columns = {"feature": found.features, "cells": scaler.count, "mean": scaler.mean}
    told = pd.DataFrame(columns | {"deviation": scaler.deviation, "scaled": scaler.scaled})
    told.to_csv(cells / "scaler.tsv", sep="\t", index=False)
    for path in task.progress(found.files, "normalising"):
        target = cells / "cells" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        normalized_cells.write(path, target, found.features, scaler)
    flat, rare = ~scaler.scaled, scaler.count < needed
    said = f"by {count} cells of negative controls"
    if flat.any():
        said += f"; {flat.sum()} features hardly vary among them (scaler.tsv: scaled)"
    if rare.any():
        said += f"; {rare.sum()} features of fewer than {needed} of them are empty (scaler.tsv: cells)"
    task.tell(notes, [], [])
    click.echo("\n".join([said, *controls.incomparable(outdir, found.plates)]))


if __name__ == "__main__":
    main()
