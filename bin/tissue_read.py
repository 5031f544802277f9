#!/usr/bin/env python3
"""Copy the channels of a slide that are looked at out of its files, and choose their contrast."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.base.units import size


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=click.Path(path_type=Path))
@task.reads
@task.whole("slide")
@failures.of_the_unit
def main(packet, slide, folders, connections):
    """Copy what PACKET (JSON, from the planner) lists of a slide into the folder SLIDE, and measure it.

    Only these channels, of the region alone, are read; over HTTP by ranges. Ends with 65 if they cannot be used.
    """
    task.limit_threads(1)
    from idrstream import sources
    from idrstream.sources import staged
    from idrstream.tissue import costs, reading

    sources.at_most(connections)
    packet = files.read_json(packet)
    slide.mkdir()
    with costs.measured(slide / "read.cost.json", "read", packet["size"][0] * packet["size"][1]):
        found = reading.read(
            packet,
            slide,
            staged.places(packet["folders"], folders),
            lambda windows, name: task.progress(windows, f"{packet['slide']}: reading {name}"),
        )
    for channel in found["channels"]:
        levels = "one grey level" if channel["constant"] else f"contrast {channel['low']:g} to {channel['high']:g}"
        levels = channel.get("unusable", levels)
        absent = f", {channel['masked']:,} pixels are not in the file" if channel["masked"] else ""
        click.echo(f"{packet['slide']} channel {channel['number']} {channel['name']}: {levels}{absent}")
    click.echo(f"{packet['slide']}: {size(found['bytes'])} read in {found['requests']:,} requests")


if __name__ == "__main__":
    main()
