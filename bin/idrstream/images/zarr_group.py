"""A group of OME-Zarr 0.4 (Zarr 2), written without a library: the head has none. Standard library only."""

from pathlib import Path

from idrstream.base import files

VERSION = "0.4"
GROUP, ATTRIBUTES = ".zgroup", ".zattrs"


def write(folder, attributes=None):
    """Make FOLDER a group, with ATTRIBUTES if there are any; it is one from the last of its files on."""
    if attributes:
        files.write_json(Path(folder) / ATTRIBUTES, attributes)
    files.write_json(Path(folder) / GROUP, {"zarr_format": 2})
