"""What a batch of a screen leaves in the output folder and in the ledger. Standard library, for it runs on the head."""

from pathlib import Path

from idrstream.base import files, stage_folder
from idrstream.runs import commit as runs

# What of an image's row is kept; where it lay and what its row said beside can be read from the input table.
KEPT = ("id", "key", "plate", "well", "well_number", "site", "frame", "status", "reason", "retryable", "cells", "bytes")
OFFSET = ("camera_offset", "offset_state", "offset_low", "offset_high", "offset_bound")
FIGURES = ("focus", "saturation", "background", "bit_depth", "out_of_range", "unwritten", "too_large")
FIGURES += ("texture_clipped", *OFFSET)
KEPT += ("field_bytes", "seconds", "flatfield", *FIGURES)


def commit(batch, merged, labels, outdir, save_labels=False, images=None, heavy=()):
    """Commit a batch (runs.commit.commit).

    batch        the planner's JSON of it, read
    merged       MERGE's folder: `results/`, laid out as the output folder is, the images' rows, and their provenance
    labels       SEGMENT's folder: label images, kept if save_labels, and outlines, kept if there are any
    outdir       the output folder
    images       SAVE_IMAGES' folder, laid out as the output folder is; None if images are not kept
    heavy        work folders that are to be deleted afterwards
    returns      the ledger entry
    """
    return runs.commit(batch, outdir, lambda: _results(merged, labels, save_labels, images), heavy)


def _results(merged, labels, save_labels, images):
    rows = stage_folder.read_rows(merged)
    saved = _laid_out(Path(images)) if images else {}
    sources = saved | _laid_out(Path(merged) / "results")
    for row in rows:
        for folder, suffix in (("labels", "tif"),) * save_labels + (("outlines", "geojson"),):
            source = Path(labels) / f"{row['key']}.{suffix}"
            if source.exists():
                sources[f"{folder}/plate={row['plate']}/{source.name}"] = source
    kept = [{name: row.get(name) for name in KEPT} | _about(row) for row in rows]
    # A file may take another's place; the many files of an image may not.
    return runs.Results(sources, {*saved}, kept, files.read_json(Path(merged) / stage_folder.PROVENANCE))


def _laid_out(folder):
    """Path -> file, of every file below FOLDER."""
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def _about(row):
    """What is kept of an image beside KEPT: for its well's role nothing else tells, should it have no cell."""
    about = {"control_type": row["metadata"]["Control_Type"], "gene": row["metadata"]["Gene"]}
    return about | ({"variant": row["variant"]} if row.get("variant") else {})
