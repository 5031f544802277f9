#!/usr/bin/env python3
"""Make profiles of wells from the single cells of an output folder."""

from pathlib import Path

import click

from idrstream import files, task


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("wells", type=click.Path(path_type=Path))
@click.option(
    "--well_profiles",
    "scope",
    type=click.Choice(["plate", "screen", "raw"]),
    default="plate",
    show_default=True,
    help="Normalised by the negative controls of each plate, of the whole screen, or not at all.",
)
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("wells")
def main(outdir, wells, scope, count):
    """Write the profiles of the wells of OUTDIR into the folder WELLS: levels 3, 4a and 4b, a Parquet file a plate."""
    task.limit_threads(count)
    import pandas as pd

    from idrstream import single_cells, well_profiles

    cells = single_cells.SingleCells(outdir)
    plates = [well_profiles.aggregated(cells, plate) for plate in task.progress(list(cells.plates), "profiling")]
    raw = pd.concat([pd.DataFrame(), *plates], ignore_index=True)
    levels, notes = {"aggregated": raw}, cells.notes
    if scope != "raw":
        levels["normalized"], some = well_profiles.normalized(raw, cells.features, scope)
        levels["selected"], more = well_profiles.selected(levels["normalized"], cells.features)
        notes = notes or [*some, *more]
    for level, table in levels.items():
        (wells / level).mkdir(parents=True)
        for plate, own in table.groupby("Metadata_Plate") if len(table) else ():
            own.to_parquet(wells / level / f"{plate}.parquet", compression="zstd", index=False)
    files.write_json(wells / "notes.json", {"wells": len(raw), "notes": notes})
    click.echo("\n".join([f"{len(raw)} wells", *notes]))


if __name__ == "__main__":
    main()
