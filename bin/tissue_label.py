#!/usr/bin/env python3
"""Judge the nuclei in a group of a slide's tiles, and label their pixels."""

from pathlib import Path

import click

from idrstream.base import failures, files, task
from idrstream.tissue import search


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("group", type=click.IntRange(min=0))
@click.argument("nuclei", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("labelled", type=click.Path(path_type=Path))
@click.argument("predicted", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option(
    "--flow_threshold", type=float, default=0.4, show_default=True, help="Largest flow error of a mask; 0: any."
)
@search.option
@task.whole("labelled")
@failures.of_the_unit
def main(packet, group, nuclei, labelled, predicted, flow_threshold, layer):
    """Write into LABELLED the labels of the tiles of GROUP (from 0) of PACKET, before they are numbered.

    NUCLEI and PREDICTED are the folders that SEEDS and PREDICT left, PREDICTED of all groups.
    """
    task.limit_threads(1)
    from idrstream.cells import masks
    from idrstream.tissue import arrays, costs, steps
    from idrstream.tissue.foreground import Foreground
    from idrstream.tissue.tiles import boxes_of

    packet = files.read_json(packet)
    boxes, limits = boxes_of(packet, group), masks.Limits(flow_threshold)
    pixels = sum(box.pixels for box in boxes)
    labelled.mkdir()
    with costs.measured(labelled / "label.cost.json", "label", pixels, layer) as facts:
        found = arrays.read(nuclei / "nuclei.npz", masks.Nuclei)
        foreground = Foreground(predicted, tuple(packet["size"]), packet["tile"])
        for tile in task.progress(boxes, f"{packet['slide']} group {group}: labelling tiles"):
            steps.label(labelled, foreground, tile, found, limits)
        facts["settings"] = {"flow_threshold": flow_threshold, "smallest": limits.smallest}


if __name__ == "__main__":
    main()
