"""The JSON files that describe arrays and groups of a Zarr or N5, of which any may be damaged or lie."""

import io
import json
from contextlib import suppress

from idrstream.base.failures import NotReadable
from idrstream.readers.watched_file import content_of


def parsed(content, key, name):
    """The JSON object of a file's content; NAME is what messages call the image. Raises NotReadable for anything else.

    key      the file's place in the store
    content  bytes; None where there is no such file
    """
    if content is None:
        raise NotReadable(f"{name}: there is no {key} in it.")
    with suppress(ValueError, RecursionError):
        value = json.loads(content)
        if isinstance(value, dict):
            return value
    raise NotReadable(f"{name}: {key} is not a JSON object: {content_of(io.BytesIO(content))}.")


def inside(path, name):
    """A path below a store, normalised. Raises NotReadable where it leads out of it."""
    parts = path.split("/")
    if ".." in parts or parts[0] == "" != parts[-1]:
        raise NotReadable(f"{name}: its pixels are stated to lie at {path!r}, outside of it.")
    return "/".join(part for part in parts if part not in ("", "."))
