#!/usr/bin/env python3
"""Measure classical features of every cell of a batch."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import click

from idrstream.base import files, processes, stage_folder, task
from idrstream.images.calibration import read_corrected
from idrstream.images.labels import read_cells, read_labels, write_cells
from idrstream.readers import bit_depth


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False))
@click.argument("measures", type=click.Path(path_type=Path))
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@click.option("--threads", "count", default=1, show_default=True, help="Images to measure at a time.")
@task.whole("measures")
def main(frames, labels, measures, calibration, count):
    """Measure as CellProfiler does the cells that LABELS found in FRAMES: an array of features an image to MEASURES."""
    task.limit_threads(1)  # each process measures one image
    from idrstream.cells import measurement

    measures.mkdir()
    files.write_json(measures / stage_folder.PROVENANCE, {"model": measurement.ENGINE, "features": measurement.COLUMNS})
    rows = stage_folder.read_rows(frames, "ok")
    click.echo(f"{measurement.ENGINE}, {count} at a time")
    with ProcessPoolExecutor(count, get_context("fork"), processes.tie, (os.getpid(),)) as pool:
        done = [pool.submit(_measure, frames, labels, measures, calibration, row) for row in rows]
        try:
            for one in task.progress(done, "measuring"):
                one.result()
        except BrokenProcessPool as killed:
            raise task.OutOfMemory("a process that measured an image was killed: too little memory?") from killed
        finally:
            pool.shutdown(cancel_futures=True)


def _measure(frames, labels, measures, calibration, row):
    import numpy as np

    from idrstream.cells import measurement

    nuclei, cells = read_labels(labels, row["key"]), read_cells(labels, row["key"])["label"]
    pixels = read_corrected(frames, row, calibration) / bit_depth.full_scale(row["type"], row["bit_depth"])
    numbers, features = measurement.measure(nuclei, pixels, cells)
    unlisted = np.setdiff1d(nuclei[1:-1, 1:-1], [0, *cells, *nuclei[[0, -1]].ravel(), *nuclei[:, [0, -1]].ravel()])
    if list(cells) != list(numbers) or len(unlisted):  # only a nucleus at the border may be none of the cells
        raise ValueError(f"{row['key']}: its label image holds other cells than its table of {len(cells)}")
    seen = {"texture_levels": measurement.texture.occupied, "texture_clipped": measurement.texture.clipped}
    seen = {name: function(nuclei, pixels)[numbers - 1] for name, function in seen.items()}
    write_cells(measures, row["key"], {"label": numbers, "features": features} | seen)


if __name__ == "__main__":
    main()
