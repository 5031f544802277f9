#!/usr/bin/env python3
"""Estimate the diameter of a plate's nuclei."""

from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.base.sampling import spread
from idrstream.images.calibration import REFERENCES, read_corrected


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("out", type=click.Path())
@click.option("--model", required=True, type=click.Path(exists=True), help="Cellpose model file.")
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@click.option("--threads", "count", default=1, show_default=True, help="Frames to segment at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
def main(frames, out, model, calibration, count, require_gpu):
    """Segment a plate's reference FRAMES at the model's own diameter; write that of its small nuclei to OUT (JSON)."""
    task.limit_threads(1)  # each thread segments one frame
    from idrstream.cells.segmentation import PLATE_SHARE, Segmenter, plate_area

    rows = stage_folder.read_rows(frames)
    usable = [row for row in rows if row["status"] == "ok"]
    chosen = [usable[i] for i in spread(len(usable), REFERENCES)]
    segmenter = Segmenter(model, device=task.device(require_gpu), threads=count)
    images = (read_corrected(frames, row, calibration) for row in chosen)
    diameter, nuclei = segmenter.estimate_diameter(images, plate_area)
    plate = Path(out).stem
    files.write_json(
        out, {"plate": plate, "diameter": diameter, "nuclei": nuclei, "frames": [row["key"] for row in chosen]}
    )
    basis = f"of {nuclei} nuclei in {len(chosen)} frames smaller ones have {PLATE_SHARE:.0%} of the area"
    basis = basis if nuclei else "the model's own"
    click.echo(f"{plate}: {diameter} pixels, {basis}")


if __name__ == "__main__":
    main()
