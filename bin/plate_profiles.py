#!/usr/bin/env python3
"""Make profiles of wells from the single cells of an output folder."""

from pathlib import Path

import click

from idrstream import files, task
from idrstream.tables import Problems


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("wells", type=click.Path(path_type=Path))
@click.option(
    "--normalize",
    "scope",
    type=click.Choice(["plate", "screen", "none"]),
    default="plate",
    show_default=True,
    help="By the negative controls of each plate, of the whole screen, or not at all.",
)
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("wells")
def main(outdir, wells, scope, count):
    """Write the profiles of the wells of OUTDIR into the folder WELLS: levels 3, 4a and 4b, a Parquet file a plate."""
    task.limit_threads(count)
    import pandas as pd

    from idrstream import single_cells, well_profiles

    try:
        cells = single_cells.SingleCells(outdir)
    except Problems as found:
        raise task.MustMend("\n".join(found.sentences)) from found
    plates = task.progress(list(cells.plates), "profiling")
    raw = pd.concat([well_profiles.aggregated(cells, plate) for plate in plates], ignore_index=True)
    levels, notes = {"aggregated": raw}, []
    if scope != "none":
        levels["normalized"], notes = well_profiles.normalized(raw, cells.features, scope)
        levels["selected"], more = well_profiles.selected(levels["normalized"], cells.features)
        notes += more
    for level, table in levels.items():
        (wells / level).mkdir(parents=True)
        for plate, own in table.groupby("Metadata_Plate") if len(table) else ():
            own.to_parquet(wells / level / f"{plate}.parquet", compression="zstd", index=False)
    said = {"wells": len(raw), "notes": notes}
    files.write_json(wells / "notes.json", said)
    click.echo("\n".join([f"{len(raw)} wells", *notes]))


if __name__ == "__main__":
    main()
