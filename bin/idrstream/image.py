"""What a frame and a label image on disk are, and the rows that travel with them.

A folder of frames holds `images.json` (one row an image, whether it could be had or not) and one TIFF a frame, named by
the image's key. A folder of label images holds a TIFF a frame under the same name, and the table of its cells.
"""

import json
from pathlib import Path

from idrstream import files

ROWS = "images.json"


def key(plate, well, site, frame):
    """The name of an image: ``XD0001_01_A03_s1_f2``."""
    return f"{plate}_{well}_s{site}_f{frame}"


def write_rows(folder, rows):
    """Write the rows of a folder of images (a list of dicts with at least `id`, `key` and `status`)."""
    files.write_json(Path(folder) / ROWS, rows)


def read_rows(folder, status=None):
    """Read them again; with STATUS only the rows that have it."""
    return [row for row in files.read_json(Path(folder) / ROWS) if status in (None, row["status"])]


def write_frame(folder, name, frame):
    """Write a frame as it is stored in its archive: (Y, X), integer grey levels."""
    _write(folder, name, frame)


def read_frame(folder, name):
    """Read a frame, (Y, X), integer grey levels."""
    import tifffile

    return tifffile.imread(Path(folder) / f"{name}.tif")


def write_labels(folder, name, labels):
    """Write a label image: (Y, X) uint16 or uint32, 0 is background; compressed without loss."""
    _write(folder, name, labels, compression="zlib")


read_labels = read_frame


def write_cells(folder, name, cells):
    """Write the cells of an image: arrays of equal length by column name (`label`, `center_y`, `center_x`, ...)."""
    import numpy

    numpy.savez(Path(folder) / f"{name}.npz", **cells)


def read_cells(folder, name):
    """Read them again."""
    import numpy

    with numpy.load(Path(folder) / f"{name}.npz") as cells:
        return {column: cells[column] for column in cells.files}


def write_outlines(folder, name, polygons):
    """Write the outlines of the cells as GeoJSON, which QuPath, shapely and napari read.

    polygons  list of (k, 2) integer (y, x) in pixels, of labels 1, 2, ...; written as (x, y), closed
    """
    features = []
    for label, polygon in enumerate(polygons, 1):
        ring = [[int(x), int(y)] for y, x in polygon]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "properties": {"label": label}, "geometry": geometry})
    content = {"type": "FeatureCollection", "features": features}
    (Path(folder) / f"{name}.geojson").write_text(json.dumps(content))


def _write(folder, name, image, compression=None):
    import tifffile

    tifffile.imwrite(Path(folder) / f"{name}.tif", image, compression=compression, photometric="minisblack")
