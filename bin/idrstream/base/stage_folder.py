"""Files in any stage's folder beside its results: a row per unit, and their provenance. Standard library only."""

from pathlib import Path

from idrstream.base import files

ROWS = "images.json"
PROVENANCE = "provenance.json"  # model, device and settings that produced the folder


def write_rows(folder, rows):
    """Write the rows of a folder of images (list of dicts with at least `key` and `status`)."""
    files.write_json(Path(folder) / ROWS, rows)


def read_rows(folder, status=None):
    """Read the rows of a folder of images; with STATUS only those that have it."""
    return [row for row in files.read_json(Path(folder) / ROWS) if status in (None, row["status"])]
