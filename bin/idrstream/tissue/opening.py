"""The files of a slide, opened wherever they lie: on this machine, on a server, staged for a task."""

import os.path
from contextlib import ExitStack, contextmanager

from idrstream import readers, sources
from idrstream.base.failures import Unreachable


@contextmanager
def images(locations, places=None):
    """The images of a slide's files, opened: a list of (file, image.Image), in the order of the files.

    locations  absolute paths or addresses
    places     local folder -> where this task sees it, see `staged`; a folder that it lacks is where it is

    Raises an ImageFailure; so does reading. Files count `bytes` and `requests`, see `sources`.
    """
    with ExitStack() as stack:
        opened = []
        for location in locations:
            file = stack.enter_context(_open(location, places or {}))
            opened.append((file, stack.enter_context(readers.open_image(file, sources.split(location)[1]))))
        yield opened


def staged(folders, folder):
    """Where a task sees local FOLDERS: those of FOLDER, called 1, 2, ... in their order; {} if FOLDER is None."""
    return {path: os.path.join(folder, str(number)) for number, path in enumerate(folders, 1)} if folder else {}


def _open(location, places):
    root = None
    if not sources.scheme(location):
        folder, location = sources.split(location)
        root = places.get(folder, folder)
        if not os.path.isdir(root):  # an unmounted disk is not a missing file
            raise Unreachable(f"{folder}: this folder cannot be read; is its disk mounted on this machine?")
    return (sources.open_store if sources.is_store(location) else sources.open_location)(location, root=root)
