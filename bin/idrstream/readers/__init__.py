"""Images out of files of any format. A reader is a module with a class `Image`, and a line in READERS for each suffix.

Image(file, name) takes a binary file (for OME-Zarr: a store) and what messages call it; its class derives from
`image.Image`, which says what it sets and defines. A module with NEEDS_WHOLE_FILE = True is given the path of a whole
file on a disk instead.

A reader raises an ImageFailure for a bad file, and before it allocates memory by what the file states of itself. Any
other exception becomes NotReadable, in `open_image` and in the reader's own methods.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import PurePosixPath

from idrstream.base.failures import NotReadable, image_failures

VERSION = 2  # raised when the pixels of an image change

READERS = {  # suffix: module
    ".btf": "tiff",
    ".ch5": "cellh5",
    ".h5": "cellh5",
    ".hdf5": "cellh5",
    ".qptiff": "tiff",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".zarr": "zarr",
}
BIOFORMATS = ".c01 .czi .dib .dv .flex .ics .ims .lei .lif .lsm .mvd2 .nd2 .oib .oif .r3d .scn .sld .stk .vsi .zvi"
READERS |= dict.fromkeys(BIOFORMATS.split(), "bioformats")  # what nothing else reads; --reader bioformats: any suffix

COPIED_AT_ONCE = 16 * 1024 * 1024  # bytes of a remote file that is needed whole


@contextmanager
def open_image(file, name, reader=None, cache=None):
    """The image of a file, as an `image.Image`, open while the context lasts.

    file    what `sources.open_location` or `sources.open_store` gives, or any binary file to read and seek in
    name    what messages call it; its suffix says how to read it
    reader  module to read it with, whatever its suffix; None or auto: by its suffix
    cache   folder for the copy of a remote file that a reader needs whole; None: a temporary one

    Raises an ImageFailure; so do the image's methods.
    """
    with ExitStack() as stack:
        with image_failures(f"{name}: it cannot be opened"):
            module = _reader(name, reader)
            whole = needs_whole_file(name, reader)
            image = module.Image(stack.enter_context(_on_disk(file, name, cache)) if whole else file, name)
        stack.callback(_close, image)
        yield image


def needs_whole_file(name, reader=None):
    """Does the reader of this file need all of it, on a disk? Raises NotReadable where nothing reads it."""
    return getattr(_reader(name, reader), "NEEDS_WHOLE_FILE", False)


def _reader(name, reader=None):
    if reader not in (None, "auto"):
        return import_module(f"{__name__}.{reader}")
    suffixes = [PurePosixPath(part).suffix.lower() for part in name.split("/")]
    suffix = ".zarr" if ".zarr" in suffixes else suffixes[-1]  # an image in a store is `x.zarr/B/3/0`
    if suffix not in READERS:
        can = ", ".join(READERS)
        raise NotReadable(f"{name}: files ending in {suffix!r} are not read; {can} are. Try --reader bioformats.")
    return import_module(f"{__name__}.{READERS[suffix]}")


def _close(image):
    with suppress(Exception):  # nothing more will be read
        image.close()


@contextmanager
def _on_disk(file, name, cache):
    """The path of the file under its own suffix: where it lies, with what lies beside it, or a link or copy."""
    if not hasattr(file, "read"):
        raise NotReadable(f"{name}: this is a folder, and --reader names a reader of single files; leave it out.")
    suffix, place = PurePosixPath(name).suffix, getattr(file, "name", None)
    local = isinstance(place, str | os.PathLike) and os.path.isfile(place)
    if local and PurePosixPath(place).suffix == suffix:
        yield os.path.abspath(place)
        return
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        path = os.path.join(folder, f"image{suffix}")
        if local:  # downloaded whole, under another name
            os.symlink(os.path.abspath(place), path)
        else:
            with open(path, "wb") as copy:
                file.seek(0)
                shutil.copyfileobj(file, copy, COPIED_AT_ONCE)
        yield path
