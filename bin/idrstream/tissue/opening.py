"""The files of a slide, opened wherever they lie: on this machine, staged for a task, on a server."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from idrstream import readers, sources
from idrstream.readers.image import Image
from idrstream.sources import staged
from idrstream.tissue import npz


@contextmanager
def image(
    location: str, places: Mapping[str, str], cache: str | Path | None = None
) -> Generator[tuple[Any, Image], None, None]:
    """A file, or a store, which counts what it costs, and its image, while the context lasts.

    location  an absolute path or an address; of an NPZ file its planes are the image
    places    local folder -> its path in this task (`staged.places`)
    cache     folder for a copy of a file that can only be read whole

    Raises an ImageFailure; so does reading.
    """
    place = None
    if not sources.scheme(location):
        location, place = staged.local(location, None, places)
    name = sources.split(location)[1]
    with sources.open_any(location, place, cache) as file, _opened(file, name, cache) as found:
        yield file, found


def _opened(file: Any, name: str, cache: str | Path | None) -> AbstractContextManager[Image]:
    if name.lower().endswith(npz.SUFFIX):
        return closing(npz.Planes(file, name))
    return readers.open_image(file, name, cache=cache)
