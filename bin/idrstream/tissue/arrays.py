"""Tuples of arrays between steps: a compressed file each, whole or not at all."""

import numpy as np

from idrstream.base import files


def write(path, arrays):
    """Write a NamedTuple of arrays and numbers, such as masks.Sinks."""
    with files.whole(path) as hidden, open(hidden, "wb") as file:
        np.savez_compressed(file, **arrays._asdict())


def read(path, kind):
    """Read what `write` wrote of a NamedTuple of this KIND."""
    with np.load(path) as stored:
        return kind(**{name: stored[name] for name in kind._fields})
