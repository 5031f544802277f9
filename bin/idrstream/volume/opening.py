"""Containers of volumes, opened wherever they lie: on this machine, staged for a task, on a server."""

from __future__ import annotations

import os.path
from collections.abc import Mapping

from idrstream import sources
from idrstream.readers.volumes import Container
from idrstream.sources import staged


def container(location: str, places: Mapping[str, str]) -> Container:
    """The container at an absolute path or an address; whether there is one shows when a volume of it is wanted.

    places  local folder -> its path in this task (`staged.places`)

    Raises Unreachable where the folder of a path cannot be read.
    """
    if sources.scheme(location):
        address = location.rstrip("/")
        return Container(address, lambda path: sources.open_folder(f"{address}/{path}".rstrip("/")))
    name, root = staged.local(location, None, places)
    return Container(name, lambda path: sources.open_folder(os.path.join(name, path), root), os.path.join(root, name))
