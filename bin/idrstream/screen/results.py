"""What a batch of a screen leaves in the output folder and in the ledger. Standard library only, for the head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from idrstream.base import files, stage_folder
from idrstream.runs import commit as runs
from idrstream.runs.types import LedgerEntry
from idrstream.screen.types import BatchPacket, LedgerRow, MergedRow

# Fields of an image's row that the ledger keeps; the others can be read from the input table.
KEPT = ("id", "key", "plate", "well", "well_number", "site", "frame", "status", "reason", "retryable", "cells", "bytes")
OFFSET = ("camera_offset", "offset_state", "offset_low", "offset_high", "offset_bound")
FIGURES = ("focus", "saturation", "background", "bit_depth", "out_of_range", "unwritten", "too_large")
FIGURES += ("texture_clipped", *OFFSET)
KEPT += ("field_bytes", "seconds", "flatfield", *FIGURES)


def commit(
    batch: BatchPacket,
    merged: str | Path,
    labels: str | Path,
    outdir: str | Path,
    save_labels: bool = False,
    images: str | Path | None = None,
    work_folders: Sequence[str] = (),
) -> LedgerEntry:
    """Commit a batch (runs.commit.commit).

    batch         the planner's JSON of it
    merged        MERGE's folder: `results/` with paths as in the output folder, the images' rows, and their provenance
    labels        SEGMENT's folder: label images, which are saved if save_labels, and outlines, if there are any
    images        SAVE_IMAGES' folder with paths as in the output folder; None if images are not saved
    work_folders  to be deleted afterwards
    returns       the ledger entry
    """
    return runs.commit(batch, outdir, lambda: _results(merged, labels, save_labels, images), work_folders)


def _results(merged: str | Path, labels: str | Path, save_labels: bool, images: str | Path | None) -> runs.Results:
    rows: list[MergedRow] = stage_folder.read_rows(merged)
    saved = _files(Path(images)) if images else {}
    sources = saved | _files(Path(merged) / "results")
    for row in rows:
        for folder, suffix in (("labels", "tif"),) * save_labels + (("outlines", "geojson"),):
            source = Path(labels) / f"{row['key']}.{suffix}"
            if source.exists():
                sources[f"{folder}/plate={row['plate']}/{source.name}"] = source
    provenance = files.read_json(Path(merged) / stage_folder.PROVENANCE)
    # Other files may replace those of an earlier batch; the many files of a saved image may not.
    return runs.Results(sources, {*saved}, [ledger_row(row) for row in rows], provenance)


def ledger_row(row: MergedRow) -> LedgerRow:
    """What the ledger keeps of an image. Its role too: nothing else tells that of a well without cells."""
    kept: dict[str, Any] = {name: row.get(name) for name in KEPT}
    kept |= {"control_type": row["metadata"]["Control_Type"], "gene": row["metadata"]["Gene"]}
    kept |= {"variant": row["variant"]} if row.get("variant") else {}
    return cast(LedgerRow, kept)


def _files(folder: Path) -> dict[str, Path]:
    """Path -> file, of every file below FOLDER."""
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
