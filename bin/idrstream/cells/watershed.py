"""Deep watershed: objects out of the two maps of a network, of a window of an image as if all of it were seen.

The middles of objects are maxima of the inner distance. From them the interior is flooded, from its highest pixels to
its lowest, of equal ones row by row: a total order. What a window's surroundings could change is *unknown*:

  middles   Those that something from outside of the window could outdo (reconstruction.window_h_maxima).
  flooding  The pixels on the window's open sides flood before all others, and unknown middles as others do, for nobody
            in particular. Nothing from outside can come sooner, so what a middle still gets it gets in the image.

Bai and Urtasun 2017, doi:10.1109/CVPR.2017.305; Greenwald et al. 2022, doi:10.1038/s41587-021-01094-0.
"""

import heapq

import numpy as np
from scipy import ndimage

from idrstream.base.kernels import kernel
from idrstream.images import peaks, reconstruction, sides

UNKNOWN = -1  # label of a pixel that a wider window may tell
TRUNCATE = 4.0  # sigmas that the Gaussian reaches, as scipy has it
FIRST = np.iinfo(np.int32).min  # in the order of pixels
OUTSIDE = -2  # label of what is not flooded

MIDDLES = {"h_maxima": reconstruction.window_h_maxima, "peak_local_max": peaks.window_peaks}


def reach(settings):
    """Pixels around a window that `smoothed` must see."""
    maxima, interior = (int(TRUNCATE * sigma + 0.5) for sigma in (settings.maxima_smooth, settings.interior_smooth))
    return max(maxima, interior + settings.pixel_expansion)


def smoothed(maps, settings):
    """Maps of a network, (2, Y, X) float32, as they are flooded: inner distance, interior, each (Y, X) float32.

    Pixels within `reach` of a side at which the image goes on are wrong.
    """
    sigmas = settings.maxima_smooth, settings.interior_smooth
    distance, interior = (
        ndimage.gaussian_filter(plane, sigma, truncate=TRUNCATE) for plane, sigma in zip(maps, sigmas, strict=True)
    )
    if settings.pixel_expansion:
        interior = ndimage.maximum_filter(interior, 2 * settings.pixel_expansion + 1)
    return distance, interior


def flood(distance, interior, settings, origin, shape):
    """Objects in a window of an image.

    distance, interior  (Y, X) float32 of the window, as `smoothed` returns them
    settings            postprocessing.Settings
    origin              (y, x) of the window's first pixel
    shape               (Y, X) of the image
    returns             (Y, X) int64: of each pixel of an object the place of its middle's first pixel in the image, y *
                        width + x, plus 1; 0 is background, UNKNOWN what the window does not tell
    """
    height, width = distance.shape
    open_sides = origin[0] > 0, origin[0] + height < shape[0], origin[1] > 0, origin[1] + width < shape[1]
    find = MIDDLES[settings.maxima_algorithm]
    certain, possible = find(distance, settings.maxima_threshold, settings.radius, open_sides)
    labels, keys = _middles(certain, possible, origin, shape[1])
    rim, inside = sides.rim(distance.shape, open_sides, 1), interior > settings.interior_threshold
    order = (np.float32(0) - interior).view(np.int32)  # high first; a float's bits, as a number, are in its order
    order ^= (order >> 31) & np.iinfo(np.int32).max
    order[rim] = FIRST
    labels[rim] = UNKNOWN
    labels[~inside] = OUTSIDE
    padded = np.pad(labels, 1, constant_values=OUTSIDE)
    _flood(np.pad(order, 1).ravel(), padded.ravel(), width + 2)
    return keys[np.maximum(padded[1:-1, 1:-1], UNKNOWN)] * inside


def _middles(certain, possible, origin, width):
    """The middles of a window: (Y, X) int32 labels, 1 ... n or UNKNOWN, 0 elsewhere; and (n + 2,) int64 keys by label.

    The last key, which is that of label -1, is UNKNOWN. A middle of which a pixel is not certain is unknown; on an open
    side none is.
    """
    labels, count = ndimage.label(possible, np.ones((3, 3)))
    keys = np.zeros(count + 2, np.int64)
    places = np.flatnonzero(possible)[::-1]
    y, x = np.divmod(places, labels.shape[1])
    keys[labels.ravel()[places]] = (y + origin[0]) * width + x + origin[1] + 1  # the last written is the first pixel
    keys[UNKNOWN] = UNKNOWN
    unknown = np.zeros(count + 1, bool)
    unknown[labels[possible & ~certain]] = True
    labels[unknown[labels]] = UNKNOWN
    return labels, keys


@kernel("void(int32[::1], int32[::1], int64)")
def _flood(order, labels, width):
    """Give each pixel of label 0 that of the neighbour that is flooded first, in the order (order, place). In place.

    Both are an image with a margin, row by row, WIDTH pixels wide.
    """
    heap = [np.int64(0)]
    heap.clear()
    for place in range(len(labels)):
        if labels[place] != 0 and labels[place] != OUTSIDE:
            heapq.heappush(heap, (np.int64(order[place]) << 32) | place)
    while len(heap):
        place = heapq.heappop(heap) & 0xFFFFFFFF
        for step in (-width, -1, 1, width):
            if labels[place + step] == 0:
                labels[place + step] = labels[place]
                heapq.heappush(heap, (np.int64(order[place + step]) << 32) | (place + step))
