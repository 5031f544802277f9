#!/usr/bin/env python3
"""Save the frames of a batch as they were measured, and their label images, as fields of OME-Zarr plates."""

from pathlib import Path

import click

from idrstream.base import stage_folder, task
from idrstream.images.calibration import field_of, offset_of, read_corrected
from idrstream.images.frames import frame_key, read_frame
from idrstream.images.labels import read_labels
from idrstream.readers import bit_depth
from idrstream.screen import hcs


@click.command()
@task.versions
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False))
@click.argument("saved", type=click.Path(path_type=Path))
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@task.whole("saved")
def main(frames, labels, saved, calibration):
    """Write FRAMES, illumination corrected, and LABELS into the folder SAVED, laid out as the output folder is."""
    from idrstream.images import ome_zarr

    saved.mkdir()
    for row in task.progress(stage_folder.read_rows(frames, "ok"), "saving"):
        found = field_of(row, calibration)
        about = {"flatfield": found[3]["kind"] if found and found[3]["status"] == "ok" else "none"}
        offset = offset_of(row, calibration)
        if about["flatfield"] != "none" or offset:
            about["camera_offset"] = offset
        stored = read_frame(frames, frame_key(row)).dtype
        pixels = ome_zarr.like_stored(read_corrected(frames, row, calibration), stored)
        nuclei = read_labels(labels, row["key"])
        full = bit_depth.full_scale(row["type"], row["bit_depth"])
        ome_zarr.write(saved / hcs.field(row), row["key"], pixels, nuclei, about, full)


if __name__ == "__main__":
    main()
