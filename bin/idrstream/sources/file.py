"""Files on a disk that this machine sees."""

import errno
import io
import os
import stat
from pathlib import Path

from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import split
from idrstream.sources.store import LARGEST, Store

STAY = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO)


def open_location(location, root=None, cache=None):
    """Open the file at a path, see `idrstream.sources`."""
    path = _inside(location, root)
    try:
        return LocalFile(path)
    except FileNotFoundError:
        probe(root or Path(location).parent)  # an unmounted disk is not a missing well
        raise MissingWell(f"{path}: there is no such file.") from None
    except OSError as error:
        raise _failure(path, error) from error


def open_folder(location, root=None):
    """A folder and what is below it, see `idrstream.sources`."""
    return LocalStore(_inside(location, root), root or split(location)[0] or os.curdir)


def probe(location, root=None):
    """Raise Unreachable if there is no such folder, or it may not be read."""
    folder = _inside(location, root)
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        where = os.path.realpath(folder)  # in a task it is a link
        raise Unreachable(
            f"{where}: this folder cannot be read ({error.strerror}); is the disk mounted on this machine?"
        ) from None


class LocalFile(io.FileIO):
    """A file on a disk, which counts the bytes that are read."""

    requests = 0

    def __init__(self, path):
        super().__init__(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # a pipe would wait
        self._bytes = 0
        facts = os.fstat(self.fileno())
        self.size, self.version = facts.st_size, str(facts.st_mtime_ns)
        if not stat.S_ISREG(facts.st_mode):
            self.close()
            raise NotReadable(f"{path}: this is a pipe or a device, not a file.")

    @property
    def bytes(self):
        return self._bytes

    def readinto(self, buffer):
        try:
            count = super().readinto(buffer)
        except OSError as error:
            raise Unreachable(f"{self.name}: the disk stopped answering ({error.strerror}).") from error
        self._bytes += count
        return count

    def readall(self):
        return self.read(max(self.size - self.tell(), 0))

    def read(self, size=-1):
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def prefetch(self, ranges):
        """Nothing: the operating system reads ahead."""


class LocalStore(Store):
    """A folder of objects on a disk, which counts what is read; `home` exists whenever the disk is mounted."""

    def __init__(self, folder, home):
        super().__init__(folder)
        self._home = home

    @property
    def version(self):
        """When it was last written: the newest change of a folder in it, and so of a file that was put there."""
        return str(max(os.stat(folder).st_mtime_ns for folder, _, _ in os.walk(self.place)))

    def fetch(self, key, start, stop):
        path = _inside(key, self.place)
        try:
            with open(path, "rb") as file:
                first, end, _ = slice(start, stop).indices(os.fstat(file.fileno()).st_size)
                if end - first > LARGEST:
                    raise self.too_large(key, end - first)
                file.seek(first)
                payload = file.read(max(end - first, 0))
                return payload, len(payload), 0
        except (FileNotFoundError, NotADirectoryError):
            probe(self._home)  # an unmounted disk is not a missing chunk
            return None, 0, 0
        except OSError as error:
            raise _failure(path, error) from error


def _failure(place, error):
    """The failure that an error of the operating system means: some are the file's for ever, the others the disk's."""
    if error.errno in STAY:
        return NotReadable(f"{place}: cannot be opened ({error.strerror}).")
    return Unreachable(f"{place}: the disk does not answer ({error.strerror}).")


def _inside(location, root):
    """The path, out of which of root no `..` may lead; links may, since people link their disks into place."""
    if root is None:
        return location
    root = os.path.realpath(root)
    path = os.path.normpath(os.path.join(root, location))
    if os.path.commonpath([root, path]) != root:
        raise NotReadable(f"{location}: leads out of {root}, the folder that the images must lie in.")
    return path
