"""The part of a slide that a GeoJSON file of polygons marks, such as an annotation that QuPath exports."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import tables
from idrstream.tissue import polygon
from idrstream.tissue.tiles import Box

MOST_CORNERS = 20_000  # each edge is compared with each
Ring = list[list[float]]


class Area(NamedTuple):
    """A part of a slide: the Box around it and, unless it is the whole box, the rings of its polygons (polygon.py)."""

    box: Box
    rings: list[Ring] | None = None

    def relative(self) -> list[Ring] | None:
        """The rings in pixels of the box."""
        corner = self.box.y0, self.box.x0
        return self.rings and [[[y - corner[0], x - corner[1]] for y, x in ring] for ring in self.rings]


def read(path: Path) -> Area:
    """The polygons of a GeoJSON file, in pixels of the slide, x first, as QuPath writes them.

    A file of several polygons is all of them. Raises tables.Problems for a file that is no GeoJSON, has anything but
    polygons, or polygons of which edges cross or that lie in each other.
    """
    try:
        content = json.loads(tables.read_text(path))
    except (ValueError, RecursionError) as reason:
        raise _problem(path, "this is no JSON") from reason
    parts = content if isinstance(content, list) else [content]
    try:
        polygons = [[_ring(path, ring) for ring in shape] for part in parts for shape in _shapes(path, part) if shape]
    except (TypeError, ValueError, LookupError, OverflowError, RecursionError) as reason:
        raise _problem(path, "its polygons are not lists of rings, each a list of corners [x, y]") from reason
    rings = [ring for each in polygons for ring in each]
    if not rings:
        raise _problem(path, "it has no polygon")
    if sum(map(len, rings)) > MOST_CORNERS:
        corners = f"{sum(map(len, rings)):,} corners"
        raise _problem(path, f"its polygons have {corners}; simplify them to {MOST_CORNERS:,} at most")
    _check(path, polygons, rings)
    y, x = zip(*(corner for ring in rings for corner in ring), strict=True)
    return Area(Box(math.floor(min(y)), math.ceil(max(y)), math.floor(min(x)), math.ceil(max(x))), rings)


def _problem(path: Path, what: str) -> tables.Problems:
    return tables.Problems.of(path.name, [what])


def _shapes(path: Path, part: Any) -> list[list]:
    """The polygons of a GeoJSON object, each a list of rings as the file has them."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "FeatureCollection":
        return [shape for feature in part.get("features") or [] for shape in _shapes(path, feature)]
    if kind == "Feature":
        return _shapes(path, part.get("geometry"))
    if kind not in ("Polygon", "MultiPolygon"):
        what = f"a {tables.shown(str(kind))}" if kind else "something that is no GeoJSON"
        raise _problem(path, f"it has {what}; a region is a Polygon or MultiPolygon")
    return [part["coordinates"]] if kind == "Polygon" else part["coordinates"]


def _ring(path: Path, ring: Any) -> Ring:
    """The corners [y, x] of a ring of the file, each once."""
    corners = [[float(corner[1]), float(corner[0])] for corner in ring]
    once = [corner for before, corner in zip([None, *corners], corners, strict=False) if corner != before]
    once = once[:-1] if len(once) > 1 and once[0] == once[-1] else once
    if len(once) < 3 or not all(math.isfinite(value) for corner in once for value in corner):
        raise _problem(path, "a polygon has fewer than three corners, or corners that are no numbers")
    return once


def _check(path: Path, polygons: list[list[Ring]], rings: list[Ring]) -> None:
    """Raise tables.Problems for edges that cross, polygons in each other, and holes outside of theirs."""
    if place := polygon.crossing(rings):
        where = f"near x {place[1]:g}, y {place[0]:g}"
        raise _problem(path, f"edges of its polygons cross, {where}; draw it without crossings")
    for number, (outer, *holes) in enumerate(polygons):
        others = [ring for other, shape in enumerate(polygons) if other != number for ring in shape]
        if others and polygon.holds(others, *polygon.within([outer, *holes]))[0]:
            raise _problem(path, "two of its polygons overlap; join them, or keep one")
        if any(not polygon.holds([outer], *polygon.within([hole]))[0] for hole in holes):
            raise _problem(path, "a polygon has a hole that lies outside of it")
