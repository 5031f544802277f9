#!/usr/bin/env python3
"""Make profiles of wells from the single cells of an output folder."""

from pathlib import Path

import click

from idrstream.base import task


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
@click.option(
    "--profile_by",
    type=click.Choice(["auto", "well", "frame"]),
    default="auto",
    show_default=True,
    help="A row a well, or a well and frame; auto: that where a well has several frames.",
)
@click.option("--negative_control", "named", help="Control type that is negative, beside `negative control`.")
@task.notes
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("wells")
def main(outdir, wells, scope, profile_by, named, notes, count):
    """Write the profiles of the wells of OUTDIR into the folder WELLS: levels 3, 4a and 4b, a Parquet file a plate.

    Exit code 64, and no folder, where no well has cells, or tables differ in their features.
    """
    task.limit_threads(count)
    import pandas as pd

    from idrstream.screen import controls, single_cells, well_profiles

    cells = single_cells.SingleCells(outdir)
    if cells.notes:
        raise task.UserError(cells.notes[0])
    by, plates, mixed = well_profiles.strata(cells, profile_by), [], {}
    for plate in task.progress(list(cells.plates), "profiling"):
        profiles, differing = well_profiles.aggregated(cells, plate, by)
        plates.append(profiles)
        for name, some in differing.items():
            mixed.setdefault(name, []).extend(some)
    raw = pd.concat([pd.DataFrame(), *plates], ignore_index=True)
    if raw.empty:
        raise task.UserError("no well has cells")
    levels, said, warned = {"aggregated": raw}, [], well_profiles.mixed_sentences(mixed)
    if profile_by == "auto" and well_profiles.FRAME in by:
        said = ["wells have several frames: their profiles are by well and frame, which --profile_by well pools"]
    if scope == "screen":
        warned += controls.incomparable(outdir, cells.plates)
    if scope != "raw":
        negative = controls.words(named)
        levels["normalized"], few, flat = well_profiles.normalized(raw, cells.features, scope, negative)
        levels["selected"], unselected = well_profiles.selected(levels["normalized"], cells.features)
        said += well_profiles.flat_sentences(flat)
        warned += [*few, *unselected]
    for level, table in levels.items():
        (wells / level).mkdir(parents=True)
        for plate, own in table.groupby("Metadata_Plate"):
            own.to_parquet(wells / level / f"{plate}.parquet", compression="zstd", index=False)
    task.tell(notes, said, warned)
    click.echo("\n".join([f"{len(raw)} profiles", *said, *warned]))


if __name__ == "__main__":
    main()
