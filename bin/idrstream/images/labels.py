"""Label images on disk, each beside the table of its cells, both named by the image's key.

With --remove_edge_masks the table leaves nuclei at the border out: they are no cells, but others have them as
neighbours.
"""

import json
from pathlib import Path

from idrstream.images import tiff_files


def write_labels(folder, name, labels, too_large=0):
    """Write a label image: (Y, X) uint16 or uint32, 0 is background; compressed without loss.

    too_large  how many nuclei were dropped for their size: stays with the image, wherever it is taken from
    """
    described = {"description": json.dumps({"too_large": too_large})} if too_large else {}
    tiff_files.write(folder, name, labels, compression="zlib", **described)


def read_labels(folder, name):
    """Read a label image, as `write_labels` was given it."""
    return tiff_files.read(folder, name)


def read_too_large(folder, name):
    """How many nuclei of a label image were dropped for their size."""
    description = tiff_files.description(folder, name)
    return json.loads(description)["too_large"] if description.startswith('{"too_large"') else 0


def write_cells(folder, name, cells):
    """Write the cells of an image: arrays of equal length by column name (`label`, `center_y`, `center_x`, ...)."""
    import numpy

    numpy.savez(Path(folder) / f"{name}.npz", **cells)


def read_cells(folder, name):
    """Read them again."""
    import numpy

    with numpy.load(Path(folder) / f"{name}.npz") as cells:
        return {column: cells[column] for column in cells.files}
