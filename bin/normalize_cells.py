#!/usr/bin/env python3
"""Normalise the single cells of an output folder to the negative controls of the whole screen."""

from pathlib import Path

import click

from idrstream import files, task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("cells", type=click.Path(path_type=Path))
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("cells")
def main(outdir, cells, count):
    """Write the cells of OUTDIR into the folder CELLS/cells, each feature in units of the negative controls' deviation.

    Beside them scaler.tsv: mean and deviation of each feature, and the number of cells they are of.
    """
    task.limit_threads(count)
    import pandas as pd

    from idrstream import normalized_cells, single_cells

    found = single_cells.SingleCells(outdir)
    scaler = normalized_cells.fitted(found)
    controls = int(scaler.count.max(initial=0))
    cells.mkdir()
    notes = found.notes
    if not notes and controls < normalized_cells.CONTROLS:
        few = f"{controls} of them are negative controls, {normalized_cells.CONTROLS} are needed"
        notes = [f"cells are not normalised: {few}"]
    if not notes:
        columns = {"feature": found.features, "cells": scaler.count, "mean": scaler.mean}
        told = pd.DataFrame(columns | {"deviation": scaler.deviation})
        told.to_csv(cells / "scaler.tsv", sep="\t", index=False)
        for path in task.progress(found.files, "normalising"):
            target = cells / "cells" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            normalized_cells.write(path, target, found.features, scaler)
    files.write_json(cells / "notes.json", {"controls": controls, "notes": notes})
    click.echo("\n".join([f"by {controls} cells of negative controls", *notes]))


if __name__ == "__main__":
    main()
