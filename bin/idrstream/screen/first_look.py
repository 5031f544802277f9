"""What the plan sees of the first images of a run, where they lie on this machine: how large they are, and whether
their files have the channel and z planes that are wanted.

In a container the planner sees no images, and what Bio-Formats would have to read it does not look at: then what the
study states holds until reference frames are fetched, and what is wrong with a file is said by FETCH.
"""

from contextlib import contextmanager

from idrstream import readers, sources
from idrstream.base.failures import ImageFailure, NoSuchPlane, NotReadable, UnchosenPlane
from idrstream.base.tables import Problems
from idrstream.screen import fetch
from idrstream.screen.places import frame_in_file

LOOKED_AT = 3  # images at most: the first may be the broken one


def size(images, root, reading):
    """Size of the first image that lies on this machine and can be read; None where there is none such.

    images   as the planner has them
    root     local folder that locations are relative to, or None
    reading  nuclear, z and reader, as in a batch
    returns  {"height", "width", "bits" of a stored pixel, "seen": its location}

    Raises tables.Problems where the file of the very first image lacks the wanted channel or z plane, or does not say
    which of several is wanted.
    """
    for asked in [asked for asked in images if _near(asked)][:LOOKED_AT]:
        try:
            with _movie(asked, root, reading) as (location, movie):
                if asked is images[0] and isinstance(movie.failure, UnchosenPlane | NoSuchPlane):
                    raise Problems([str(movie.failure)])
                frame = movie.read(frame_in_file(asked))
        except (ImageFailure, OSError, MemoryError):
            continue
        if not isinstance(frame, ImageFailure):
            bits = 8 * frame.dtype.itemsize
            return {"height": frame.shape[0], "width": frame.shape[1], "bits": bits, "seen": location}
    return None


def text(frame):
    """What an estimate by the frame of a study.Study rests on."""
    measure = f"frames of {frame['height']} x {frame['width']} pixels of {frame['bits']} bits"
    return f"{measure}, as {frame['seen']} has" if "seen" in frame else f"the study description: {measure}"


def _near(asked):
    return not any(map(sources.scheme, asked["locations"]))


@contextmanager
def _movie(asked, root, reading):
    location, opened = fetch.open_first(None, asked["locations"], root, {}, None)
    name = sources.split(location)[1]
    if readers.needs_all(name, reading.get("reader")):
        raise NotReadable(f"{name}: not before the start")
    with opened as file, readers.opened(file, name, fetch.choice(reading, asked), reading.get("reader")) as movie:
        yield location, movie
