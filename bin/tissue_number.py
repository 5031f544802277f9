#!/usr/bin/env python3
"""Number the nuclei of a slide, and certify that every one was seen whole."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("nuclei", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("numbers", type=click.Path(path_type=Path))
@click.argument("labelled", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@search.option
@task.whole("numbers")
@failures.of_the_unit
def main(packet, nuclei, numbers, labelled, layer):
    """Write into NUMBERS the label of every nucleus of the slide of PACKET: 1 ... n in the order of their first pixels.

    Of a slide's polygon those are numbered whose pixels rest, on average, inside of it. NUCLEI and LABELLED are the
    folders that SEEDS and LABEL left, LABELLED of all groups. Ends with 1 if a nucleus was not seen whole.
    """
    task.limit_threads(1)
    from idrstream.cells import masks
    from idrstream.tissue import arrays, costs, numbering, polygon, steps

    packet = files.read_json(packet)
    numbers.mkdir()
    with costs.measured(numbers / "number.cost.json", "number", packet["size"][0] * packet["size"][1], layer):
        found = arrays.read(nuclei / "nuclei.npz", masks.Nuclei)
        rings = packet["polygon"]
        inside = polygon.holds(rings, *numbering.places(found, packet["size"])) if rings else None
        smallest = 1 if packet["scales"][layer] else masks.Limits().smallest  # FINISH has dropped those of a watershed
        made = steps.number(numbers, labelled, found, smallest, inside)
    if made.uncertified:
        raise click.ClickException(
            f"{packet['slide']}: {made.uncertified:,} {layer} were not seen whole by the tile that they lie in, so its "
            "labels cannot be certified. This is an error of idrstream: please report it, with the slide and what "
            "--keep_intermediates leaves of it."
        )
    alone = f"{made.alone:,} of them read by themselves"
    click.echo(f"{packet['slide']}: {int(made.labels.max()):,} {layer}, 0 uncertified, {alone}")


if __name__ == "__main__":
    main()
