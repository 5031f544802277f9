"""Shapes of objects: of the polygons along the edges of their pixels, by QuPath's definitions."""

import numpy as np

from idrstream.base.kernels import kernel

NAMES = ("area", "length", "circularity", "solidity", "max_diameter", "min_diameter")
SAME = 1 + 1e-12  # squared radii that differ less are the same


def measure(rings, pixels, size):
    """(n, len(NAMES)) float64 shapes of objects; NaN of objects without pixels.

    rings   cells.rings.Rings of the objects
    pixels  (n,) int64 of each
    size    (y, x) of a pixel: what lengths are in

    area          of the pixels
    length        of all rings, those of holes too
    circularity   4 pi area / length² of the outer ring, holes not regarded; NaN of an object of several parts
    solidity      area / area of the convex hull
    max_diameter  of the smallest circle around the object
    min_diameter  the smallest distance of two parallel lines that have the object between them
    """
    shapes = np.full((len(pixels), len(NAMES)), np.nan)
    _measured(*rings, pixels, float(size[0]), float(size[1]), shapes)
    return shapes


@kernel("UniTuple(float64, 2)(int32[:, ::1], float64, float64)")
def _ring(corners, height, width):
    """(length, area) of a ring of pixels of HEIGHT and WIDTH."""
    length, doubled = 0.0, np.int64(0)
    for i in range(len(corners)):
        y, x = corners[i]
        b, a = corners[i + 1 if i + 1 < len(corners) else 0]
        length += abs(b - y) * height + abs(a - x) * width
        doubled += np.int64(x) * b - np.int64(a) * y
    return length, doubled / 2 * height * width


@kernel("int64[:, ::1](int64[:, ::1])")
def _hull(points):
    """The corners of the convex hull of (n, 2) points, in order. Andrew 1979."""
    reach = points[:, 1].max() + 1
    order = np.argsort(points[:, 0] * reach + points[:, 1])
    hull, size = np.empty((2 * len(points), 2), np.int64), 0
    for way in range(2):
        least = size if way else 1
        for i in range(way, len(points)):
            y, x = points[order[len(points) - 1 - i] if way else order[i]]
            while size > least:
                b, a = hull[size - 1, 0] - hull[size - 2, 0], hull[size - 1, 1] - hull[size - 2, 1]
                if b * (x - hull[size - 1, 1]) - a * (y - hull[size - 1, 0]) > 0:
                    break
                size -= 1
            hull[size, 0], hull[size, 1] = y, x
            size += 1
    return hull[: size - 1].copy()


@kernel("float64(float64[:, ::1])")
def _width(hull):
    """The smallest distance of parallel lines around a convex polygon: one of them lies along a side."""
    least = np.inf
    for i in range(len(hull)):
        y, x = hull[i]
        b, a = hull[i + 1 if i + 1 < len(hull) else 0] - hull[i]
        farthest = 0.0
        for j in range(len(hull)):
            farthest = max(farthest, abs((hull[j, 0] - y) * a - (hull[j, 1] - x) * b))
        least = min(least, farthest / np.hypot(b, a))
    return least


@kernel("UniTuple(float64, 3)(float64[::1], float64[::1], float64[::1])")
def _around(first, second, third):
    """(y, x, squared radius) of the circle through three points; the squared radius is negative if there is none."""
    b, a = second - first
    d, c = third - first
    doubled = 2 * (b * c - a * d)
    if doubled == 0:
        return 0.0, 0.0, -1.0
    one, two = b * b + a * a, d * d + c * c
    y, x = (c * one - a * two) / doubled, (b * two - d * one) / doubled
    return first[0] + y, first[1] + x, y * y + x * x


@kernel("float64(float64[:, ::1])")
def _circle(points):
    """The squared radius of the smallest circle around points: what is outside lies on it. Welzl 1991, no recursion."""
    y, x, squared = points[0, 0], points[0, 1], 0.0
    for i in range(1, len(points)):
        if (points[i, 0] - y) ** 2 + (points[i, 1] - x) ** 2 <= squared * SAME:
            continue
        y, x, squared = points[i, 0], points[i, 1], 0.0
        for j in range(i):
            if (points[j, 0] - y) ** 2 + (points[j, 1] - x) ** 2 <= squared * SAME:
                continue
            y, x = (points[i, 0] + points[j, 0]) / 2, (points[i, 1] + points[j, 1]) / 2
            squared = (points[i, 0] - y) ** 2 + (points[i, 1] - x) ** 2
            for k in range(j):
                if (points[k, 0] - y) ** 2 + (points[k, 1] - x) ** 2 > squared * SAME:
                    b, a, more = _around(points[i], points[j], points[k])
                    if more > 0:
                        y, x, squared = b, a, more
    return squared


@kernel("void(int32[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1], float64, float64, float64[:, ::1])")
def _measured(corners, rings, parts, objects, pixels, height, width, shapes):
    """See `measure`; the first arguments are the fields of Rings."""
    for index in range(len(pixels)):
        first, last = objects[index], objects[index + 1]
        if first == last:
            continue
        area, length = pixels[index] * height * width, 0.0
        for ring in range(parts[first], parts[last]):
            length += _ring(corners[rings[ring] : rings[ring + 1]], height, width)[0]
        outer = parts[first]
        around, inside = _ring(corners[rings[outer] : rings[outer + 1]], height, width)
        hull = _hull(corners[rings[outer] : rings[parts[last]]].astype(np.int64))
        scaled = np.empty((len(hull), 2))
        scaled[:, 0] = (hull[:, 0] - hull[0, 0]) * height  # rounded alike wherever the object lies
        scaled[:, 1] = (hull[:, 1] - hull[0, 1]) * width
        doubled = np.int64(0)
        for i in range(len(hull)):
            b, a = hull[i + 1 if i + 1 < len(hull) else 0]
            doubled += hull[i, 1] * b - a * hull[i, 0]
        shapes[index, 0], shapes[index, 1] = area, length
        if last - first == 1:
            shapes[index, 2] = 4 * np.pi * inside / around**2
        shapes[index, 3] = area / (abs(doubled) / 2 * height * width)
        shapes[index, 4], shapes[index, 5] = 2 * np.sqrt(_circle(scaled)), _width(scaled)
