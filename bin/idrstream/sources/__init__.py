"""Where image files come from. A source is a module with `open_location` and `probe`, and one line in SOURCES.

`open_location` returns a binary file to read and seek in, which is a context manager and has besides:

bytes             payload bytes downloaded, or read from a disk
requests          made to the server; 0 for local files
size              bytes of the whole file
version           text that changes when the file does: its time of change; None if nobody states one
prefetch(ranges)  fetches [(start, stop), ...] now, in few requests, and forgets what the last call fetched

`open_folder` returns a folder of many small files, such as an OME-Zarr image, as a `store.Store`, which counts and has
a version as well. A source that cannot read single files of a folder has none. `check_parts` is of sources that may
have a file that can only be downloaded whole.
"""

import io
import os
import re
from collections import deque
from importlib import import_module
from urllib.parse import urlsplit

from idrstream.base.failures import NotReadable

SOURCES = {  # scheme: module; "" is a path
    "": "file",
    "http": "https",
    "https": "https",
    "ftp": "ftp",
    "aspera": "aspera",
    "fasp": "aspera",
    "gs": "buckets",
    "s3": "buckets",
}

FIRST_READ = 32 * 1024  # bytes; the whole directory of a CellH5 movie that was written at once
READ_AHEAD = 8 * 1024  # bytes; two nodes of HDF5's chunk index
MOST_AHEAD = 1024 * 1024  # bytes; read-ahead doubles up to this while a file is read from front to back
KEPT = 8 * 1024 * 1024  # bytes of a file's directory kept in memory
MERGED_GAP = 16 * 1024  # bytes; a gap this small is downloaded faster than another request is answered

connections = 4  # to one server at a time, at most: see `at_most`


def scheme(location):
    """The scheme of an address, in small letters; "" for a path: a colon alone (`T10:00.tif`) makes no address."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", str(location))
    return match[1].lower() if match else ""


def fault(location):
    """Why a location is neither a path nor an address that can be fetched, as the end of a sentence; None if it is."""
    if re.match(r"[A-Za-z]:[\\/]|\\\\", location):
        return "this is a Windows path; write it as the machine that runs Nextflow sees it, such as /mnt/c/data/a.tif"
    if re.match("~[^/]*/", location):
        return "only a shell replaces ~; write the home folder's path, such as /home/me/a.tif"
    if prefix := re.match("file:(//|(?=/))", location, re.I):
        return f"write the path alone, without {prefix[0]}"
    kind = scheme(location)
    if kind and kind not in SOURCES:
        schemes = ", ".join(f"{name}://" for name in SOURCES if name)
        return f"{kind}:// cannot be fetched; paths and {schemes} can"
    try:
        no_server = kind and not urlsplit(location).hostname
    except ValueError:
        no_server = True
    return "this address names no server" if no_server else None


def open_location(location, root=None, cache=None):
    """Open an image file, wherever it is.

    location  URL or path
    root      folder that a path is relative to and may not leave; None: any path
    cache     folder for files that can only be downloaded whole, until they are closed; None: a temporary one

    Raises MissingWell, NotReadable or Unreachable; so does reading the file.
    """
    return _source(location).open_location(str(location), root=root, cache=cache)


def open_store(location, root=None):
    """Open an OME-Zarr image, wherever it is: `.../x.zarr`, or of a plate `.../x.zarr/B/3/0`.

    Arguments and failures as of `open_location`; MissingWell where there is no image.
    """
    return open_folder(location, root).enter()


def open_folder(location, root=None):
    """A folder of many files, wherever it is, as a `store.Store`; whether there is one shows when it is read.

    Arguments and failures as of `open_location`.
    """
    source = _source(location)
    if not hasattr(source, "open_folder"):
        raise NotReadable(f"{location}: an OME-Zarr is read from a folder or from http(s)://; name it so.")
    return source.open_folder(str(location), root=root)


def open_any(location, root=None, cache=None):
    """Open an image, wherever it is, as `open_location` or `open_store` does."""
    return open_store(location, root) if is_store(location) else open_location(location, root, cache)


def at_most(count):
    """Limit the connections of this process to one server at a time.

    Callers open no more files than that at a time; a source limits the requests of a store, which is many files.
    """
    global connections
    connections = count


def split(location):
    """(folder, name) of what lies at a path or URL: the name is its last part, or everything from an `x.zarr` on."""
    path = urlsplit(location).path if scheme(location) else location
    parts = path.rstrip("/").split("/")
    first = next((place for place, part in enumerate(parts) if part.lower().endswith(".zarr")), len(parts) - 1)
    return "/".join(parts[:first]) or "/" * location.startswith("/"), "/".join(parts[first:])


def joined(folder, path):
    """A path below a local folder, normalised unless it contains `..`, the meaning of which depends on links."""
    path = os.path.join(folder, path)
    return path if ".." in path.split("/") else os.path.normpath(path)


def is_store(location):
    """Whether a location is an OME-Zarr, or an image in one."""
    return split(location)[1].split("/")[0].lower().endswith(".zarr")


def probe(location, root=None):
    """Raise Unreachable unless the server of a URL answers, or the folder of a path is there."""
    _source(location).probe(str(location), root=root)


def check_parts(location):
    """Raise NotReadable for a file that a server sends whole only; whether it is there may be checked as well."""
    source = _source(location)
    if hasattr(source, "check_parts"):
        source.check_parts(str(location))


def _source(location):
    if problem := fault(str(location)):
        raise ValueError(f"{location}: {problem}.")
    return import_module(f"{__name__}.{SOURCES[scheme(location)]}")


class Counted:
    """A remote file that costs what its `_link` counts."""

    @property
    def bytes(self):
        return self._link.bytes

    @property
    def requests(self):
        return self._link.requests


class RangedFile(Counted, io.RawIOBase):
    """A remote file; only the byte ranges that are read are downloaded. Read-only, seekable.

    link        counts what it costs: `bytes`, `requests`
    read_ahead  bytes that are fetched at least where a read does not go on from the last; a reader may set it

    A source's class sets `size`, maybe `version`, and defines fetch(start, stop): all bytes from start to before stop.
    """

    version = None

    def __init__(self, link):
        self._link = link
        self._position = 0
        self._read = deque()  # (start, payload) of reads, newest last
        self._prefetched = []  # (start, payload) of the last prefetch
        self.read_ahead = self._ahead = READ_AHEAD

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        return self._position

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        stop = min(self._position + len(view), self.size)
        count = max(stop - self._position, 0)
        filled = 0
        while filled < count:
            piece = self._cached(self._position) or self._read_on(self._position, stop)
            piece = piece[: count - filled]
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position += len(piece)
        return count

    def prefetch(self, ranges):
        """Fetch the ranges now, neighbours in one request, and forget those of the last call."""
        self._prefetched = []
        for start, stop in merged(ranges):
            stop = min(stop, self.size)
            start += len(self._cached(start))
            if start < stop:
                self._prefetched.append((start, self.fetch(start, stop)))

    def _cached(self, position):
        """Bytes in memory from this position on; empty if there are none."""
        for pieces in (self._prefetched, reversed(self._read)):
            for start, payload in pieces:
                if start <= position < start + len(payload):
                    return memoryview(payload)[position - start :]
        return b""

    def _read_on(self, start, stop):
        """Fetch from start to stop at least; further ahead each time the file is read on where the last fetch ended."""
        last, payload = self._read[-1] if self._read else (0, b"")
        follows = start == last + len(payload)
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if follows else self.read_ahead
        return self._keep(start, self.fetch(start, min(max(stop, start + self._ahead), self.size)))

    def _keep(self, start, payload):
        self._read.append((start, payload))
        while len(self._read) > 1 and sum(len(payload) for _, payload in self._read) > KEPT:
            self._read.popleft()
        return memoryview(payload)


def merged(ranges, gap=MERGED_GAP):
    """Ranges in order, merged where they overlap or lie within `gap` bytes of each other."""
    joined = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1] + gap:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    return [tuple(pair) for pair in joined]
