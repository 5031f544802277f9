"""What the plan sees of the first images of a run, where they lie on this machine: how large they are, and whether
their files have the channel and z planes that are wanted.

In a container the planner sees no images, and what Bio-Formats would have to read it does not look at: then what the
study states holds until reference frames are fetched, and what is wrong with a file is said by FETCH.
"""

from contextlib import contextmanager, suppress

from idrstream import fetch, readers, sources
from idrstream.failures import ImageFailure, NoSuchPlane, NotReadable, UnchosenPlane, image_failures

LOOKED_AT = 3  # images at most: the first may be the broken one


def size(images, root, reading):
    """Size of the first image that lies on this machine and can be read; None where there is none such.

    images   as the planner has them
    root     local folder that locations are relative to, or None
    reading  nuclear, z and reader, as in a batch
    returns  {"height", "width", "bits" of a stored pixel, "seen": its location}
    """
    for asked in [asked for asked in images if _near(asked)][:LOOKED_AT]:
        try:
            with _movie(asked, root, reading) as (location, movie):
                frame = movie.read(asked["frame"])
        except (ImageFailure, OSError, MemoryError):
            continue
        if not isinstance(frame, ImageFailure):
            bits = 8 * frame.dtype.itemsize
            return {"height": frame.shape[0], "width": frame.shape[1], "bits": bits, "seen": location}
    return None


def plane_problem(asked, root, reading):
    """Why the wanted planes of an image are not in its file, in a sentence, or None. Arguments as of `size`."""
    if _near(asked):
        with suppress(ImageFailure), image_failures(asked["locations"][0]), _movie(asked, root, reading) as (_, movie):
            return str(movie.failure) if isinstance(movie.failure, UnchosenPlane | NoSuchPlane) else None
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
