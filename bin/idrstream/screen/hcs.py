"""Where the images of a plate lie in an output folder, and what its OME-Zarr says of plate and wells. Standard library.

`images/P.ome.zarr/A/3/s1f93`: plate, row, column, field (OME-NGFF 0.4). A frame of a movie is a field of its own, for a
batch holds single frames of it. The files of a field belong to the batch that made it, and stand in its ledger entry.
What is said of a plate and its wells, which batches share, belongs to none: it is written anew of what the ledger has.
"""

from idrstream.base import files
from idrstream.images import zarr_group
from idrstream.runs import ledger, manifest
from idrstream.screen.study import Well

FOLDER = "images"


def plate(name):
    """Where a plate lies, relative to the output folder: ``images/P.ome.zarr``."""
    return f"{FOLDER}/{name}.ome.zarr"


def field(row):
    """Where the image of a row lies: ``images/P.ome.zarr/A/3/s1f93``, with a variant ``.../s1f93ic`` or ``...noic``."""
    return f"{plate(row['plate'])}/{_well(row)}/{_name(row)}"


def describe(outdir):
    """Say of every plate in OUTDIR what it holds: its rows, columns, wells and fields, which are those in the ledger.

    returns  whether there is any

    Raises tables.Problems where a plate that is not ours lies in its place.
    """
    held = {}
    for entry in ledger.read(outdir)[0]:
        named = {file["path"] for file in entry["files"]}
        for row in entry["images"]:
            if f"{field(row)}/{zarr_group.GROUP}" in named:
                held.setdefault(row["plate"], []).append(row)
    content = {}
    for name, rows in held.items():
        for folder, attributes in _groups(name, rows).items():
            if attributes:
                content[f"{folder}/{zarr_group.ATTRIBUTES}"] = files.json_text(attributes).encode()
            content[f"{folder}/{zarr_group.GROUP}"] = files.json_text({"zarr_format": 2}).encode()
    manifest.put(outdir, FOLDER, content)  # a plate speaks of its wells when they are there
    return bool(content)


def _groups(name, rows):
    """Folder -> attributes of a plate's groups: itself, its rows, its wells."""
    rows = sorted(rows, key=lambda row: (Well.parse(row["well"]), row["site"], row["frame"], row.get("variant", "")))
    wells = {}
    for row in rows:
        wells.setdefault(_well(row), []).append({"path": _name(row)})
    places = [well.split("/") for well in wells]
    letters = sorted({letter for letter, _ in places}, key=lambda letter: (len(letter), letter))
    columns = sorted({column for _, column in places}, key=int)
    listed = [
        {"path": f"{letter}/{column}", "rowIndex": letters.index(letter), "columnIndex": columns.index(column)}
        for letter, column in places
    ]
    about = {
        "name": name,
        "version": zarr_group.VERSION,
        "wells": listed,
        "field_count": max(map(len, wells.values())),
    }
    about |= {"rows": [{"name": letter} for letter in letters], "columns": [{"name": column} for column in columns]}
    groups = {plate(name): {"plate": about}} | {f"{plate(name)}/{letter}": None for letter in letters}
    described = {well: {"well": {"version": zarr_group.VERSION, "images": fields}} for well, fields in wells.items()}
    return groups | {f"{plate(name)}/{well}": attributes for well, attributes in described.items()}


def _well(row):
    place = Well.parse(row["well"])
    return f"{place.name.rstrip('0123456789')}/{place.column + 1}"


def _name(row):
    return f"s{row['site']}f{row['frame']}{row.get('variant', '').replace('_', '')}"
