#!/usr/bin/env python3
"""Compute deep features of every cell of a batch."""

from pathlib import Path

import click

from idrstream import files, image, task


@click.command()
@task.versions
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False))
@click.argument("features", type=click.Path(path_type=Path))
@click.option("--embedder", default="efficientnet", show_default=True, help="Engine.")
@click.option(
    "--embed_input", type=int, default=128, show_default=True, help="Side in pixels of what the network sees."
)
@click.option("--known", type=click.Path(), help="Folder of what is known of the plates: flat-fields.")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("features")
def main(frames, labels, features, embedder, embed_input, known, count, require_gpu):
    """Embed the cells that LABELS found in FRAMES: an array of features an image into FEATURES."""
    task.limit_threads(count)
    import numpy as np

    from idrstream import embedding, gpu

    device = task.torch_device(count, require_gpu)
    engine = embedding.ENGINES[embedder](embed_input, device)
    features.mkdir()
    with gpu.watched(task.torch_name(device), device.type == "cuda") as used:
        for row in task.progress(image.read_rows(frames, "ok"), "embedding"):
            cells = image.read_cells(labels, row["key"])
            centers = np.stack([cells["center_y"], cells["center_x"]], axis=1)
            embedded = embedding.embed(engine, image.read_even(frames, row, known), centers)
            image.write_cells(features, row["key"], {"label": cells["label"], "features": embedded})
    click.echo(f"{engine.model} on {used}")
    made = {"device": used, "crops": engine.at_once.size, "model": engine.model, "features": engine.features}
    files.write_json(features / image.MADE, made)


if __name__ == "__main__":
    main()
