#!/usr/bin/env python3
"""Join the CellProfiler and DeepProfiler files of an IDR_stream run, cell by cell."""

from pathlib import Path

import click

from idrstream.base import files, tables, task


@click.command()
@task.versions
@click.argument("cp_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("dp_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("merged_folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Pixels: cells farther apart are not the same.",
)
def main(cp_folder, dp_folder, merged_folder, limit):
    """Join batch_<n>.csv.gz of CP_FOLDER and of DP_FOLDER into MERGED_FOLDER, and tell who stayed alone in alone.tsv.

    Cells are paired one to one by their centres, image by image.
    """
    task.limit_threads(1)
    import pandas as pd

    from idrstream.screen import legacy

    names = [{path.name for path in folder.glob("batch_*.csv.gz")} for folder in (cp_folder, dp_folder)]
    batches = sorted(set.union(*names), key=lambda name: (len(name), name))
    lonely = [f"{folder / name}: is missing" for folder, own in zip((cp_folder, dp_folder), names, strict=True)
              for name in batches if name not in own]  # fmt: skip
    if not batches or lonely:
        raise task.UserError("\n".join(lonely) or f"{cp_folder}: there is no batch_<n>.csv.gz")
    merged_folder.mkdir(parents=True, exist_ok=True)
    reports = []
    try:
        for name in task.progress(batches, "joining"):
            cells, alone = legacy.merge(legacy.read(cp_folder / name), legacy.read(dp_folder / name), limit)
            with files.whole(merged_folder / name) as part:
                cells.to_csv(part, compression={"method": "gzip", "compresslevel": 1, "mtime": 1})
            reports.append(alone.assign(batch=name))
    except tables.Problems as found:
        raise task.UserError("\n".join(found.sentences)) from found
    report = pd.concat(reports)
    report.to_csv(merged_folder / "alone.tsv", sep="\t", index=False)
    only = f"{report['only_CP'].sum()} of CellProfiler's and {report['only_DP'].sum()} of DeepProfiler's stayed alone"
    click.echo(f"{report['pairs'].sum()} cells joined; {only} ({merged_folder / 'alone.tsv'})")


if __name__ == "__main__":
    main()
