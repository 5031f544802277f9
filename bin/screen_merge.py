#!/usr/bin/env python3
"""Merge what the stages found about a batch into one table of single cells."""

from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.images.calibration import read_fields
from idrstream.images.labels import read_too_large


@click.command()
@task.versions
@click.argument("frames", type=click.Path(exists=True, file_okay=False))
@click.argument("labels", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("features", type=click.Path(exists=True, file_okay=False, path_type=Path), nargs=-1)
@click.argument("tables", type=click.Path(path_type=Path))
@click.option("--calibration", type=click.Path(), help="Folder with each plate's flat-field.")
@click.option("--batch", required=True, help="Id of the batch, which names the files.")
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("tables")
def main(frames, labels, features, tables, calibration, batch, count):
    """Merge FRAMES, LABELS and the folders FEATURES into the folder TABLES: Parquet by plate, and the images' rows.

    The columns stand in the order of FEATURES; Metadata_Model is the model of the first. Without any, the cells are
    those of a run that stops at quality control. Beside them lie small pictures of the images.
    """
    task.limit_threads(count)
    from idrstream.images import thumbnails
    from idrstream.screen import profiles

    table, rows = profiles.single_cells(frames, labels, features, calibration)
    for row in rows:
        row["too_large"] = read_too_large(labels, row["key"]) if row["status"] == "ok" else None
    profiles.write(table, rows, batch, tables / "results", profiles.FOLDER if features else profiles.UNMEASURED)
    thumbnails.write(frames, labels, rows, calibration, batch, tables / "results")
    stage_folder.write_rows(tables, rows)
    fields = {name: facts for _, content in read_fields(calibration) for name, facts in content["fields"].items()}
    made = {"segment": files.read_json(labels / stage_folder.PROVENANCE), "fields": fields}
    for folder in features:
        about = files.read_json(folder / stage_folder.PROVENANCE)
        made["embed" if "device" in about else "measure"] = {name: about[name] for name in about if name != "features"}
    files.write_json(tables / stage_folder.PROVENANCE, made)
    click.echo(f"{batch}: {len(table)} cells in {sum(row['status'] == 'ok' for row in rows)} images")


if __name__ == "__main__":
    main()
