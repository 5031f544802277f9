"""How light lies between the middle of a cell and its edge: in rings, and how even each ring is.

A ring is a quarter of the way from the cell's centre, its pixel farthest from any edge, along the shortest path inside
the cell to a pixel and straight on to the edge. All cells are walked at once, on a sheet.
"""

import numpy as np
import scipy.ndimage

BINS = 4
RINGS = [f"{ring}of{BINS}" for ring in range(1, BINS + 1)]
NAMES = ("FracAtD", "MeanFrac", "RadialCV")
WEDGES = 8
AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def distribution(labels, boxes, sheet, image):
    """RadialDistribution of every cell.

    labels   (Y, X) label image
    boxes    of its cells: (number, box), slices of (y, x)
    sheet    the cells laid out, 1 ... n (sheet.lay_out)
    image    intensities on the sheet
    returns  name -> (n, BINS) float64: FracAtD (share of the light), MeanFrac (that by share of the pixels), RadialCV
             (coefficient of variation over the wedges)

    As cp_measure 0.3.0, get_radial_distribution.
    """
    place = np.nonzero(sheet)
    cell = sheet[place] - 1
    to_edge = _to_edge(labels, boxes, sheet)
    center = _first_maxima(to_edge[place], cell, len(boxes))
    from_center = _walk(sheet > 0, [at[center] for at in place])[place]
    reached = np.isfinite(from_center)  # not a part that is not connected with its cell's centre
    cell, pixels_at = cell[reached], [at[reached] for at in place]
    way = from_center[reached] / (from_center[reached] + to_edge[place][reached] + 0.001)  # CellProfiler's constant
    ring = cell * BINS + np.minimum((way * BINS).astype(np.int64), BINS - 1)
    off = [at - all_[center][cell] for at, all_ in zip(pixels_at, place, strict=True)]
    wedge = (off[0] > 0) + (off[1] > 0) * 2 + (abs(off[0]) > abs(off[1])) * 4
    share, pixel_share = (_shares(ring, weights, len(boxes)) for weights in (image[place][reached], None))
    light, pixels = (
        np.bincount(ring * WEDGES + wedge, weights, len(boxes) * BINS * WEDGES).reshape(-1, BINS, WEDGES)
        for weights in (image[place][reached], None)
    )
    return {
        "FracAtD": share,
        "MeanFrac": share / (pixel_share + np.finfo(float).eps),
        "RadialCV": _variation(light, pixels),
    }


def _to_edge(labels, boxes, sheet):
    """(Y, X) distance to the nearest pixel of something else. The image's border is no edge of a cell that it cuts."""
    distance = scipy.ndimage.distance_transform_edt(sheet)
    on_sheet = scipy.ndimage.find_objects(sheet)
    for place, (number, box) in enumerate(boxes):
        if any(side.start == 0 or side.stop == length for side, length in zip(box, labels.shape, strict=True)):
            before = [min(side.start, 1) for side in box]
            around = tuple(slice(side.start - more, side.stop + 1) for side, more in zip(box, before, strict=True))
            mask = labels[around] == number
            inner = tuple(slice(b, b + s.stop - s.start) for b, s in zip(before, box, strict=True))
            distance[on_sheet[place]][mask[inner]] = scipy.ndimage.distance_transform_edt(mask)[mask]
    return distance


def _first_maxima(values, cell, count):
    """For each cell the index of its largest value, the first of equals."""
    largest = np.zeros(count)
    np.maximum.at(largest, cell, values)
    maxima = np.flatnonzero(values == largest[cell])
    first = np.empty(count, np.int64)
    first[cell[maxima[::-1]]] = maxima[::-1]
    return first


def _walk(inside, start):
    """(Y, X) length of the shortest way inside to a start, over the eight neighbours; infinite where there is none.

    inside  (Y, X) bool, false along the border
    start   (y, x) of the starts
    """
    width = inside.shape[1]
    length = np.where(inside, np.inf, -np.inf).ravel()  # nothing is shorter than what lies outside
    front = start[0] * width + start[1]
    length[front] = 0
    while len(front):
        so_far, reached = length[front], []
        for y, x in AROUND:
            places, new = front + y * width + x, so_far + (np.sqrt(2) if x and y else 1)
            shorter = new < length[places]
            places = places[shorter]
            length[places] = new[shorter]
            reached.append(places)
        front = np.unique(np.concatenate(reached))
    return length.reshape(inside.shape)


def _shares(rings, weights, count):
    sums = np.bincount(rings, weights, count * BINS).reshape(count, BINS)
    return sums / sums.sum(axis=1)[:, None]


def _variation(light, pixels):
    """Standard deviation over mean of the wedges that have pixels; 0 where none has."""
    filled = pixels > 0
    wedges = np.maximum(filled.sum(axis=2), 1)
    values = np.where(filled, light / np.where(filled, pixels, 1), 0)
    mean = values.sum(axis=2) / wedges
    deviation = np.sqrt((np.where(filled, values - mean[:, :, None], 0) ** 2).sum(axis=2) / wedges)
    return np.where(mean == 0, deviation, deviation / np.where(mean == 0, 1, mean))
