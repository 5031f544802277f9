"""The files of a slide, opened wherever they lie: on this machine, staged for a task, on a server."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from idrstream import readers, sources
from idrstream.readers.image import Image
from idrstream.sources import staged


@contextmanager
def image(
    location: str, places: Mapping[str, str], cache: str | Path | None = None
) -> Generator[tuple[Any, Image], None, None]:
    """A file, or a store, which counts what it costs, and its image, while the context lasts.

    location  an absolute path or an address
    places    local folder -> its path in this task (`staged.places`)
    cache     folder for a copy of a file that can only be read whole

    Raises an ImageFailure; so does reading.
    """
    place = None
    if not sources.scheme(location):
        location, place = staged.local(location, None, places)
    with (
        sources.open_any(location, place, cache) as file,
        readers.open_image(file, sources.split(location)[1], cache=cache) as opened,
    ):
        yield file, opened
