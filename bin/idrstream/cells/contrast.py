"""The contrast at which a network sees an image: a window of grey levels, from the image's histogram alone.

The window is Cellpose's, 1st to 99th percentile, as long as nuclei cover enough of the image. Where they cover less
than 1 %, the 99th percentile is noise, and nuclei would reach the network at thirty or 300 times its level, where it
sees nothing. So the window is widened, as far as it must be and no further: until the upper quartile of what stands out
from the ground is at FOREGROUND, and the brightest thing of a nucleus's size at BRIGHTEST. Above KNEE the scale is
logarithmic.

The shipped network finds a nucleus whose level is between 0.1 and 12 (tried with 24 real nuclei); the constants keep
nuclei within. Histograms of tiles add up to that of the image, so its window does not depend on how it is cut.
"""

import numpy as np

LOW, HIGH = 0.01, 0.99  # quantiles of Cellpose's window
DARK = 0.25  # quantile below which all is taken for ground
Z_DARK, Z_HIGH = 0.67449, 2.32635  # standard deviations from a normal distribution's middle to 75 % and to 99 %
NOISE = 5.0  # standard deviations of the ground's noise above which a pixel stands out
SHARE = 0.25  # of what stands out that is brighter than the foreground's level
PIXELS = 50  # that a nucleus has at least
RARE = 1e-4  # share of a large image that its brightest thing takes
FOREGROUND, BRIGHTEST, KNEE = 6.0, 20.0, 8.0  # times the window's width


class Histogram:
    """Whole grey levels of an image, and how many pixels have each.

    levels  (k,) integers, ascending
    counts  (k,) pixels
    """

    def __init__(self, levels, counts):
        self._levels, self._until = np.asarray(levels, np.float64), np.cumsum(counts, dtype=np.int64)
        self.total = int(self._until[-1])

    def quantile(self, share):
        """The grey level that SHARE of the pixels do not exceed, interpolated as np.quantile does."""
        below, above, part = place(share, self.total)
        return between(*self._levels[np.searchsorted(self._until, (below, above), side="right")], part)

    def spread(self, share):
        """The same with each level's pixels spread evenly over v - 0.5 … v + 0.5: noise of 8 bits has no steps then."""
        index = int(np.searchsorted(self._until, share * self.total))
        before = self._until[index - 1] if index else 0
        return self._levels[index] + (share * self.total - before) / (self._until[index] - before) - 0.5

    def above(self, level):
        """How many pixels are brighter than LEVEL, spread in the same way."""
        index = int(np.searchsorted(self._levels, level - 0.5, side="right"))
        if index == len(self._levels):
            return 0.0
        before = self._until[index - 1] if index else 0
        part = max(0.0, level - self._levels[index] + 0.5)
        return float(self.total - before - part * (self._until[index] - before))


class Values:
    """The same of floats, which hardly repeat: by sorting them as far as is needed.

    values  (n,) any float type, finite; they are put into another order
    """

    def __init__(self, values):
        self._values, self.total = values, values.size

    def quantile(self, share):
        below, above, part = place(share, self.total)
        self._values.partition((below, above))
        return between(float(self._values[below]), float(self._values[above]), part)

    spread = quantile

    def above(self, level):
        return float(np.count_nonzero(self._values > level))


def place(share, total):
    """Indices of the two neighbours of a quantile among TOTAL sorted values, and the part of the way between them."""
    position = share * (total - 1)
    return int(position), min(int(position) + 1, total - 1), position % 1


def between(low, high, part):
    """The value at a PART of the way from LOW to HIGH."""
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part  # to the bit as NumPy's


def levels_of(image):
    """Histogram, or Values, of an array of any integer or float type, finite and not empty."""
    if image.dtype.kind == "f":
        return Values(image.flatten())
    if image.dtype.kind == "u" and image.dtype.itemsize <= 2:
        counts = np.bincount(image.ravel())
        return Histogram(np.flatnonzero(counts), counts[counts > 0])
    return Histogram(*np.unique(image, return_counts=True))


def window(levels):
    """(low, high): the grey levels that become 0 and 1; equal if the image is constant.

    levels  Histogram or Values of the whole image
    """
    low, high = levels.quantile(LOW), levels.quantile(HIGH)
    first, dark = levels.spread(LOW), levels.spread(DARK)
    noise = (dark - first) / (Z_HIGH - Z_DARK)
    ground = dark + Z_DARK * noise
    standing = SHARE * levels.above(ground + NOISE * noise)
    for times, pixels in (FOREGROUND, standing), (BRIGHTEST, RARE * levels.total):
        bright = levels.quantile(1 - min(1, max(pixels, PIXELS) / levels.total))
        high = max(high, low + (bright - low) / times)
    if high > low:
        return low, high
    return levels.quantile(0), levels.quantile(1)  # a few nuclei on an even ground, or nothing


def normalize(image):
    """The image as a network is to see it.

    image    (Y, X) any integer or float type, finite
    returns  (Y, X) float32: 0 and 1 at the ends of its window, logarithmic above KNEE; zeros if the image is constant
    """
    image = np.asarray(image)
    return scaled(image, *window(levels_of(image)))


def scaled(image, low, high):
    """An image, or a part of one whose `window` is LOW, HIGH, as a network is to see it: as `normalize` does."""
    if not high > low:
        return np.zeros(image.shape, np.float32)
    seen = ((image.astype(np.float32) - np.float32(low)) / np.float32(high - low)).astype(np.float32)
    bright = seen > KNEE
    seen[bright] = KNEE * (1 + np.log(seen[bright] / KNEE))
    return seen
