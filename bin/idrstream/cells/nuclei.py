"""What a label image tells of its nuclei, whoever made it: place, area, shape, outline."""

import cv2
import numpy as np
from scipy import ndimage
from skimage.measure import grid_points_in_poly

from idrstream.cells import rings

VERSION = 2  # raised when what is told of a label image changes

EDGES = np.array([(-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)], np.float32)  # of a pixel, from its centre: (y, x)


def table(labels, remove_edge=False):
    """The cells of an image, as `labels.write_cells` takes them.

    labels       (Y, X) unsigned label image, labels 1 … n
    remove_edge  leave out those that touch the border: they stay in the label image, as neighbours of the others
    returns      column -> (n,) array: label, center_y, center_x (pixels), area (pixels), solidity, touches_border
    """
    size, centers = areas(labels), centroids(labels)
    columns = {"label": np.arange(1, len(size) + 1), "center_y": centers[:, 0], "center_x": centers[:, 1]}
    columns |= {"area": size.astype(np.int32), "solidity": solidities(labels)}
    columns |= {"touches_border": touching_border(labels)}
    listed = ~columns["touches_border"] | (not remove_edge)
    return {name: values[listed] for name, values in columns.items()}


def areas(labels):
    """(n,) int64 pixels of labels 1 … n."""
    return np.bincount(labels.ravel(), minlength=1)[1:]


def centroids(labels):
    """(n, 2) float64 mean pixel position (y, x) of labels 1 … n."""
    y, x = np.nonzero(labels)
    inside = labels[y, x]
    size = areas(labels)
    return np.stack([np.bincount(inside, axis, minlength=len(size) + 1)[1:] / size for axis in (y, x)], axis=1)


def solidities(labels):
    """(n,) float32 share of its convex hull's pixels that each of labels 1 … n fills: 1 where it is convex.

    CellProfiler's AreaShape_Solidity, which is scikit-image's: the hull is of the pixels' edges. Its corners come from
    OpenCV here, four times as fast as from Qhull.
    """
    shares = []
    for _, inside in _each(labels):
        hull = cv2.convexHull((_contours(inside)[:, None] + EDGES).reshape(-1, 2))[:, 0]
        covered = grid_points_in_poly(inside.shape, hull, binarize=False) > 0  # 1 inside, 2 and 3 on the hull itself
        shares.append(np.count_nonzero(inside) / np.count_nonzero(covered))
    return np.array(shares, np.float32)


def touching_border(labels):
    """(n,) bool: has the nucleus a pixel in the first or last row or column of the image?"""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(np.arange(1, int(labels.max()) + 1), border)


def outlines(labels):
    """One polygon a label: its outermost pixels in order.

    returns  list of (k, 2) int32 (y, x), k >= 1; of the largest part if a label has several. OpenCV's findContours:
             unlike cellpose.utils.outlines_list it looks at the object's own box only and keeps objects of few pixels
    """
    polygons = []
    for box, inside in _each(labels):
        parts = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        polygon = max(parts, key=len)[:, 0, ::-1]
        polygons.append((polygon + [side.start for side in box]).astype(np.int32))
    return polygons


def polygons(labels):
    """The area of each label along the edges of its pixels.

    labels   (Y, X) label image, labels 1 … n
    returns  a list of parts a label, which are joined by corners at most; a part is a list of rings, (k, 2) int (y, x):
             the outer one, then its holes. Numbers are of corners: pixel (0, 0) is from 0 to 1 either way. Areas sum up
             to the label's pixels; rings are simple and meet at single corners at most, so the polygons are valid
    """
    boxes = [[place for side in box for place in (side.start, side.stop)] for box in _boxes(labels)]
    wanted = np.arange(1, len(boxes) + 1, dtype=np.int32)
    found = rings.trace(np.ascontiguousarray(labels, np.int32), wanted, np.array(boxes, np.int64).reshape(-1, 4))
    return [found.of(index) for index in range(len(boxes))]


def _boxes(labels):
    """The box of each of labels 1 … n, (slice, slice)."""
    return ndimage.find_objects(labels.astype(np.int32))


def _each(labels):
    """(box, uint8 image of the label within it) of labels 1 … n."""
    for label, box in enumerate(_boxes(labels), start=1):
        yield box, (labels[box] == label).astype(np.uint8)


def _contours(inside):
    """(k, 2) float32 (y, x): the corners of the outlines of all parts."""
    parts = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    return np.concatenate(parts)[:, 0, ::-1].astype(np.float32)
