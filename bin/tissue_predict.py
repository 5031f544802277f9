#!/usr/bin/env python3
"""Find the pixels of nuclei in a group of a slide's tiles with Cellpose."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("group", type=click.IntRange(min=0))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("prepared", type=click.Path(exists=True, file_okay=False))
@click.argument("predicted", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True, path_type=Path), help="Cellpose model file.")
@click.option(
    "--cellprob_threshold", type=float, default=0.0, show_default=True, help="Smallest cell probability (logit)."
)
@click.option("--threads", "count", default=1, show_default=True, help="Tiles of the network at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@search.option
@task.whole("predicted")
@failures.of_the_unit
def main(packet, group, slide, prepared, predicted, model, cellprob_threshold, count, require_gpu, layer):
    """Write into PREDICTED where the pixels of nuclei in the tiles of GROUP (from 0) of PACKET come to rest.

    SLIDE and PREPARED are the folders that READ and PREPARE left.
    """
    task.limit_threads(1)  # each thread computes one tile
    from idrstream.base import gpu
    from idrstream.tissue import costs, network, scratch, steps
    from idrstream.tissue import prepared as before
    from idrstream.tissue.tiles import boxes_of

    packet = files.read_json(packet)
    boxes, shape = boxes_of(packet, group), tuple(packet["size"])
    pixels = sum(box.pixels for box in boxes)
    predicted.mkdir()
    with costs.measured(predicted / "predict.cost.json", "predict", pixels, layer) as facts:
        net = network.load(model, require_gpu, count)
        diameter, squares = before.read(prepared)
        field = net.field(scratch.planes(slide, packet, layer), shape, diameter, squares)
        with gpu.watched(net.device, net.on_gpu) as device:
            for tile in task.progress(boxes, f"{packet['slide']} group {group}: predicting tiles"):
                steps.predict(predicted, field, tile, shape, net.rounds(diameter), cellprob_threshold)
        facts |= {"device": device["name"], "network_tiles": field.tiles}
        facts |= {"looked_for": [layer], "model": {"name": model.name, "sha256": files.sha256(model)}}
        facts["settings"] = {"cellprob_threshold": cellprob_threshold}


if __name__ == "__main__":
    main()
