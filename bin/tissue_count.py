#!/usr/bin/env python3
"""Count the pixels of a slide's objects, over all of its tiles."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("nuclei", type=click.Path(path_type=Path))
@click.argument("flooded", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@search.option
@task.whole("nuclei")
@failures.of_the_unit
def main(packet, nuclei, flooded, layer):
    """Write into NUCLEI which objects the slide of PACKET has, and how many pixels each, before they are finished.

    FLOODED are the folders that FLOOD left of all its groups.
    """
    task.limit_threads(1)
    from idrstream.tissue import costs, deep_watershed

    packet = files.read_json(packet)
    nuclei.mkdir()
    with costs.measured(nuclei / "count.cost.json", "count", packet["size"][0] * packet["size"][1], layer):
        found = deep_watershed.count(nuclei, flooded, layer)
    click.echo(f"{packet['slide']}: {len(found.sizes) - 1:,} {layer}, before they are finished")


if __name__ == "__main__":
    main()
