"""How large the frames of a run are: what the study description states, or what one of them on this machine shows."""

from contextlib import ExitStack

from idrstream import fetch, readers, sources
from idrstream.failures import ImageFailure

LOOKED_AT = 3  # images at most: the first may be the broken one


def of_first(images, root, channel, reader):
    """Size of the first image that lies on this machine and can be read; None where there is none such.

    images           as the planner has them
    root             local folder that locations are relative to, or None
    channel, reader  as in `readers.opened`
    returns          {"height", "width", "bits" of a stored pixel, "seen": its location}

    In a container the planner sees no images: then what the study states holds until reference frames are fetched.
    """
    local = [asked for asked in images if not any(map(sources.scheme, asked["locations"]))]
    for asked in local[:LOOKED_AT]:
        try:
            return _size(asked, root, channel, reader)
        except (ImageFailure, OSError):  # FETCH will say why, for each image
            continue
    return None


def text(frame):
    """What an estimate by the frame of a study.Study rests on."""
    size = f"frames of {frame['height']} x {frame['width']} pixels of {frame['bits']} bits"
    return f"{size}, as {frame['seen']} has" if "seen" in frame else f"the study description: {size}"


def _size(asked, root, channel, reader):
    with ExitStack() as stack:
        location, opened = fetch.open_first(None, asked["locations"], root, {}, None)
        file = stack.enter_context(opened)
        movie = stack.enter_context(readers.opened(file, sources.split(location)[1], channel, reader))
        frame = movie.read(asked["frame"])
        if isinstance(frame, ImageFailure):
            raise frame
    return {"height": frame.shape[0], "width": frame.shape[1], "bits": 8 * frame.dtype.itemsize, "seen": location}
