#!/usr/bin/env python3
"""Export the cells of an output folder as IDR_stream's CSV files."""

from pathlib import Path

import click

from idrstream import task
from idrstream.tables import Problems

SHAPES = ("DP", "CP", "merged")


def _shapes(context, option, given):
    named = [name.strip() for names in given for name in names.split(",")]
    for name in named:
        if name not in SHAPES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(SHAPES)}")
    return [shape for shape in SHAPES if shape in named]


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("csv_folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--shape", "shapes", multiple=True, default=["DP"], show_default=True, callback=_shapes, help="DP, CP, merged."
)
@click.option("--batch_size", type=click.IntRange(min=1), help="Rows of the input table a batch; the run's if absent.")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
def main(outdir, csv_folder, shapes, batch_size, count):
    """Write the cells of OUTDIR to CSV_FOLDER/DP_features/batch_<n>.csv.gz, as IDR_stream does.

    Batch n holds the rows n * batch_size ... of the last run's input table, counted from 0, in their order. The shapes
    `CP` and `merged` go to CSV_FOLDER/CP_features and CSV_FOLDER/merged_features.
    """
    task.limit_threads(count)
    from idrstream.export import Export

    try:
        export = Export(outdir, shapes, batch_size)
        export.prepare(csv_folder)
        cells = sum(export.write(n, csv_folder) for n in task.progress(sorted(export.batches), "exporting"))
    except Problems as found:
        raise task.MustMend("\n".join(found.sentences)) from found
    files = len(export.batches)
    click.echo("\n".join([f"{cells} cells in {files} batch{'es' if files > 1 else ''}", *export.notes]))


if __name__ == "__main__":
    main()
