#!/usr/bin/env python3
"""Put the labels of a slide together: OME-Zarr, TIFF, pictures, and what was read and found."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("prepared", type=click.Path(exists=True, file_okay=False))
@click.argument("numbers", type=click.Path(exists=True, file_okay=False))
@click.argument("assembled", type=click.Path(path_type=Path))
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--costs", "more", multiple=True, type=click.Path(exists=True), help="One more of FOLDERS.")
@task.whole("assembled")
@failures.of_the_unit
def main(packet, slide, prepared, numbers, assembled, folders, more):
    """Write into ASSEMBLED the results of the slide of PACKET, and its row in the ledger.

    SLIDE, PREPARED and NUMBERS are the folders that READ, PREPARE and NUMBER left; FOLDERS those of LABEL, and those of
    PREDICT and SEEDS, of which only the costs (STEP.cost.json) are read.
    """
    task.limit_threads(1)
    from idrstream.tissue import assembly, costs, scratch, slide_record

    packet, results = files.read_json(packet), assembled / "results"
    results.mkdir(parents=True)
    with costs.measured(assembled / "assemble.cost.json", "assemble", packet["size"][0] * packet["size"][1]):
        found = assembly.Found(packet, [*folders, *more], numbers)
        labels = assembly.labels(results, found)
        pictures = assembly.pictures(results, found, scratch.shown(slide), labels)
    tasks = costs.read([slide, prepared, numbers, *folders, *more, assembled])
    statistics, facts = scratch.statistics(slide), files.read_json(Path(prepared, "prepared.json"))
    content = slide_record.record(packet, statistics, facts, found.numbers, tasks, pictures)
    files.write_json(results / "slide.json", content)
    files.write_json(assembled / "row.json", slide_record.row(packet, content))
    click.echo(f"{packet['slide']}: {content['nuclei']:,} nuclei, {content['uncertified']} uncertified")


if __name__ == "__main__":
    main()
