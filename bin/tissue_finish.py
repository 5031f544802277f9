#!/usr/bin/env python3
"""Finish the objects of a deep watershed in a group of a slide's tiles, and label their pixels."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search, watershed_settings


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("group", type=click.IntRange(min=0))
@click.argument("nuclei", type=click.Path(exists=True, file_okay=False))
@click.argument("labelled", type=click.Path(path_type=Path))
@click.argument("flooded", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@search.option
@watershed_settings.options
@task.whole("labelled")
@failures.of_the_unit
def main(packet, group, nuclei, labelled, flooded, layer, **texts):
    """Write into LABELLED the labels of the tiles of GROUP (from 0) of PACKET, before they are numbered.

    NUCLEI and FLOODED are the folders that COUNT and FLOOD left, FLOODED of all groups.
    """
    settings = watershed_settings.of_command(texts)[layer]
    task.limit_threads(1)
    from idrstream.tissue import costs, deep_watershed
    from idrstream.tissue.tiles import all_of, boxes_of

    packet = files.read_json(packet)
    boxes = boxes_of(packet, group)
    pixels = sum(box.pixels for box in boxes)
    labelled.mkdir()
    with costs.measured(labelled / "finish.cost.json", "finish", pixels, layer) as facts:
        found = deep_watershed.Flooded(flooded, layer, all_of(packet), nuclei)
        for tile in task.progress(boxes, f"{packet['slide']} group {group}: finishing tiles"):
            deep_watershed.finish(labelled, found, tile, settings)
        facts["settings"] = texts


if __name__ == "__main__":
    main()
