#!/usr/bin/env python3
"""Write the tables of a slide that people open: Parquet, QuPath's TSV and GeoJSON, AnnData, SpatialData."""

from pathlib import Path

import click

from idrstream.base import files, task


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("tables", type=click.Path(path_type=Path))
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--pairs", type=click.Path(exists=True), help="What PAIR counted (pairs.json).")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("tables")
def main(packet, tables, folders, pairs, count):
    """Write into TABLES what the packet's outputs name, of all FOLDERS that MEASURE left of the slide of PACKET."""
    task.limit_threads(count)
    import pyarrow as pa

    from idrstream.tissue import costs
    from idrstream.tissue.tables import write

    pa.set_cpu_count(count)
    packet = files.read_json(packet)
    with costs.measured(tables / "tables.cost.json", "tables", packet["size"][0] * packet["size"][1]):
        found = write(packet, folders, tables, pairs and files.read_json(pairs))
    click.echo(f"{packet['slide']}: {found['objects']:,} objects, {found['cells']:,} cells")


if __name__ == "__main__":
    main()
