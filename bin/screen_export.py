#!/usr/bin/env python3
"""Export the cells of an output folder as IDR_stream's CSV files."""

from pathlib import Path

import click

from idrstream.base import task
from idrstream.base.tables import Problems

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
@click.option("--streams", is_flag=True, help="A folder each for the streams of the run, with and without correction.")
@task.notes
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
def main(outdir, csv_folder, shapes, batch_size, streams, notes, count):
    """Write the cells of OUTDIR to CSV_FOLDER/DP_features/batch_<n>.csv.gz, as IDR_stream does.

    Batch n holds the rows n * batch_size ... of the last run's input table, counted from 0, in their order. The shapes
    `CP` and `merged` go to CSV_FOLDER/CP_features and CSV_FOLDER/merged_features. With --streams all that lies in a
    folder for each stream and variant, CSV_FOLDER/<stream>__<ic or no_ic>; the rows are those of the stream's table.
    """
    task.limit_threads(count)
    from idrstream.screen.export import Export
    from idrstream.screen.stream_export import views

    try:
        if streams:
            warned = _export_streams(views(outdir, shapes, batch_size), csv_folder)
        else:
            export = Export(outdir, shapes, batch_size)
            if not export.batches:
                raise task.UserError(export.notes[-1])
            _export(export, csv_folder)
            warned = export.notes
        task.tell(notes, [], warned)
    except Problems as found:
        raise task.UserError("\n".join(found.sentences)) from found


def _export_streams(streams, folder):
    """Write a folder for each view of the streams; returns what is left out, a sentence each."""
    warned = []
    for view in streams:
        cells = _export(view, folder / view.name, f"{view.name}: ")
        view.write_log(folder / view.name, cells)
        warned += [f"{view.name}: {note}" for note in view.notes]
    return warned


def _export(export, folder, prefix=""):
    """Write all of an export to FOLDER and print what there is; returns the number of its cells."""
    export.prepare(folder)
    cells = sum(export.write(n, folder) for n in task.progress(sorted(export.batches), "exporting"))
    files = len(export.batches)
    click.echo("\n".join([f"{prefix}{cells} cells in {files} batch{'' if files == 1 else 'es'}", *export.notes]))
    return cells


if __name__ == "__main__":
    main()
