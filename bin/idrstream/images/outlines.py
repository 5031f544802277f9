"""Outlines of cells as GeoJSON, which QuPath, shapely and napari read."""

import json
from pathlib import Path

from idrstream.base import files


def write_outlines(folder, name, polygons, border_pixels, cells=None):
    """Write the outlines of the cells of an image.

    polygons       nuclei.polygons of labels 1, 2, ...: parts of rings of (y, x) corners; written as (x, y), closed,
                   counted as QuPath does: the first pixel is from 0 to 1
    border_pixels  nuclei.outlines of them, (k, 2) (y, x): IDR_stream's outlines, of pixels; a property of each
    cells          (n,) labels of the cells: of these alone; of all if None
    """
    features = []
    for label in range(1, len(polygons) + 1) if cells is None else map(int, cells):
        areas = [[_closed(ring) for ring in part] for part in polygons[label - 1]]
        one = len(areas) == 1
        geometry = {"type": "Polygon" if one else "MultiPolygon", "coordinates": areas[0] if one else areas}
        border = [[int(x), int(y)] for y, x in border_pixels[label - 1]]
        properties = {"label": label, "border_pixels": border}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    content = {"type": "FeatureCollection", "features": features}
    (Path(folder) / f"{name}.geojson").write_text(json.dumps(content))


def read_outlines(path):
    """label -> (parts, border pixels), (x, y), of a file that `write_outlines` wrote; a part is a list of rings."""
    outlines = {}
    for feature in files.read_json(path)["features"]:
        geometry, properties = feature["geometry"], feature["properties"]
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        outlines[properties["label"]] = (parts, properties["border_pixels"])
    return outlines


def _closed(ring):
    corners = [[int(x), int(y)] for y, x in ring]
    return [*corners, corners[0]]
