"""Paths of saved images in an output folder, and the OME-Zarr metadata of their plates and wells. Standard library.

`images/P.ome.zarr/A/3/s1f93`: plate, row, column, field (OME-NGFF 0.4). Each frame of a movie is a field of its own,
because a batch holds single frames. The files of a field belong to the batch that made it, and its ledger entry lists
them. The metadata of plates and wells, which batches share, belongs to none: it is written anew from the ledger.
"""

from idrstream.base import files
from idrstream.images import zarr_group
from idrstream.runs import ledger, manifest
from idrstream.screen.study import Well

FOLDER = "images"


def plate(name):
    """Path of a plate, relative to the output folder: ``images/P.ome.zarr``."""
    return f"{FOLDER}/{name}.ome.zarr"


def field(row):
    """Path of a row's image: ``images/P.ome.zarr/A/3/s1f93``, with a variant ``.../s1f93ic`` or ``...noic``."""
    return f"{plate(row['plate'])}/{_well(row)}/{_name(row)}"


def describe(outdir):
    """Write the metadata of every plate in OUTDIR: its rows, columns, wells and fields, from the ledger.

    returns  whether there is any plate

    Raises tables.Problems where files of somebody else lie in its place.
    """
    images = {}
    for entry in ledger.read(outdir)[0]:
        named = {file["path"] for file in entry["files"]}
        for row in entry["images"]:
            if f"{field(row)}/{zarr_group.GROUP}" in named:
                images.setdefault(row["plate"], []).append(row)
    content = {}
    for name, rows in images.items():
        for folder, attributes in _groups(name, rows).items():
            if attributes:
                content[f"{folder}/{zarr_group.ATTRIBUTES}"] = files.json_text(attributes).encode()
            content[f"{folder}/{zarr_group.GROUP}"] = files.json_text({"zarr_format": 2}).encode()
    manifest.put(outdir, FOLDER, content)  # after the wells that it names
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
    metadata = {
        "name": name,
        "version": zarr_group.VERSION,
        "wells": listed,
        "field_count": max(map(len, wells.values())),
    }
    metadata |= {"rows": [{"name": letter} for letter in letters], "columns": [{"name": column} for column in columns]}
    groups = {plate(name): {"plate": metadata}} | {f"{plate(name)}/{letter}": None for letter in letters}
    well_metadata = {
        well: {"well": {"version": zarr_group.VERSION, "images": fields}} for well, fields in wells.items()
    }
    return groups | {f"{plate(name)}/{well}": attributes for well, attributes in well_metadata.items()}


def _well(row):
    place = Well.parse(row["well"])
    return f"{place.name.rstrip('0123456789')}/{place.column + 1}"


def _name(row):
    return f"s{row['site']}f{row['frame']}{row.get('variant', '').replace('_', '')}"
