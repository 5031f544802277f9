"""The names of the files in a folder and below. Standard library only, for it runs on the head."""

import os


def read(folder, without=()):
    """List the files below FOLDER; links are followed, and hidden names passed over.

    without  folders that are not entered
    returns  {"files": paths relative to FOLDER, "faults": a sentence for each folder that cannot be read}; an OME-Zarr
             (a folder called x.zarr) counts as a file

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
            if not entry.is_dir() or entry.name.lower().endswith(".zarr"):
                files.append(path)
            elif (real := os.path.realpath(entry.path)) not in without and real not in above:
                todo.append((path, (*above, real)))
    return {"files": sorted(files), "faults": faults}
