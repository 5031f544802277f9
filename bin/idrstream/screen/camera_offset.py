"""The grey levels that a plate's camera gives without light, estimated from the brightness of its nuclei.

Where the offset o is unknown, BaSiC takes it for light: over a background b under the true field f (mean 1) its field
is ``field0 = (o + b f) / (o + b)``. So one number, ``r = o / (o + b)``, is unknown: ``f = (field0 - r) / (1 - r)``.
The brightness of a nucleus above its background does not contain the offset: it is proportional to the lamp's light at
its position. r is the number that makes nuclei equally bright at all positions. The method relies on that alone: where
nuclei are dimmer for another reason than the lamp, that is taken for light.
"""

from typing import NamedTuple

import cv2
import numpy as np
from skimage.filters import threshold_otsu

SURE = 0.02  # RMS error of the field that the interval of r leaves, at most
VAGUE = 6  # times: largest ratio of the interval's ends of 1 - r, the share of the background that is light
DARKEST = 0.2  # of a true field of mean 1: no lens is worse
FEWEST = 40  # nuclei, in frames that have at least NEIGHBOURS
NEIGHBOURS = 3  # nuclei per frame, each of which has a mean of its own
LEAST_AREA = 60  # pixels
LEAST = 1e-4  # of the background: the smallest difference that counts where there is no noise
SPREAD = 0.5  # of the nuclei's log brightness: more is debris, or no nuclei
SHAPE = 4.1  # F of five further terms of second order in the place; p = 0.001
QUADRATIC = 3.84  # 95 % point of chi-squared with one degree of freedom
CONTRARY = 9.0  # likewise, of 3 standard errors
TUKEY = 4.685  # robust standard deviations, beyond which a nucleus does not count
LOWEST = -1.0  # r that is tried; a negative one is no offset, but shows that the nuclei do not follow the lamp


class Unknown(Exception):
    """The nuclei do not tell the offset; the message says why."""


class Estimate(NamedTuple):
    """What a plate's nuclei tell of its camera's offset.

    ratio   r, the offset's share of the background; `low` and `high` bound it with 95 % confidence
    level   grey levels of the background, offset included: r times it is the offset
    bound   RMS error of the field at the ends of that interval, the larger; without that of unlike nuclei (see above)
    nuclei  number of nuclei that it is based on
    """

    ratio: float
    low: float
    high: float
    level: float
    bound: float
    nuclei: int

    @property
    def offset(self):
        """In grey levels."""
        return self.ratio * self.level

    @property
    def sure(self):
        return self.bound <= SURE


def true_field(field, ratio):
    """The field that one fitted with offset 0 becomes, if the offset is that share of the background; mean 1."""
    return (field - np.float32(ratio)) / np.float32(1 - ratio)


def estimate(frames, field, used, origins=()):
    """Estimate the offset of a plate's camera.

    frames   sequence of (Y, X) equal in shape, grey levels; read anew each time they are needed
    field    (Y, X) float32, mean 1, as BaSiC fits it with offset 0
    used     indices of the frames that it was fitted to
    origins  (well, time) of each frame; without them wells and times are not compared
    returns  Estimate

    Raises Unknown where there are too few nuclei, or their answer is impossible.
    """
    levels = [background(frame, field) for frame in frames]
    peak = max(frame.max() for frame in frames)
    ratio = 0.0
    for _ in range(6):  # in corrected light, or the threshold would select nuclei by position
        nuclei = [_nuclei(frame, field, level, ratio, peak) for frame, level in zip(frames, levels, strict=True)]
        fit = _Fit(nuclei, field)
        before, ratio = ratio, fit.inside(fit.ratio)
        if abs(ratio - before) < 0.002:
            break
    fit.check()
    _compare(nuclei, field, origins)
    low, high = fit.interval()
    if 1 - low > VAGUE * (
        1 - high
    ):  # in even light the field hardly depends on r, but the offset is subtracted from each pixel
        raise Unknown(f"the light is so even that it could be {max(low, 0):.0%} or {high:.0%} of the background")
    level = float(np.mean([levels[i] for i in used]))
    return Estimate(ratio, low, high, level, _bound(field, low, ratio, high), len(fit.light))


def background(frame, field):
    """Level of a frame's background in grey levels: it is ``field * level`` where there is no nucleus.

    The median of means of 9 x 9 pixels, without those above it by more than 2.5 times the spread below it.
    """
    middles = tuple(slice(min(4, side - 1), None, 9) for side in frame.shape)
    values = np.sort((cv2.blur(frame.astype(np.float32), (9, 9)) / field)[middles], axis=None)
    while True:
        middle = np.median(values)
        spread = max(middle - np.percentile(values, 16), LEAST * abs(middle))
        count = np.searchsorted(values, middle + 2.5 * spread, side="right")
        if count == len(values):
            return float(middle)
        values = values[:count]


def _nuclei(frame, field, level, ratio, peak):
    """(n, 3) float64 of a frame: y, x, and mean grey levels above the background of each nucleus."""
    above = frame.astype(np.float32) - field * np.float32(level)
    flat = cv2.GaussianBlur(above / true_field(field, ratio), (0, 0), 1.5)
    sample = flat[::3, ::3].ravel()
    noise = 1.4826 * np.median(np.abs(sample - np.median(sample)))
    light = sample[sample > max(6 * noise, LEAST * level)]
    if len(light) < 50:
        return np.empty((0, 3))
    threshold = max(6 * noise, 0.5 * np.median(light[light >= np.exp(threshold_otsu(np.log(light)))]))
    kernel = np.ones((5, 5), np.uint8)
    mask = cv2.morphologyEx((flat > threshold).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    area = boxes[:, cv2.CC_STAT_AREA]
    core = np.where(cv2.erode(mask, kernel), labels, 0)  # without its rim, where the light falls off
    pixels = np.bincount(core.ravel(), minlength=count)
    sums = np.bincount(core.ravel(), above.ravel(), count)
    whole = np.ones(count, bool)
    whole[np.unique(labels[frame >= peak])] = False  # saturated
    whole[0] = False
    whole &= (area >= LEAST_AREA) & (pixels > 20) & (sums > 0)
    whole &= area > 0.3 * np.median(area[whole]) if whole.any() else whole
    return np.column_stack([centres[whole][:, ::-1], sums[whole] / pixels[whole]])


class _Fit:
    """Regression of nuclei's log brightness on that of the field at their positions: one r, and one mean per frame.

    By Tukey's biweight. The standard error is the largest of those by nucleus, by quadrant of a frame and by frame,
    because neighbours are alike.

    frame    (n,) number of each nucleus's frame, counted from 0 among the frames that have enough
    place    (y, x) of (n,) each, from -1 to 1 across the frame
    light    (n,) log of its grey levels above the background
    field    (n,) the fitted field at its place
    top      the highest r that is tried; `highest`: the highest that a lens can have
    weights  (n,) from 0 to 1, of the biweight
    ratio    r
    sigma    robust standard deviation of the log brightness around the fit
    error    standard error of r; `curvature`: half the second derivative of the sum of squares at r
    excess   F of another pattern than the lamp's
    """

    def __init__(self, nuclei, field):
        nuclei = [of_frame for of_frame in nuclei if len(of_frame) >= NEIGHBOURS]
        if sum(map(len, nuclei)) < FEWEST:
            raise Unknown(f"{FEWEST} nuclei are needed, there are {sum(map(len, nuclei))}")
        y, x, light = np.concatenate(nuclei).T
        height, width = field.shape
        self.frame = np.repeat(np.arange(len(nuclei)), [len(of_frame) for of_frame in nuclei])
        self.place = 2 * y / height - 1, 2 * x / width - 1
        self.light = np.log(light)
        self.field = field[y.astype(int), x.astype(int)].astype(float)
        self.top = 0.99 * float(field.min())
        self.highest = (float(field.min()) - DARKEST) / (1 - DARKEST)
        self.weights = np.ones(len(light))
        self.ratio = None
        self._solve()

    def inside(self, ratio):
        """The ratio, limited to what a lens and a camera can have."""
        return float(np.clip(ratio, 0, max(self.highest, 0)))

    def _solve(self):
        """Reweight and fit until r no longer changes."""
        rest = self.light - np.log(self.field - min(0.3, self.top))
        rest -= np.array([np.median(rest[self.frame == k]) for k in range(self.frame[-1] + 1)])[self.frame]
        for _ in range(40):
            self.sigma = 1.4826 * float(np.median(np.abs(rest))) + 1e-9
            self.weights = (1 - np.clip(np.abs(rest) / (TUKEY * self.sigma), 0, 1) ** 2) ** 2 + 1e-9
            before, self.ratio = self.ratio, _lowest(self._squares, LOWEST, self.top)
            rest = self._rest(self.ratio)
            if before is not None and abs(before - self.ratio) < 3e-4:
                break
        self._errors(rest)

    def _errors(self, rest):
        """Standard error and goodness of the fit, from its residuals REST (n,)."""
        slope = self._centred(1 / np.maximum(self.field - self.ratio, 1e-3))  # of `rest` by r
        self.curvature = (self.weights * slope**2).sum()
        share = np.clip(np.abs(rest) / (TUKEY * self.sigma), 0, 1) ** 2
        bread = max(((1 - share) * (1 - 5 * share) * slope**2).sum(), 0.3 * self.curvature)
        score = self.weights * slope * rest
        quadrant = 4 * self.frame + 2 * (self.place[0] > 0) + (self.place[1] > 0)
        self.error = 0.0
        for group in (np.arange(len(rest)), quadrant, self.frame):
            sums = np.bincount(group, score)
            count = np.count_nonzero(np.bincount(group))
            spare = len(rest) / max(len(rest) - self.frame[-1] - 3, 1) if count > self.frame[-1] + 1 else 1
            self.error = max(self.error, np.sqrt((sums**2).sum() * spare * count / max(count - 1, 1)) / bread)
        self.excess = self._excess(rest, slope)

    def _excess(self, rest, slope):
        """F of what five terms of second order in the position explain beside r."""
        y, x = self.place
        basis = np.column_stack([slope, *(self._centred(term) for term in (x, y, x * y, x * x, y * y))])
        root = np.sqrt(self.weights)
        coefficients, *_ = np.linalg.lstsq(basis * root[:, None], root * rest, rcond=None)
        unexplained = (self.weights * (rest - basis @ coefficients) ** 2).sum()
        freedom = max(self.weights.sum() - self.frame[-1] - 8, 1)
        return ((self.weights * rest**2).sum() - unexplained) / 5 / (unexplained / freedom)

    def _centred(self, values):
        """VALUES less their frame's weighted mean."""
        means = np.bincount(self.frame, self.weights * values) / np.bincount(self.frame, self.weights)
        return values - means[self.frame]

    def _rest(self, ratio):
        """(n,) residuals of the log brightness for a field with this r, minus the frame's mean."""
        return self._centred(self.light - np.log(np.maximum(self.field - ratio, 1e-6)))

    def _squares(self, ratio):
        return float((self.weights * self._rest(ratio) ** 2).sum())

    def distances(self, ratios):
        """Squared standard errors between r and RATIOS."""
        rise = np.array([self._squares(ratio) for ratio in ratios]) - self._squares(self.ratio)
        return np.maximum(rise, 0) / self.curvature / self.error**2

    def check(self):
        """Raise Unknown where the fit is not that of a field and of nuclei."""
        if self.sigma > SPREAD:
            raise Unknown(f"the nuclei differ too much in brightness (log, {self.sigma:.2f})")
        if self.excess > SHAPE:
            raise Unknown(f"the nuclei's brightness follows another pattern than the lamp's (F {self.excess:.1f})")
        if self.distances([self.inside(self.ratio)])[0] > CONTRARY:
            raise Unknown(f"the nuclei fit an impossible offset only, {self.ratio:.2f} of the background")

    def interval(self):
        """95 % interval of r, within the possible range: (low, high)."""
        ratios = np.linspace(0, max(self.highest, 0), 400)
        distances = self.distances(ratios)
        inside = ratios[distances <= distances.min() + QUADRATIC]
        return float(inside.min()), float(inside.max())


def _compare(nuclei, field, origins):
    """Raise Unknown where the nuclei of the first and of the last wells, or times, cannot have the same r."""
    for words, values in zip(("wells", "times"), zip(*origins, strict=True), strict=False):
        ordered = sorted(set(values))
        first = set(ordered[: len(ordered) // 2])
        halves = (
            [n for n, v in zip(nuclei, values, strict=True) if (v in first) == wanted] for wanted in (True, False)
        )
        try:
            fits = [_Fit(half, field) for half in halves]
        except Unknown:  # too few nuclei for halves
            continue
        ratios = np.linspace(0, max(fits[0].highest, 0), 100)
        if (fits[0].distances(ratios) + fits[1].distances(ratios)).min() > CONTRARY:
            ratios = " and ".join(f"{fit.ratio:.2f}" for fit in fits)
            raise Unknown(f"the nuclei of the first and the last {words} fit offsets of {ratios} of the background")


def _lowest(function, low, high):
    """Where FUNCTION of one number is lowest, to a few 1e-4 of the range."""
    for _ in range(4):
        points = np.linspace(low, high, 25)
        best = int(np.argmin([function(point) for point in points]))
        low, high = points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)]
    return float(points[best])


def _bound(field, low, ratio, high):
    """RMS error of the true field, the larger of those at LOW and HIGH, if RATIO is right."""
    right = true_field(field, ratio)
    return max(float(np.sqrt(np.mean((true_field(field, end) / right - 1) ** 2))) for end in (low, high))
