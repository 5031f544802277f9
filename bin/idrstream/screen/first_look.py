"""The planner's look at the first images of a run that lie on this machine: their size, and whether their files have
the wanted channel and z plane.

In a container the planner sees no images, and it opens none that needs Bio-Formats. Then the size that the study states
is used until reference frames are fetched, and FETCH reports what is wrong with a file.
"""

from contextlib import contextmanager

from idrstream import readers, sources
from idrstream.base.failures import ImageFailure, NoSuchPlane, NotReadable, UnchosenPlane
from idrstream.base.tables import Problems
from idrstream.readers.movie import open_movie
from idrstream.screen import fetch
from idrstream.screen.places import frame_in_file

OPENED = 3  # images at most: the first may be broken


def size(images, root, reading):
    """Size of the first image that lies on this machine and can be read; None where there is none.

    images   as the planner has them
    root     local folder that locations are relative to, or None
    reading  nuclear, z and reader, as in a batch
    returns  {"height", "width", "bits" of a stored pixel, "seen": its location, "frames" of its file}

    Raises tables.Problems where the file of the very first image lacks the wanted channel or z plane, or has several
    and nothing says which is wanted.
    """
    for row in [row for row in images if _local(row)][:OPENED]:
        try:
            with _movie(row, root, reading) as (location, movie):
                if row is images[0] and isinstance(movie.failure, UnchosenPlane | NoSuchPlane):
                    raise Problems([str(movie.failure)])
                frame = movie.read(frame_in_file(row))
        except (ImageFailure, OSError, MemoryError):
            continue
        if not isinstance(frame, ImageFailure):
            height, width = frame.shape
            bits = 8 * frame.dtype.itemsize
            return {"height": height, "width": width, "bits": bits, "seen": location, "frames": movie.frames}
    return None


def text(frame):
    """What an estimate from the frame of a study.Study is based on."""
    size = f"frames of {frame['height']} x {frame['width']} pixels of {frame['bits']} bits"
    return f"{size}, like {frame['seen']}" if "seen" in frame else f"the study description: {size}"


def _local(row):
    return not any(map(sources.scheme, row["locations"]))


@contextmanager
def _movie(row, root, reading):
    location, opened = fetch.open_first(None, row["locations"], root, {}, None)
    name = sources.split(location)[1]
    if readers.needs_whole_file(name, reading.get("reader")):
        raise NotReadable(f"{name}: needs the whole file")
    with opened as file, open_movie(file, name, fetch.choice(reading, row), reading.get("reader")) as movie:
        yield location, movie
