#!/usr/bin/env python3
"""Put the labels of a slide together: OME-Zarr, TIFF, pictures, and what was read and found."""

from pathlib import Path

import click

from idrstream.base import failures, files, task

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=FOLDER)
@click.argument("assembled", type=click.Path(path_type=Path))
@click.option("--nuclei", required=True, type=FOLDER, help="Folder of the nuclei: what their steps, or TAKE, left.")
@click.option("--cells", type=FOLDER, help="Folder of the cells that a network looked for, or that are given.")
@click.option("--measured", type=FOLDER, help="Folder of the folders that MEASURE left.")
@click.option("--tables", type=FOLDER, help="Folder that TABLES left.")
@task.whole("assembled")
@failures.of_the_unit
def main(packet, slide, assembled, nuclei, cells, measured, tables):
    """Write into ASSEMBLED the results of the slide of PACKET but for its tables, and its row in the ledger.

    SLIDE is the folder that READ left.
    """
    task.limit_threads(1)
    from idrstream.tissue import assembly, costs, scratch, slide_record

    packet, results = files.read_json(packet), assembled / "results"
    results.mkdir(parents=True)
    with costs.measured(assembled / "assemble.cost.json", "assemble", packet["size"][0] * packet["size"][1]):
        found = assembly.Found(packet, nuclei, cells, measured, tables)
        images = assembly.labels(assembled, found)
        pictures = assembly.pictures(results, found, scratch.shown(slide, packet["nuclear"]), images)
    parts = [part for folder in (nuclei, cells, measured) if folder for part in folder.iterdir()]
    tasks = costs.read([slide, *parts, *filter(None, [tables]), assembled])
    content = slide_record.record(packet, scratch.statistics(slide), found, tasks, pictures)
    files.write_json(results / "slide.json", content)
    files.write_json(assembled / "row.json", slide_record.row(packet, content))
    click.echo(f"{packet['slide']}: {content['nuclei']:,} nuclei, {content['uncertified']} uncertified")


if __name__ == "__main__":
    main()
