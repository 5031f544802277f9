#!/usr/bin/env python3
"""Pair the nuclei of a slide with its cells, so that both have one label."""

from pathlib import Path

import click

from idrstream.base import failures, files, task

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("paired", type=click.Path(path_type=Path))
@click.option("--nuclei", required=True, type=FOLDER, help="Folder of the nuclei: numbers/ and labelled_*/.")
@click.option("--cells", required=True, type=FOLDER, help="Folder of the cells, likewise.")
@task.whole("paired")
@failures.of_the_unit
def main(packet, paired, nuclei, cells):
    """Write into PAIRED new labels of the cells of the slide of PACKET: those of their nuclei.

    Also pairs.json: how many pairs there are, and how many nuclei and cells are in none. Of a slide's polygon those
    pairs are kept whose nucleus belongs to it, and of the cells in none those that do themselves.
    """
    task.limit_threads(1)
    import numpy as np

    from idrstream.tissue import arrays, costs, layers, objects, pairing, steps
    from idrstream.tissue.tiles import all_of

    packet, kept = files.read_json(packet), [layers.read(folder) for folder in (nuclei, cells)]
    nuclei, cells = every = [layers.every(folder) for folder in (nuclei, cells)]
    paired.mkdir()
    with costs.measured(paired / "pair.cost.json", "pair", packet["size"][0] * packet["size"][1]):
        tiles = task.progress(all_of(packet), f"{packet['slide']}: pairing tiles")
        found = pairing.overlaps((nuclei.tile(tile), cells.tile(tile)) for tile in tiles)
        chosen = pairing.pair(found, nuclei.objects)
        final = map(layers.within, kept, every)
        labels = pairing.labels(found, chosen, nuclei.objects, cells.objects, *final)
        arrays.write(paired / steps.NUMBERS, layers.renumbered(cells, labels))
        arrays.write(paired / objects.FILE, objects.of(labels, *cells.objects[1:]))
    of_nuclei, of_cells = kept[0].objects.labels, labels[labels > 0]
    count = int(np.isin(of_cells, of_nuclei).sum())
    facts = {"nuclei_alone": len(of_nuclei) - count, "cells_alone": len(of_cells) - count}
    files.write_json(paired / layers.PAIRS, {"paired": count} | facts)
    click.echo(
        f"{packet['slide']}: {count:,} pairs; {facts['nuclei_alone']:,} nuclei without a cell, "
        f"{facts['cells_alone']:,} cells without a nucleus"
    )


if __name__ == "__main__":
    main()
