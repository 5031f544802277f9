"""A binary file as a format library is given it, which remembers failures that the library hides."""

import io
from contextlib import contextmanager

from idrstream.base.failures import ImageFailure

GZIP = b"\x1f\x8b"  # how its files begin


class WatchedFile(io.RawIOBase):
    """Passes reads on to a file, and keeps its failure, which a library would take for a corrupt or absent part."""

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
        """While this lasts, a failure of the file itself is raised instead of what the library makes of it."""
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


def content_of(file):
    """What a file is, if not what its name promises, as the end of a sentence."""
    file.seek(0)
    head = file.read(256).lstrip().lower()
    if not head:
        return "it is empty"
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, as servers send in place of missing files"
    if head.startswith(GZIP):
        return "it is compressed by gzip; decompress it first"
    return f"it begins with {head[:8]!r}"
