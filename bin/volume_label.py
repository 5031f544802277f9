#!/usr/bin/env python3
"""Segment the probabilities of a slab, and compare them with labels."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("maps", type=click.Path(exists=True, file_okay=False))
@click.argument("labelled", type=click.Path(path_type=Path))
@task.reads
@task.whole("labelled")
@failures.of_the_unit
def main(packet, maps, labelled, folders, connections):
    """Write the segmentation of the slab of PACKET, and its counts, into the folder LABELLED.

    MAPS is a folder with the probabilities: that of PREDICT, or the output folder.
    """
    task.limit_threads(1)
    from idrstream import sources
    from idrstream.base import costs
    from idrstream.sources import staged
    from idrstream.volume import arrays, slab

    sources.at_most(connections)
    packet = files.read_json(packet)
    labelled.mkdir()
    with costs.measured() as cost:
        region = arrays.Region(packet, staged.places(packet["folders"], folders))
        facts = slab.label(packet, maps, region, labelled)
    slab.tell(labelled, {"label": {**facts, **cost}})


if __name__ == "__main__":
    main()
