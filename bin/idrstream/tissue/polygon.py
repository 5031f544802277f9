"""Polygons on a slide: which points lie in one, and whether its rings are sound.

A polygon, or several, is a list of rings, each a list of corners [y, x], the last joined to the first. Coordinates are
those of pixel edges: the centre of the first pixel is (0.5, 0.5). What lies within an odd number of rings is inside, so
a ring in a ring is a hole.
"""

from __future__ import annotations

import numpy as np

AT_ONCE = 4_000_000  # pairs of an edge and a point, or of two edges


def holds(rings, y, x):
    """(n,) bool: which of n points lie inside.

    rings  list of rings, each (k, 2) y and x
    y, x   (n,) coordinates

    A point on an edge belongs to what lies right of it or below, so that of polygons with a common edge one has it.
    """
    y, x = np.asarray(y, float), np.asarray(x, float)
    inside = np.zeros(len(y), bool)
    starts, ends = edges(rings)
    step = max(1, AT_ONCE // max(1, len(starts)))
    for first in range(0, len(y), step):
        part = slice(first, first + step)
        inside[part] = _odd(starts, ends, y[part, None], x[part, None])
    return inside


def within(rings):
    """((1,), (1,)): y and x of a point inside, which lies on no edge."""
    starts, ends = edges(rings)
    y = np.unique(starts[:, 0])[:2].mean()
    x = np.sort(_at(starts, ends, y)[_over(starts, ends, y)])[:2]
    return np.array([y]), x.mean(keepdims=True)


def edges(rings):
    """((n, 2), (n, 2)) float64: where the edges of rings begin and end."""
    rings = [np.asarray(ring, float) for ring in rings]
    return np.concatenate(rings), np.concatenate([np.roll(ring, -1, 0) for ring in rings])


def crossing(rings):
    """The place (y, x) where two edges of rings cross; None if none do. Edges that only touch are sound."""
    starts, ends = edges(rings)
    step = max(1, AT_ONCE // len(starts))
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        cross = _cross(starts[part, None], ends[part, None], starts[None], ends[None])
        if cross.any():
            one, other = np.argwhere(cross)[0] + (first, 0)
            return _place(starts[one], ends[one], starts[other], ends[other])
    return None


def _odd(starts, ends, y, x):
    """Whether a ray from (n, 1) points to the left crosses an odd number of edges."""
    return (_over(starts, ends, y) & (_at(starts, ends, y) <= x)).sum(1) % 2 == 1


def _over(starts, ends, y):
    """Which edges go past Y."""
    return (starts[:, 0] <= y) != (ends[:, 0] <= y)


def _at(starts, ends, y):
    """The x at which edges go past Y."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return starts[:, 1] + (y - starts[:, 0]) * (ends[:, 1] - starts[:, 1]) / (ends[:, 0] - starts[:, 0])


def _cross(a, b, c, d):
    """Whether edges from A to B and from C to D cross between their ends; arrays (..., 2) that broadcast."""
    return (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)


def _side(a, b, c):
    """The side of a line from A to B on which C lies: -1, 0 or 1."""
    along, to = b - a, c - a
    return np.sign(along[..., 1] * to[..., 0] - along[..., 0] * to[..., 1])


def _place(a, b, c, d):
    """Where the lines from A to B and from C to D cross: (y, x)."""
    (ay, ax), (by, bx), (cy, cx), (dy, dx) = a, b, c, d
    along = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / ((bx - ax) * (dy - cy) - (by - ay) * (dx - cx))
    return float(ay + along * (by - ay)), float(ax + along * (bx - ax))
