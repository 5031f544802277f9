#!/usr/bin/env python3
"""Take the label image of a slide that exists already."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.base.units import count


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("layer", type=click.Choice(("nuclei", "cells")))
@click.argument("taken", type=click.Path(path_type=Path))
@task.reads
@task.whole("taken")
@failures.of_the_unit
def main(packet, layer, taken, folders, connections):
    """Write into TAKEN the label image that PACKET (JSON, from the planner) names for LAYER, as LABEL and NUMBER do.

    Labels keep the numbers of the file. Only its region is read, tile by tile. Ends with 65 for what is no label image.
    """
    task.limit_threads(1)
    from idrstream import sources
    from idrstream.sources import staged
    from idrstream.tissue import costs, given

    sources.at_most(connections)
    packet = files.read_json(packet)
    taken.mkdir()
    with costs.measured(taken / "take.cost.json", "take", packet["size"][0] * packet["size"][1], layer):
        found = given.take(
            packet,
            layer,
            taken,
            staged.places(packet["folders"], folders),
            lambda tiles: task.progress(tiles, f"{packet['slide']}: taking {layer}"),
        )
    largest = f", labels up to {int(found.labels[-1]):,}" if len(found.labels) else ""
    click.echo(f"{packet['slide']}: {count(len(found.labels), 'object')} taken for {layer}{largest}")


if __name__ == "__main__":
    main()
