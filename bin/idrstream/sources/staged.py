"""Local folders as a task sees them: where they are, or staged into the task's own folder, by number."""

import os

from idrstream import sources
from idrstream.base.failures import Unreachable


def folders(locations):
    """The local folders in which files lie, or folders of many files, sorted; none for an address."""
    return sorted({sources.split(place)[0] for place in locations if not sources.scheme(place)})


def places(folders, staged):
    """Local folder -> its path in this task. STAGED: the folder that has FOLDERS as 1, 2, ...; None: they are not."""
    return {folder: os.path.join(staged, str(number)) for number, folder in enumerate(folders, 1)} if staged else {}


def local(location, root, places):
    """(name, folder) of a local file: its folder's path in this task, and its name below that.

    root    folder that a relative location is relative to
    places  of `places`

    Raises Unreachable where the folder cannot be read.
    """
    folder, name = sources.split(location) if os.path.isabs(location) else (root, location)
    place = places.get(folder, folder)
    if folder and not os.path.isdir(place):  # an unmounted disk is not a missing well
        raise Unreachable(f"{folder}: this folder cannot be read; is its disk mounted on this machine?")
    return name, place
