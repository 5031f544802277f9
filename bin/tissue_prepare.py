#!/usr/bin/env python3
"""Find the diameter of a slide's nuclei, or cells, and where on the slide there may be any."""

from functools import partial
from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("prepared", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True), help="Cellpose model file.")
@click.option("--threads", "count", default=1, show_default=True, help="Tiles of the network at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@search.option
@task.whole("prepared")
@failures.of_the_unit
def main(packet, slide, prepared, model, count, require_gpu, layer):
    """Write into PREPARED the diameter and squares of the slide of PACKET, of which READ left the folder SLIDE."""
    task.limit_threads(1)  # each thread computes one tile
    from idrstream.tissue import costs, network
    from idrstream.tissue import prepared as step

    packet = files.read_json(packet)
    prepared.mkdir()
    with costs.measured(prepared / "prepare.cost.json", "prepare", packet["size"][0] * packet["size"][1], layer):
        facts = step.prepare(packet, slide, prepared, partial(network.load, model, require_gpu, count), layer)
    share = f"{layer} are looked for in {facts['tissue_share']:.0%} of the slide"
    click.echo(f"{packet['slide']}: diameter {facts['diameter']:g} px ({facts['diameter_source']}), {share}")
    for warning in facts["warnings"]:
        click.echo(f"{packet['slide']}: {warning}", err=True)


if __name__ == "__main__":
    main()
