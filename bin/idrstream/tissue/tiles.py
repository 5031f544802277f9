"""A slide's grid of tiles. The grid depends on the slide's size alone; no result depends on the grid."""

import math
from typing import NamedTuple


class Box(NamedTuple):
    """Rows y0 to before y1, columns x0 to before x1, in pixels of the slide."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self):
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def pixels(self):
        """How many there are."""
        return math.prod(self.shape)

    @property
    def name(self):
        """What files of a tile begin with: no other tile of the slide has the name."""
        return f"{self.y0}_{self.x0}"

    def grown(self, by, shape):
        """The box with BY pixels around it, as far as an image of SHAPE (Y, X) has them."""
        height, width = shape
        return Box(max(self.y0 - by, 0), min(self.y1 + by, height), max(self.x0 - by, 0), min(self.x1 + by, width))

    def common(self, other):
        """The pixels that this box and one that it meets share."""
        return Box(max(self.y0, other.y0), min(self.y1, other.y1), max(self.x0, other.x0), min(self.x1, other.x1))

    def within(self, other):
        """The index, (slice, slice), of this box in an array of the box OTHER around it."""
        return slice(self.y0 - other.y0, self.y1 - other.y0), slice(self.x0 - other.x0, self.x1 - other.x0)

    def holds(self, other):
        """Whether all of OTHER lies in this box."""
        return self.y0 <= other.y0 and other.y1 <= self.y1 and self.x0 <= other.x0 and other.x1 <= self.x1


def joined(boxes):
    """The smallest Box that holds several."""
    y0, y1, x0, x1 = zip(*boxes, strict=True)
    return Box(min(y0), max(y1), min(x0), max(x1))


def meet(boxes, box):
    """(n,) bool: which of (n, 4) boxes y0, y1, x0, x1 share a pixel with BOX."""
    y0, y1, x0, x1 = boxes.T
    return (y0 < box.y1) & (y1 > box.y0) & (x0 < box.x1) & (x1 > box.x0)


def grid(box, side):
    """Tiles of a box, row by row, of SIDE pixels; the last ones are smaller."""
    return [
        Box(y, min(y + side, box.y1), x, min(x + side, box.x1))
        for y in range(box.y0, box.y1, side)
        for x in range(box.x0, box.x1, side)
    ]


def meeting(box, side, shape):
    """The tiles of a slide of SHAPE (Y, X), of SIDE pixels, that share a pixel with BOX."""
    around = Box(box.y0 // side * side, box.y1, box.x0 // side * side, box.x1)
    return [Box(y0, min(y0 + side, shape[0]), x0, min(x0 + side, shape[1])) for y0, _, x0, _ in grid(around, side)]


def groups(shape, side, count):
    """The tiles of a slide of SHAPE (Y, X) in blocks of at most COUNT, as square as that allows: a task each.

    Tiles of a block share their surroundings, which a row of them would not.
    """
    wide = max(1, round(count**0.5))
    tall = max(1, count // wide)
    rows = grid(Box(0, -(-shape[0] // side), 0, -(-shape[1] // side)), 1)
    blocks = {}
    for row, _, column, _ in rows:
        tile = meeting(Box(row * side, row * side + 1, column * side, column * side + 1), side, shape)
        blocks.setdefault((row // tall, column // wide), []).extend(tile)
    return list(blocks.values())


def corner(packet):
    """(y, x): the first pixel of what is worked on, in pixels of the slide, by the planner's JSON of it."""
    y, x, *_ = packet["region"] or (0, 0)
    return y, x


def boxes_of(packet, group):
    """The tiles of a GROUP, counted from 0, of the planner's JSON of a slide."""
    return [Box(*tile) for tile in packet["groups"][group]]


def all_of(packet):
    """All tiles of the planner's JSON of a slide."""
    return [Box(*tile) for group in packet["groups"] for tile in group]
