#!/usr/bin/env python3
"""Measure the nuclei and cells in a group of a slide's tiles."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.base.units import size

LAYER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("group", type=click.IntRange(min=0))
@click.argument("measured", type=click.Path(path_type=Path))
@click.option("--nuclei", required=True, type=LAYER, help="Folder of their numbers and their labelled tiles.")
@click.option("--cells", type=LAYER, help="The same of cells that a network or the user found, paired with nuclei.")
@task.reads
@task.whole("measured")
@failures.of_the_unit
def main(packet, group, measured, nuclei, cells, folders, connections):
    """Write into MEASURED what the objects of the tiles of GROUP (from 0) of PACKET are in every channel.

    Channels are read from the slide's files, each stored tile once; over HTTP by ranges. Ends with 65 if they cannot be
    used.
    """
    task.limit_threads(1)
    from idrstream import sources
    from idrstream.sources import staged
    from idrstream.tissue import costs, layers, measuring
    from idrstream.tissue.tiles import boxes_of

    sources.at_most(connections)
    packet = files.read_json(packet)
    boxes, words = boxes_of(packet, group), f"{packet['slide']} group {group}"
    pixels = sum(box.pixels for box in boxes)
    measured.mkdir()
    with costs.measured(measured / "measure.cost.json", "measure", pixels) as facts:
        facts |= measuring.measure(
            packet,
            measured,
            boxes,
            layers.read(nuclei),
            cells and layers.read(cells),
            staged.places(packet["folders"], folders),
            lambda channels: task.progress(channels, f"{words}: measuring channels"),
        )
    read = f"{size(facts['bytes'])} read in {facts['requests']:,} requests"
    click.echo(f"{words}: {facts['objects']:,} objects in {len(packet['measured'])} channels, {read}")


if __name__ == "__main__":
    main()
