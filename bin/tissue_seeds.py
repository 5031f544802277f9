#!/usr/bin/env python3
"""Make nuclei of where the pixels of a slide come to rest."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("nuclei", type=click.Path(path_type=Path))
@click.argument("predicted", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@search.option
@task.whole("nuclei")
@failures.of_the_unit
def main(packet, nuclei, predicted, layer):
    """Write into NUCLEI which resting places of the slide of PACKET make a nucleus.

    PREDICTED are the folders that PREDICT left of all its groups.
    """
    task.limit_threads(1)
    from idrstream.tissue import costs, steps

    packet = files.read_json(packet)
    nuclei.mkdir()
    with costs.measured(nuclei / "seeds.cost.json", "seeds", packet["size"][0] * packet["size"][1], layer):
        found = steps.seeds(nuclei / "nuclei.npz", predicted, packet["size"])
    click.echo(f"{packet['slide']}: {len(found.sizes) - 1:,} {layer}, before they are judged")


if __name__ == "__main__":
    main()
