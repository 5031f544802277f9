#!/usr/bin/env python3
"""Segment the nuclei of a folder of frames with Cellpose."""

from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.images.calibration import read_corrected, read_diameters
from idrstream.images.labels import write_cells, write_labels
from idrstream.images.outlines import write_outlines


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True), help="Cellpose model file.")
@click.option(
    "--diameter", type=click.FloatRange(min=0, min_open=True), help="Diameter in pixels; the model's own if absent."
)
@click.option("--calibration", type=click.Path(), help="Folder with each plate's nucleus diameter and flat-field.")
@click.option(
    "--flow_threshold", type=float, default=0.4, show_default=True, help="Largest flow error of a mask; 0: any."
)
@click.option(
    "--cellprob_threshold", type=float, default=0.0, show_default=True, help="Smallest cell probability (logit)."
)
@click.option(
    "--largest_nucleus", "largest", default=1.0, show_default=True, help="Share of an image that a nucleus may take."
)
@click.option("--remove_edge_masks", is_flag=True, help="Nuclei that touch the border are no cells, but neighbours.")
@click.option("--outlines", is_flag=True, help="Write outlines as GeoJSON too.")
@click.option("--threads", "count", default=1, show_default=True, help="Frames to segment at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("labels")
def main(frames, labels, model, diameter, calibration, remove_edge_masks, outlines, count, require_gpu, **limits):
    """Segment every frame in FRAMES: a label image, and a table of its cells, each into LABELS."""
    task.limit_threads(1)  # each thread segments one frame
    from idrstream.base import gpu
    from idrstream.cells import nuclei, segmentation

    device = task.device(require_gpu)
    diameters = read_diameters(calibration)
    settings = limits | {"device": device, "threads": count}
    segmenter = segmentation.Segmenter(model, diameter, **settings)
    rows = stage_folder.read_rows(frames, "ok")
    labels.mkdir()

    def segment(row):
        name = row["key"]
        pixels = read_corrected(frames, row, calibration)
        segmented, too_large = segmenter.segment(pixels, diameter=diameters.get(row["plate"], diameter))
        write_labels(labels, name, segmented, too_large)
        cells = nuclei.table(segmented, remove_edge_masks)
        write_cells(labels, name, cells)
        if outlines and row.get("outlines", True):  # in a run with streams, not of every image
            write_outlines(labels, name, nuclei.polygons(segmented), nuclei.outlines(segmented), cells["label"])

    with gpu.watched(task.device_name(device, count), device == "cuda") as used:
        for _ in task.progress(task.in_threads(segment, rows, count), "segmenting", len(rows)):
            pass
    made = {"device": used, "tiles": segmenter.at_once.size, "diameter": diameters or diameter or segmenter.diameter}
    files.write_json(labels / stage_folder.PROVENANCE, made)
    click.echo(made)


if __name__ == "__main__":
    main()
