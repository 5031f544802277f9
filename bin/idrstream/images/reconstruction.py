"""Grey reconstruction, and the h-maxima of an image, whole or of a window of it.

Reconstruction spreads a seed under a mask until nothing changes: Vincent's hybrid of two scans and a queue, on padded
flat arrays, so that no neighbour needs a test. Results are those of skimage.morphology.reconstruction and h_maxima
(scikit-image 0.26), to the bit, without sorting the pixels.

Vincent 1993, doi:10.1109/83.217222.
"""

import numpy as np

from idrstream.base.kernels import kernel
from idrstream.images import sides


def disk(radius):
    """(n, 2) int64 offsets y, x of the pixels within RADIUS of a pixel, row by row, without itself."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    inside = (y * y + x * x <= radius * radius) & ((y != 0) | (x != 0))
    return np.stack([y[inside], x[inside]], axis=1).astype(np.int64)


def reconstruct(seed, mask, offsets):
    """Reconstruction of an image by dilation.

    seed     (Y, X) float32, nowhere above the mask
    mask     (Y, X) float32
    offsets  (n, 2) int64 y, x of a pixel's neighbours, symmetric and without itself
    returns  (Y, X) float32: for each pixel the highest seed from which a path leads to it, cut to the lowest mask on it
    """
    work = _Work(seed, mask, offsets)
    return work.inner(work.out).copy()


def h_maxima(image, h, radius):
    """(Y, X) bool: the h-maxima of an image (Y, X) float32, from which every way up leads down by H or more first.

    h       grey levels, above 0
    radius  pixels: neighbours lie within it
    """
    return window_h_maxima(image, h, radius, (False,) * 4)[0]


def window_h_maxima(image, h, radius, open_sides):
    """The h-maxima of an image that goes on beyond a window of it.

    image       (Y, X) float32, the window
    h, radius   as of `h_maxima`
    open_sides  top, bottom, left, right: whether the image goes on there
    returns     (Y, X) bool each: pixels that are h-maxima of the image, whatever lies outside of the window; and those
                that may be, the former among them. All others are none.

    Seen in a window, a reconstruction is too low at most. With the open sides taken as their own seeds, as high as
    anything from outside can get there, it is too high at most.
    """
    h = image.dtype.type(h)
    if not any(open_sides) and h > np.ptp(image):
        return np.zeros(image.shape, bool), np.zeros(image.shape, bool)
    # scikit-image's shift: a little more than h, in proportion to the level, since differences are rounded
    seed = image - h - 2 * np.finfo(image.dtype).resolution * np.abs(image)
    work = _Work(seed, image, disk(radius))
    possible = image - work.inner(work.out) >= h
    if not any(open_sides):
        return possible, possible
    work.open(open_sides, radius)
    return image - work.inner(work.out) >= h, possible


class _Work:
    """A reconstruction in padded flat arrays: OUT is what has been reconstructed."""

    def __init__(self, seed, mask, offsets):
        self._margin = margin = int(np.abs(offsets).max(initial=0))
        self._shape = tuple(side + 2 * margin for side in mask.shape)
        self._mask, self.out = (np.full(self._shape, -np.inf, np.float32) for _ in range(2))
        self.inner(self._mask)[:], self.inner(self.out)[:] = mask, seed
        self._around = np.sort(offsets @ (self._shape[1], 1))
        self._queue = np.empty(mask.size + 1, np.int32)
        self._queued = np.zeros(self._shape, np.bool_)
        before, after = self._around[self._around < 0], self._around[self._around > 0]
        inside = margin * self._shape[1] + margin, self.out.size - margin * self._shape[1] - margin
        count = _scan(self.out.ravel(), self._mask.ravel(), before, after, *inside, self._queue, self._queued.ravel())
        self._spread(count)

    def inner(self, padded):
        """The image's part of a padded array."""
        margin, (height, width) = self._margin, self._shape
        return padded[margin : height - margin, margin : width - margin]

    def open(self, open_sides, depth):
        """Let the image's pixels within DEPTH of its open sides be as high as the mask, and what follows from that."""
        rim = np.zeros(self._shape, np.bool_)
        inner = self.inner(rim)
        inner[:] = sides.rim(inner.shape, open_sides, depth)
        np.copyto(self.out, self._mask, where=rim)
        places = np.flatnonzero(rim)
        self._queue[: len(places)] = places
        np.copyto(self._queued, rim)
        self._spread(len(places))

    def _spread(self, count):
        _spread(self.out.ravel(), self._mask.ravel(), self._around, self._queue, self._queued.ravel(), count)


FLAT, DELTAS = "float32[::1]", "int64[::1]"


@kernel(f"int64({FLAT}, {FLAT}, {DELTAS}, {DELTAS}, int64, int64, int32[::1], boolean[::1])")
def _scan(out, mask, before, after, first, end, queue, queued):
    """Raise OUT by a scan forwards and one backwards; returns how many pixels that can raise others are queued."""
    for i in range(first, end):
        bound = mask[i]
        if bound == -np.inf:
            continue
        level = out[i]
        for d in before:
            level = max(level, out[i + d])
        out[i] = min(level, bound)
    count = 0
    for i in range(end - 1, first - 1, -1):
        bound = mask[i]
        if bound == -np.inf:
            continue
        level = out[i]
        for d in after:
            level = max(level, out[i + d])
        level = min(level, bound)
        out[i] = level
        for d in after:
            if out[i + d] < level and out[i + d] < mask[i + d]:
                queue[count] = i
                queued[i] = True
                count += 1
                break
    return count


@kernel(f"void({FLAT}, {FLAT}, {DELTAS}, int32[::1], boolean[::1], int64)")
def _spread(out, mask, around, queue, queued, count):
    """Raise OUT until nothing changes, from the COUNT pixels of the queue, a ring with a place for each pixel."""
    length = len(queue)
    head, tail = 0, count % length
    while count:
        i = queue[head]
        head = (head + 1) if head + 1 < length else 0
        count -= 1
        queued[i] = False
        level = out[i]
        for d in around:
            j = i + d
            if out[j] < level and out[j] < mask[j]:
                out[j] = min(level, mask[j])
                if not queued[j]:
                    queue[tail] = j
                    queued[j] = True
                    tail = (tail + 1) if tail + 1 < length else 0
                    count += 1
