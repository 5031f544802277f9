"""Frames out of image files. A reader is a module with a class `Movie`, and a line in READERS for each of its suffixes.

Movie(file, name, channel)  opens a binary file; name is what messages call it
.frames                     how many frames it has
.read(frame)                (Y, X) image, as stored, of a frame counted from 1
.close()

All of them raise an ImageFailure for what is wrong with the file or the frame.
"""

import io
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import PurePosixPath

from idrstream.failures import ConstantFrame, ImageFailure, NoSuchFrame, NotReadable

READERS = {  # suffix: module
    ".ch5": "cellh5",
    ".h5": "cellh5",
    ".hdf5": "cellh5",
    ".tif": "tiff",
    ".tiff": "tiff",
}


@contextmanager
def opened(file, name, channel=0):
    """A movie to read from; what is wrong with it or a frame is a value, not raised, so that no frame spoils another.

    file     what `sources.open_location` gives, or any binary file to read and seek in
    name     what messages call it; its suffix says how to read it
    channel  counted from 0
    gives    `frames`, how many there are, and `read(frame)`, counted from 1: a (Y, X) image, as stored, or ImageFailure
    """
    try:
        movie = _reader(name).Movie(file, name, channel)
    except ImageFailure as failure:
        yield _Opened(None, name, _bare(failure))
        return
    with closing(movie):
        yield _Opened(movie, name)


class _Opened:
    """What `opened` gives."""

    def __init__(self, movie, name, lost=None):
        self._movie, self._name, self._lost = movie, name, lost
        self.frames = movie.frames if movie else 0

    def read(self, frame):
        result = self._lost or _read(self._movie, self._name, frame)
        if isinstance(result, ImageFailure) and result.heals:  # the source is gone: other frames need not wait for it
            self._lost = result
        return result


def _reader(name):
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in READERS:
        raise NotReadable(f"{name}: files ending in {suffix!r} cannot be read; {', '.join(READERS)} can.")
    return import_module(f"{__name__}.{READERS[suffix]}")


def _read(movie, name, frame):
    """The image, or what is wrong with it."""
    try:
        if not 1 <= frame <= movie.frames:
            raise NoSuchFrame(f"frame {frame}: the movie has {movie.frames} frames ({name}).")
        image = movie.read(frame)
        if image.dtype.kind not in "uif" or image.size == 0:
            raise NotReadable(f"{name} frame {frame}: this is no image of grey levels ({image.dtype} {image.shape}).")
        if image.min() == image.max():
            raise ConstantFrame(f"{name} frame {frame}: every pixel is {image.min()}, so nothing was recorded.")
        return image
    except ImageFailure as failure:
        return _bare(failure)


def _bare(failure):
    """The failure as a value. Its traceback would keep HDF5's handles, which, alive at the end, crash Python."""
    failure.__cause__ = failure.__context__ = None
    return failure.with_traceback(None)


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
    return f"it begins with {head[:8]!r}"
