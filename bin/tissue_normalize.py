#!/usr/bin/env python3
"""Measure what a slide's look to a network for deep watershed rests on: resizing, percentiles, tables of CLAHE."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("normalized", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True), help="ONNX file of the network.")
@click.option(
    "--layers", default="nuclei", show_default=True, help="What it is to find: nuclei, cells, or nuclei,cells."
)
@click.option("--threads", "count", default=1, show_default=True, help="Windows that are looked at at a time.")
@task.whole("normalized")
@failures.of_the_unit
def main(packet, slide, normalized, model, layers, count):
    """Write into NORMALIZED what the look of the slide of PACKET rests on; READ left the folder SLIDE of it."""
    task.limit_threads(1)  # each thread looks at one window
    from idrstream.cells import heads
    from idrstream.tissue import costs, normalizing

    packet, layers = files.read_json(packet), layers.split(",")
    pixels, layer = packet["size"][0] * packet["size"][1], "nuclei" if "nuclei" in layers else "cells"
    try:
        stated = heads.describe(model)
        stated.require(layers)
        normalized.mkdir()
        with costs.measured(normalized / "normalize.cost.json", "normalize", pixels, layer):
            facts = normalizing.normalize(packet, slide, normalized, stated, packet["scales"][layers[0]], count)
    except heads.NoNetwork as fault:
        raise task.UserError(f"{model}: {fault}.") from fault
    words = "{:,} x {:,} pixels of the network".format(*facts["shape"])
    click.echo(f"{packet['slide']}: {words}, {facts['scale'][0]:.4g} a pixel of the slide")
    for warning in facts["warnings"]:
        click.echo(f"{packet['slide']}: {warning}", err=True)


if __name__ == "__main__":
    main()
