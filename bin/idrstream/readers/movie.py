"""Frames of a file as images to compute on: one plane, or the maximum of several, of the channel that is wanted."""

from contextlib import ExitStack, contextmanager

import numpy as np

from idrstream import readers
from idrstream.base.failures import (
    ConstantFrame,
    ImageFailure,
    NoSuchFrame,
    NotFinite,
    NotReadable,
    Unreachable,
    UnwrittenFrame,
    image_failures,
)
from idrstream.readers.image import check_size
from idrstream.readers.planes import Choice, chosen

WIDEST = 8  # bytes of a pixel
IN_COLOUR = "grey images are needed, this one is in colour; save the channel you want alone"
SPLIT = "(in Fiji: Image > Color > Split Channels)"


@contextmanager
def open_movie(file, name, choice=Choice(), reader=None, cache=None):  # noqa: B008, a tuple
    """A `Movie` to read frames from; failures are values, not raised, so that no frame spoils another.

    choice  planes.Choice: which of the file's planes are wanted

    The other arguments are those of `readers.open_image`.
    """
    with ExitStack() as stack:

        def opened():
            image = stack.enter_context(readers.open_image(file, name, reader, cache))
            if image.in_colour:
                raise NotReadable(f"{name}: {IN_COLOUR} {SPLIT}.")
            check_size(name, *image.shape[-2:])
            return _Frames(image, *chosen(image, choice))

        yield Movie(_outcome(file, f"{name}: it cannot be opened", opened), file, name)


class Movie:
    """The wanted frames of a file.

    failure           the ImageFailure of all of it, or None
    frames            how many there are
    channels          list of {"number": counted from 1, "name": the file's, "" without} of the channels that are read
    significant_bits  of its grey levels, where the file says so, else None
    """

    def __init__(self, frames, file, name):
        self._frames, self._file, self._name = frames, file, name
        self.failure = self._lost = frames if isinstance(frames, ImageFailure) else None
        self.frames = 0 if self._lost else frames.count
        self.channels = [] if self._lost else frames.channels
        self.significant_bits = None if self._lost else frames.significant_bits

    def read(self, frame):
        """(Y, X) grey levels of a frame, counted from 1; or its ImageFailure.

        Parts of it that were never written are masked (numpy.ma), and hold what the file says of such, or the median
        of the others where that is no grey level.
        """
        problem = f"{self._name} frame {frame}: it cannot be read"
        result = self._lost or _outcome(self._file, problem, lambda: self._frames.read(frame))
        if isinstance(result, ImageFailure) and result.retryable:  # the server is gone: other frames need not wait
            self._lost = result
        return result


class _Frames:
    """Frames of an image: of each a channel, and of several z planes the maximum."""

    def __init__(self, image, channel, planes):
        self._image, self._channel, self._planes = image, channel, planes
        self.count, self.significant_bits = image.shape[0], image.significant_bits
        self.channels = [{"number": channel + 1, "name": image.channels[channel]}]

    def read(self, frame):
        """(Y, X), checked to be an image."""
        if not 1 <= frame <= self.count:
            raise NoSuchFrame(f"frame {frame}: the movie has {self.count} frames ({self._image.name}).")
        name = f"{self._image.name} frame {frame}"
        pixels, lacking = None, np.ma.nomask
        for z in self._planes:
            plane = self._image.plane(self._channel, z, frame - 1)
            _check(plane, name)
            lacking = np.ma.mask_or(lacking, np.ma.getmask(plane))  # also where another plane has the pixel
            if not np.all(np.ma.getmask(plane)):
                pixels = plane if pixels is None else _brightest(pixels, plane)
        if pixels is None:
            raise UnwrittenFrame(f"{name}: none of its pixels was ever written.")
        levels = _filled(pixels)
        if levels.min() == levels.max():
            raise ConstantFrame(f"{name}: every pixel is {levels.min()}, so nothing was recorded.")
        return levels if lacking is np.ma.nomask else np.ma.array(levels, mask=lacking)


def _brightest(one, other):
    """The maximum of two planes (Y, X); where one is masked the pixel of the other, masked where both are."""
    levels, others = np.ma.getdata(one), np.ma.getdata(other)
    brightest = np.maximum(levels, others)
    if not (np.ma.is_masked(one) or np.ma.is_masked(other)):
        return brightest
    absent, lacking = np.ma.getmaskarray(one), np.ma.getmaskarray(other)
    brightest = np.where(lacking, levels, np.where(absent, others, brightest))
    return np.ma.array(brightest, mask=absent & lacking) if np.any(absent & lacking) else brightest


def _filled(image):
    """The grey levels of IMAGE (Y, X), the median of its pixels where it is masked and holds none."""
    levels = np.ma.getdata(image)
    if not np.ma.is_masked(image) or image.dtype.kind != "f":
        return levels
    absent = np.ma.getmaskarray(image)
    empty = absent & ~((levels >= 0) & (levels < np.inf))
    return np.where(empty, np.median(levels[~absent]), levels).astype(levels.dtype)


def _check(image, name):
    """Raise an ImageFailure for what is no image of grey levels, each of them a number where it is not masked."""
    if image.dtype.kind not in "uif" or image.dtype.itemsize > WIDEST or image.ndim != 2 or image.size == 0:
        raise NotReadable(f"{name}: this is no image of grey levels ({image.dtype} {image.shape}).")
    if image.dtype.kind != "f":
        return
    levels = np.ma.getdata(image)
    wrong = ~(np.isfinite(levels) | np.ma.getmaskarray(image))
    if wrong.any():
        rows, columns = np.nonzero(wrong)
        nan = int(np.isnan(levels[wrong]).sum())
        raise NotFinite(
            f"{name}: {len(rows):,} of its {image.size:,} pixels are not finite ({nan:,} NaN, {len(rows) - nan:,} "
            f"infinite), in rows {rows.min()} to {rows.max()} and columns {columns.min()} to {columns.max()}, counted "
            "from 0; cut them off, or fill them with the background."
        )


def _outcome(file, problem, action):
    """What action() returns, or the ImageFailure, as a value.

    The failure of a file that may have been cut off on its way (`unsure`: `sources.retry`) is its server's.
    """
    try:
        with image_failures(problem):
            return action()
    except ImageFailure as failure:
        if getattr(file, "unsure", False) and not failure.retryable:
            failure = Unreachable(
                f"{str(failure).rstrip('.')}; its server did not say how long the file is, so it may "
                "have been cut off on its way; the next run tries again."
            )
        # Its traceback would keep HDF5's handles, which, alive at the end, crash Python.
        failure.__cause__ = failure.__context__ = None
        return failure.with_traceback(None)
