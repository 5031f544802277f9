#!/usr/bin/env python3
"""Take label images that lie there already, in place of segmenting."""

import shutil
from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.images.labels import read_labels, write_cells
from idrstream.images.outlines import write_outlines

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=FOLDER)
@click.argument("kept", type=FOLDER)
@click.argument("labels", type=click.Path(path_type=Path))
@click.option("--remove_edge_masks", is_flag=True, help="Nuclei that touch the border are no cells, but neighbours.")
@click.option("--outlines", is_flag=True, help="Write outlines as GeoJSON too.")
@task.whole("labels")
def main(frames, kept, labels, remove_edge_masks, outlines):
    """Take the label images of FRAMES from the folder KEPT: each, and a table of its cells, into LABELS."""
    from idrstream.cells import nuclei

    labels.mkdir()
    for row in task.progress(stage_folder.read_rows(frames, "ok"), "taking labels"):
        name = row["key"]
        found = read_labels(kept, name)
        if list(found.shape) != row["shape"]:
            sizes = " and ".join("x".join(map(str, shape)) for shape in (row["shape"], found.shape))
            raise click.ClickException(
                f"{name}: frame and label image differ in size: {sizes}; --redo segments it anew"
            )
        shutil.copy(kept / f"{name}.tif", labels)
        cells = nuclei.table(found, remove_edge_masks)
        write_cells(labels, name, cells)
        if outlines and row.get("outlines", True):  # in a run with streams, not of every image
            write_outlines(labels, name, nuclei.polygons(found), nuclei.outlines(found), cells["label"])
    files.write_json(labels / stage_folder.PROVENANCE, {"taken": "labels"})


if __name__ == "__main__":
    main()
