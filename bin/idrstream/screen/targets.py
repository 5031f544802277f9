"""Files that a run will write into its output folder, so that conflicts are reported before it starts."""

from pathlib import Path

from idrstream.images import zarr_group
from idrstream.runs import targets
from idrstream.runs.housekeeping import SHEET, SHEET_PART
from idrstream.screen import arguments, hcs, outcome, plates

PLATE = {  # final step of a run -> its part of the manifest, and its files of a plate
    "plate_profiles": (
        "profiles-wells",
        [f"profiles/wells/{level}/{{}}.parquet" for level in ("aggregated", "normalized", "selected")],
    ),
    "to_anndata": ("profiles-h5ad", ["profiles/h5ad/{}.h5ad"]),
}
SCREEN = {  # likewise, its files of the whole screen
    "qc": {f"qc-{name}": [f"qc/{name}"] for name in ("images.parquet", "cells.parquet")},
    "normalize_cells": {"profiles-normalized_cells": ["profiles/normalized_cells/scaler.tsv"]},
    "mark_phenotypes": {
        "profiles-phenotypes": [f"profiles/phenotypes/{name}" for name in ("cells.parquet", "points.tsv")]
    },
}


def problems(outdir, values, stages, images, todo, entries):
    """Sentences about files in OUTDIR that a run would overwrite and that are not its own, or about another workflow.

    values   params by name
    stages   names of the run's stages
    images   of the input table
    todo     those of them that remain to be done
    entries  of the ledger of OUTDIR
    """
    if sentences := targets.of_another_workflow(outdir, values):
        return sentences
    parts = _parts(values, stages, images, sorted({image["plate"] for image in todo}))
    problems = targets.strangers(outdir, values["outdir"], parts)
    entered = {file["path"] for entry in entries for file in entry["files"]}
    kinds = {"labels": _labels, "outlines": _outlines}
    kinds |= {hcs.FOLDER: _field} if "images" in arguments.saved(values) else {}
    for folder, path in kinds.items():
        paths = [path(image) for image in todo] if Path(outdir, folder).exists() else []
        strange = [path for path in paths if path not in entered and Path(outdir, path).exists()]
        problems += targets.few(values["outdir"], strange)
    return problems


def _parts(values, stages, images, names):
    """Part of the manifest -> files that it will have, as far as they can be foreseen; NAMES: of the plates."""
    parts = targets.COMMON | {outcome.PART: outcome.FILES}
    parts |= {SHEET_PART: [str(SHEET)]} if values["pattern"] else {}
    parts |= {plates.part(plate): plates.file_names(plate) for plate in names}
    for stage in stages:
        part, patterns = PLATE.get(stage, (None, []))
        parts |= {part: [pattern.format(plate) for pattern in patterns for plate in names]} if part else {}
        parts |= SCREEN.get(stage, {})
    if "export" in stages and not values.get("streams"):
        numbers = sorted({image["row"] // values["batch_size"] for image in images})
        shapes = filter(None, arguments.shapes(values))
        parts["csv"] = [f"csv/{shape}_features/batch_{n}.csv.gz" for shape in shapes for n in numbers]
    if "images" in arguments.saved(values):
        parts[hcs.FOLDER] = [
            f"{hcs.plate(plate)}/{name}" for plate in names for name in (zarr_group.ATTRIBUTES, zarr_group.GROUP)
        ]
    return parts


def _labels(image):
    return f"labels/plate={image['plate']}/{image['key']}.tif"


def _outlines(image):
    return f"outlines/plate={image['plate']}/{image['key']}.geojson"


def _field(image):
    return f"{hcs.field(image)}/{zarr_group.GROUP}"
