#!/usr/bin/env python3
"""Find the pixels of nuclei and cells in a group of a slide's tiles by deep watershed."""

from collections import Counter
from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import watershed_settings


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("group", type=click.IntRange(min=0))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("normalized", type=click.Path(exists=True, file_okay=False))
@click.argument("flooded", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True, path_type=Path), help="Network, an ONNX file.")
@click.option(
    "--layers", default="nuclei", show_default=True, help="What it is to find: nuclei, cells, or nuclei,cells."
)
@click.option("--threads", "count", default=1, show_default=True, help="Tiles of the network at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@watershed_settings.options
@task.whole("flooded")
@failures.of_the_unit
def main(packet, group, slide, normalized, flooded, model, layers, count, require_gpu, **texts):
    """Write into FLOODED the pixels of the objects in the tiles of GROUP (from 0) of PACKET, before they are finished.

    SLIDE and NORMALIZED are the folders that READ and NORMALIZE left.
    """
    wanted = watershed_settings.of_command(texts)
    task.limit_threads(1)  # each thread computes one tile
    from idrstream.base import gpu
    from idrstream.tissue import blending, costs, deep_watershed, normalizing, watershed_network
    from idrstream.tissue.tiles import boxes_of

    packet, layers = files.read_json(packet), layers.split(",")
    boxes, settings = boxes_of(packet, group), {layer: wanted[layer] for layer in layers}
    pixels = sum(box.pixels for box in boxes)
    flooded.mkdir()
    with costs.measured(flooded / "flood.cost.json", "flood", pixels, layers[0]) as facts:
        net = watershed_network.load(model, require_gpu, count)
        maps = blending.Maps(net, normalizing.read(normalized, packet, slide), layers)
        place = deep_watershed.Place(tuple(packet["size"]), tuple(maps.shape))
        lost = Counter()
        with gpu.watched(net.device, net.on_gpu) as device:
            for tile in task.progress(boxes, f"{packet['slide']} group {group}: flooding tiles"):
                lost.update(deep_watershed.flood(flooded, maps, tile, place, settings))
        facts |= {"device": device["name"], "network_tiles": maps.tiles, "settings": texts}
        facts["undecided"] = lost  # pixels by layer
        facts |= {"looked_for": layers, "model": {"name": model.name, "sha256": files.sha256(model)}}


if __name__ == "__main__":
    main()
