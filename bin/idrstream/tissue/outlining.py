"""Outlines of objects as GeoJSON: rings along pixel edges, x then y, closed; pixel (0, 0) is from 0 to 1 either way."""

import json
from itertools import pairwise

import numpy as np


def lines(labels, corner, nuclei, cells=None):
    """Yield a line of JSON an object: "label", "geometry", and "nucleusGeometry" of a cell that has a nucleus.

    labels         (n,) of the objects
    corner         (y, x) of the label image's first pixel in the slide
    nuclei, cells  cells.rings.Rings of them
    """
    inner = _geometries(nuclei, corner)
    outer = _geometries(cells, corner) if cells else [None] * len(inner)
    for label, nucleus, cell in zip(labels.tolist(), inner, outer, strict=True):
        line = {"label": label, "geometry": cell or nucleus}
        if cell and nucleus:
            line["nucleusGeometry"] = nucleus
        yield json.dumps(line, separators=(",", ":")) + "\n"


def _geometries(rings, corner):
    """A list of the geometries of objects; None for one without pixels."""
    points = (rings.corners.astype(np.int64) + corner)[:, ::-1].tolist()
    starts, parts, objects = (column.tolist() for column in rings[1:])
    closed = [[*points[a:b], points[a]] for a, b in pairwise(starts)]
    areas = [closed[a:b] for a, b in pairwise(parts)]
    return [_geometry(areas[a:b]) for a, b in pairwise(objects)]


def _geometry(areas):
    if len(areas) == 1:
        return {"type": "Polygon", "coordinates": areas[0]}
    return {"type": "MultiPolygon", "coordinates": areas} if areas else None
