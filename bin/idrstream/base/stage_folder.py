"""What the folder of any stage holds beside its results: a row a unit, and by what they were made. Standard library."""

from pathlib import Path

from idrstream.base import files

ROWS = "images.json"
PROVENANCE = "provenance.json"  # by what the folder was made, such as the device, model or diameter


def write_rows(folder, rows):
    """Write the rows of a folder of images (a list of dicts with at least `id`, `key` and `status`)."""
    files.write_json(Path(folder) / ROWS, rows)


def read_rows(folder, status=None):
    """Read them again; with STATUS only the rows that have it."""
    return [row for row in files.read_json(Path(folder) / ROWS) if status in (None, row["status"])]
