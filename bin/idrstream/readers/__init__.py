"""Frames out of image files. A reader is a module with a class `Movie`, and a line in READERS for each of its suffixes.

Movie(file, name)           opens a binary file (for OME-Zarr: a store); name is what messages call it
.frames                     how many frames (time points) it has
.channels                   the file's names of its channels, "" for one without; one where there is no such axis
.planes                     how many z planes
.read(frame, channel, z)    (Y, X) image, as stored, of a frame counted from 1, channel and z plane counted from 0;
                            masked (numpy.ma) where it was never written, the data there being what the file says
.close()
.significant_bits           optional: of how many bits its grey levels are, where the file says so, else None

A reader raises an ImageFailure for what it knows to be wrong with the file or the frame, before memory is asked for
what the file only says of itself (`check_size`). Whatever else it raises becomes a NotReadable in `_outcome`. A module
with WHOLE = True is given the path of a whole file on a disk instead.
"""

import io
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import PurePosixPath

import numpy as np

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
from idrstream.readers.planes import Choice, chosen

VERSION = 2  # raised when the pixels of an image change

READERS = {  # suffix: module
    ".ch5": "cellh5",
    ".h5": "cellh5",
    ".hdf5": "cellh5",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".zarr": "zarr",
}
BIOFORMATS = ".c01 .czi .dib .dv .flex .ics .ims .lei .lif .lsm .mvd2 .nd2 .oib .oif .r3d .scn .sld .stk .vsi .zvi"
READERS |= dict.fromkeys(BIOFORMATS.split(), "bioformats")  # what nothing else reads; --reader bioformats: any suffix

WIDEST = 8  # bytes of a pixel
MOST_PIXELS = 400_000_000  # of a plane: 800 MB of 16 bits
GZIP = b"\x1f\x8b"  # how its files begin
PIECE = 16 * 1024 * 1024  # bytes of a far file asked for at a time where all of it is needed


@contextmanager
def opened(file, name, choice=Choice(), reader=None, cache=None):  # noqa: B008, a tuple
    """A movie to read from; what is wrong with it or a frame is a value, not raised, so that no frame spoils another.

    file     what `sources.open_location` gives, or any binary file to read and seek in
    name     what messages call it; its suffix says how to read it
    choice   planes.Choice: which of the file's planes are wanted
    reader   module to read it with, whatever its suffix; None or auto: by its suffix
    cache    folder for a far file of which a reader needs all; None: a temporary one
    gives    `failure`, the ImageFailure of the whole movie, or None; `frames`, how many there are; `significant_bits`;
             `read(frame)`, counted from 1: a (Y, X) image, or ImageFailure. Parts of it that were never written are
             masked (numpy.ma), and hold what the file says of such, or the median of the others where that is
             no grey level
    """
    with ExitStack() as stack:

        def open_movie():
            module = _reader(name, reader)
            place = stack.enter_context(_on_disk(file, name, cache)) if getattr(module, "WHOLE", False) else file
            movie = module.Movie(place, name)
            stack.callback(_close, movie)
            return _Planes(movie, name, *chosen(movie, name, choice))

        yield _Opened(_outcome(file, f"{name}: it cannot be opened", open_movie), file, name)


def needs_all(name, reader=None):
    """Does what reads this file need all of it, and a program of its own? Raises NotReadable where nothing reads it."""
    return getattr(_reader(name, reader), "WHOLE", False)


def check_size(name, height, width):
    """Raise NotReadable for a plane so large that memory should not be asked for it: a file may say anything."""
    if height * width > MOST_PIXELS:
        raise NotReadable(
            f"{name}: it says that its images have {height:,} x {width:,} pixels; {MOST_PIXELS:,} at most can be read."
        )


def without_fill(image, fill):
    """IMAGE, masked (numpy.ma) where it holds FILL, which its file declares to stand where there is no pixel.

    image  (Y, X); where it is masked already stays so
    fill   a number; counts where it cannot be a grey level: in floats, if it is below 0 or not finite. None: none
    """
    if image.dtype.kind != "f" or fill is None:
        return image
    levels = np.ma.getdata(image)
    with np.errstate(over="ignore"):
        fill = levels.dtype.type(fill)
    empty = np.isnan(levels) if np.isnan(fill) else levels == fill
    if 0 <= fill < np.inf or not empty.any():
        return image
    return np.ma.array(levels, mask=empty | np.ma.getmaskarray(image))


class _Opened:
    """What `opened` gives."""

    def __init__(self, movie, file, name):
        self._movie, self._file, self._name = movie, file, name
        self.failure = self._lost = movie if isinstance(movie, ImageFailure) else None
        self.frames = 0 if self._lost else movie.frames
        self.significant_bits = None if self._lost else movie.significant_bits

    def read(self, frame):
        problem = f"{self._name} frame {frame}: it cannot be read"
        result = self._lost or _outcome(self._file, problem, lambda: self._movie.read(frame))
        if (
            isinstance(result, ImageFailure) and result.retryable
        ):  # the source is gone: other frames need not wait for it
            self._lost = result
        return result


def _reader(name, reader=None):
    if reader not in (None, "auto"):
        return import_module(f"{__name__}.{reader}")
    suffixes = [PurePosixPath(part).suffix.lower() for part in name.split("/")]
    suffix = ".zarr" if ".zarr" in suffixes else suffixes[-1]  # an image in a store is `x.zarr/B/3/0`
    if suffix not in READERS:
        can = ", ".join(READERS)
        raise NotReadable(f"{name}: files ending in {suffix!r} cannot be read; {can} can. --reader bioformats may.")
    return import_module(f"{__name__}.{READERS[suffix]}")


class _Planes:
    """The wanted planes of a movie: what `opened` reads frames from."""

    def __init__(self, movie, name, channel, planes):
        self._movie, self._name, self._channel, self._planes = movie, name, channel, planes
        self.frames, self.significant_bits = movie.frames, getattr(movie, "significant_bits", None)

    def read(self, frame):
        """The image, if it is one."""
        if not 1 <= frame <= self.frames:
            raise NoSuchFrame(f"frame {frame}: the movie has {self.frames} frames ({self._name}).")
        name = f"{self._name} frame {frame}"
        pixels, lacking = None, np.ma.nomask
        for z in self._planes:
            plane = self._movie.read(frame, self._channel, z)
            _check(plane, name)
            lacking = np.ma.mask_or(lacking, np.ma.getmask(plane))  # also where another plane has the pixel: it is said
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


def _close(movie):
    with suppress(Exception):  # all that was wanted has been read
        movie.close()


@contextmanager
def _on_disk(file, name, cache):
    """The path of the file under its own suffix: where it lies, with what lies beside it, or a link or copy."""
    if not hasattr(file, "read"):
        raise NotReadable(f"{name}: this is many files, and this reader reads one; leave --reader out.")
    suffix, place = PurePosixPath(name).suffix, getattr(file, "name", None)
    here = isinstance(place, str | os.PathLike) and os.path.isfile(place)
    if here and PurePosixPath(place).suffix == suffix:
        yield os.path.abspath(place)
        return
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        path = os.path.join(folder, f"image{suffix}")
        if here:  # fetched whole, under a name of its own
            os.symlink(os.path.abspath(place), path)
        else:
            with open(path, "wb") as copy:
                file.seek(0)
                shutil.copyfileobj(file, copy, PIECE)
        yield path


class WatchedFile(io.RawIOBase):
    """The file as a format library is given it.

    Keeps what goes wrong below the library, which takes it for a corrupt file, or for a part that is absent.
    """

    def __init__(self, file):
        self._file = file
        self._failure = None

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._file.tell()

    def seek(self, offset, whence=io.SEEK_SET):
        return self._file.seek(offset, whence)

    def readinto(self, buffer):
        return self._guarded(self._file.readinto, buffer)

    def prefetch(self, ranges):
        """See `idrstream.sources`; nothing for a file that cannot."""
        if hasattr(self._file, "prefetch"):
            self._guarded(self._file.prefetch, ranges)

    def size(self):
        """Bytes of the whole file."""
        here = self.tell()
        size = self.seek(0, io.SEEK_END)
        self.seek(here)
        return size

    @contextmanager
    def blamed_first(self):
        """A failure of the file itself while this lasts comes out instead of whatever the library made of it."""
        self._failure = None
        try:
            yield
        except Exception:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def _guarded(self, function, argument):
        try:
            return function(argument)
        except ImageFailure as failure:
            self._failure = failure
            raise


def found_instead(file):
    """What a file is that is not what its name says, as the end of a sentence."""
    file.seek(0)
    head = file.read(256).lstrip().lower()
    if not head:
        return "it is empty"
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, as servers send in place of files that they do not have"
    if head.startswith(GZIP):
        return "it is packed by gzip; unpack it first"
    return f"it begins with {head[:8]!r}"
