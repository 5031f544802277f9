#!/usr/bin/env python3
"""Compute deep features of every cell of a batch with DeepProfiler."""

from pathlib import Path

import click

from idrstream.base import files, gpu, stage_folder, task
from idrstream.images.calibration import read_corrected
from idrstream.images.labels import read_cells, write_cells
from idrstream.screen import deepprofiler, deepprofiler_project


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False))
@click.argument("features", type=click.Path(path_type=Path))
@click.option("--config", required=True, type=click.Path(), help="DeepProfiler's config (JSON).")
@click.option("--checkpoint", required=True, type=click.Path(), help="Its weights (HDF5), trained on one channel.")
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("features")
def main(frames, labels, features, config, checkpoint, calibration, count, require_gpu):
    """Embed the cells that LABELS found in FRAMES: an array of features an image into FEATURES, and, in its folder
    `project`, the tables and features as DeepProfiler lays them out."""
    task.limit_threads(count)
    import numpy as np

    from idrstream.cells import crops

    found = deepprofiler.problems(config, checkpoint)
    if found:
        raise task.UserError("\n".join(found))
    device = deepprofiler_project.device(require_gpu)
    on_gpu = device != deepprofiler_project.NO_GPU
    features.mkdir()
    project = deepprofiler_project.Project(features / "project", config, checkpoint)
    rows = stage_folder.read_rows(frames, "ok")
    cells = [read_cells(labels, row["key"]) for row in rows]
    for row, known_cells in zip(rows, cells, strict=True):
        project.add(row, read_corrected(frames, row, calibration), known_cells)
    with gpu.watched("GPU" if on_gpu else task.processor(count), on_gpu) as used:
        project.run(count, device)
    click.echo(f"{project.model} on {used}")
    for row, known_cells in zip(rows, cells, strict=True):
        centers = np.stack([known_cells["center_y"], known_cells["center_x"]], axis=1)
        padded = crops.padded(centers, row["shape"], project.box)
        embedded = {"label": known_cells["label"], "features": project.read(row, known_cells), "padded": padded}
        write_cells(features, row["key"], embedded)
    project.close()
    made = {"device": used, "crops": project.at_once.size, "model": project.model, "features": project.features}
    files.write_json(features / stage_folder.PROVENANCE, made)


if __name__ == "__main__":
    main()
