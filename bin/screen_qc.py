#!/usr/bin/env python3
"""Mark the images and cells of an output folder by rules of quality control."""

from pathlib import Path

import click

from idrstream.base import task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("marked", type=click.Path(path_type=Path))
@click.option("--rules", required=True, type=click.Path(exists=True, path_type=Path), help="Rules (.yml).")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("marked")
def main(outdir, marked, rules, count):
    """Write images.parquet and cells.parquet, of all that OUTDIR holds, with a mark a rule, into the folder MARKED."""
    task.limit_threads(count)
    from idrstream.runs import ledger
    from idrstream.screen import qc
    from idrstream.screen import rules as known

    asked, entries = known.read(rules), ledger.read(outdir)[0]
    marked.mkdir()
    images = qc.write_images(outdir, entries, asked["images"], marked / "images.parquet")
    cells = qc.write_cells(outdir, entries, asked["cells"], marked / "cells.parquet")
    for what, (total, marks) in (("images", images), ("cells", cells)):
        click.echo(f"{total} {what}: " + ", ".join(f"{number} {name}" for name, number in marks.items()))


if __name__ == "__main__":
    main()
