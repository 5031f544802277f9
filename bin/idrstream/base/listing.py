"""The names of the files in a folder and below. Standard library only, for it runs on the head."""

import errno
import os


def read(folder, without=()):
    """List the files below FOLDER; links are followed, and hidden names passed over.

    without  folders that are not entered
    returns  {"files": paths relative to FOLDER, "faults": a sentence for each folder that cannot be read, or link that
             may lead to one}; an OME-Zarr (a folder called x.zarr) counts as a file, and so does a link that leads
             nowhere

    A folder that holds itself, by a link, is entered once.
    """
    files, faults = [], []
    without = {os.path.realpath(path) for path in without}
    todo = [("", (os.path.realpath(folder),))]  # of a folder: its path, and what it and those above it really are
    while todo:
        below, above = todo.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, below)))
        except OSError as reason:
            faults.append(f"{os.path.join(folder, below)}: this folder cannot be read ({reason.strerror})")
            continue
        for entry in entries:
            path = os.path.join(below, entry.name)
            if entry.name.startswith("."):
                continue
            try:
                folder_below = _is_folder(entry)
            except OSError as reason:
                faults.append(f"{entry.path}: where this link leads cannot be read ({reason.strerror})")
                continue
            if not folder_below or entry.name.lower().endswith(".zarr"):
                files.append(path)
            elif (real := os.path.realpath(entry.path)) not in without and real not in above:
                todo.append((path, (*above, real)))
    return {"files": sorted(files), "faults": faults}


def _is_folder(entry):
    """Whether an os.DirEntry is a folder, or a link to one. Raises OSError where that cannot be known."""
    try:
        return entry.is_dir()
    except OSError as reason:
        if reason.errno == errno.ELOOP:
            return False
        raise
