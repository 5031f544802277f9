#!/usr/bin/env python3
"""Compute deep features of every cell of a batch."""

from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.images.calibration import read_corrected
from idrstream.images.labels import read_cells, read_labels, write_cells


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False))
@click.argument("features", type=click.Path(path_type=Path))
@click.option("--embedder", default="efficientnet", show_default=True, help="Engine.")
@click.option("--embed_model", type=click.Path(), help="Network of the user's, for the engines that take one.")
@click.option(
    "--embed_input", type=int, default=128, show_default=True, help="Side in pixels of what the network sees."
)
@click.option("--crop_rule", default="idrstream", show_default=True, help="How crops are scaled: docs/screen/usage.md.")
@click.option("--crop_mask", is_flag=True, help="Set the pixels of other nuclei in a crop to 0.")
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@click.option("--threads", "count", default=1, show_default=True, help="Portions of crops at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("features")
def main(
    frames, labels, features, embedder, embed_model, embed_input, crop_rule, crop_mask, calibration, count, require_gpu
):
    """Embed the cells that LABELS found in FRAMES: an array of features an image into FEATURES."""
    task.limit_threads(1)  # each thread computes one portion of crops
    import numpy as np

    from idrstream.base import gpu
    from idrstream.cells import crops, embedding

    device = task.device(require_gpu)
    engine = embedding.ENGINES[embedder](embed_input, device, crop_rule, embed_model, count)
    rows = stage_folder.read_rows(frames, "ok")
    features.mkdir()

    def cut(row):
        name, cells = row["key"], read_cells(labels, row["key"])
        centers = np.stack([cells["center_y"], cells["center_x"]], axis=1)
        mask = (read_labels(labels, name), cells["label"]) if crop_mask else ()
        pixels = read_corrected(frames, row, calibration)
        facts = {"label": cells["label"], "padded": crops.padded(centers, pixels.shape)}
        return (name, facts), crops.around(pixels, centers, *mask)

    with gpu.watched(task.device_name(device, count), device == "cuda") as used:
        embedded = embedding.embed(engine, map(cut, rows))
        for (name, facts), found in task.progress(embedded, "embedding", len(rows)):
            crops.check(name, facts["label"], found)
            write_cells(features, name, facts | {"features": found})
    model = engine.model + "-masked" * crop_mask
    click.echo(f"{model} on {used}")
    made = {"device": used, "crops": engine.at_once.size, "model": model, "features": engine.features}
    files.write_json(features / stage_folder.PROVENANCE, made)


if __name__ == "__main__":
    main()
