"""Loops compiled for this processor, once for all tasks: the machine code is kept in files.

It lies beside this package, or where NUMBA_CACHE_DIR says; where neither can be written, in the user's cache, and where
nothing can be, each task compiles for itself, which takes seconds. Two tasks may write at once: a file is whole or
absent, and as a kernel is compiled for all its signatures in their order, and each kind of processor has a folder, both
write the same.
"""

import hashlib
from pathlib import Path

from numba import config, njit
from numba.core.registry import cpu_target

CODE = Path(__file__).parent / "__pycache__"


def kernel(signature):
    """Decorator: compile a function of this SIGNATURE, or list of them, as numba writes it; it holds no Python lock."""

    def compiled(function):
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except (OSError, RuntimeError):  # no place for files, or a full disk
            return njit(signature, nogil=True)(function)

    return compiled


def _of_this_processor():
    """The name of the folder of a kind of processor."""
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    return f"{name}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


config.CACHE_DIR = config.CACHE_DIR or str(CODE / _of_this_processor())
