"""NPZ files in which DeepCell's users keep the two channels of a slide that a network sees.

They are decompressed from the first row on, so windows that go down the slide cost one pass, and memory for some rows.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from idrstream.base.failures import NotReadable, image_failures
from idrstream.readers.image import Image, Level

SUFFIX = ".npz"
ARRAY = "input_channels"  # (rows, columns, 2)
CHANNELS = ("nuclear", "membrane")

AT_ONCE = 8 * 1024 * 1024  # bytes that are decompressed at a time
BUFFER = 1024 * 1024  # bytes that are read of the file at a time
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class Planes(Image):
    """The array of an NPZ file as an image of two channels. Raises NotReadable for another array."""

    axes = "YXC"

    def __init__(self, file: Any, name: str):
        self.name, self.channels = name, list(CHANNELS)
        with self._failures("it cannot be opened"):
            self._archive = zipfile.ZipFile(io.BufferedReader(file, BUFFER))
            self._stream, shape, fortran, dtype = self._begin()
        if len(shape) != 3 or shape[2] != len(CHANNELS) or min(shape) < 1:
            words = f"{ARRAY} has the shape {shape}; (rows, columns, {len(CHANNELS)}) is expected"
            raise NotReadable(f"{name}: {words}, nuclear and membrane.")
        if fortran:
            raise NotReadable(f"{name}: {ARRAY} is stored by columns; store numpy.ascontiguousarray of it.")
        if dtype.kind not in "uif":
            raise NotReadable(f"{name}: {ARRAY} is of type {dtype}; save it as integers or floats.")
        height, width, _ = shape
        self._stored, self._row = dtype, 0
        self.dtype, self.shape = dtype.newbyteorder("="), (1, len(CHANNELS), 1, height, width)
        self.levels = [Level((height, width), (1, width), width * len(CHANNELS) * dtype.itemsize)]

    def close(self) -> None:
        self._stream.close()
        self._archive.close()

    def _begin(self) -> tuple[Any, tuple[int, ...], bool, np.dtype]:
        """(stream behind the header of the array, shape, whether it is stored by columns, dtype)."""
        member = f"{ARRAY}.npy"
        if member not in self._archive.namelist():
            there = ", ".join(name.removesuffix(".npy") for name in self._archive.namelist()[:8]) or "none"
            raise NotReadable(f"{self.name}: it has no array {ARRAY}; its arrays: {there}.")
        stream = self._archive.open(member)
        return stream, *HEADERS[np.lib.format.read_magic(stream)](stream)

    def _read(self, channel, z, t, level, box):
        y0, y1, x0, x1 = box
        width = self.levels[0].shape[1]
        row_bytes = width * len(CHANNELS) * self._stored.itemsize
        most = max(1, AT_ONCE // row_bytes)
        pixels = np.empty((y1 - y0, x1 - x0), self.dtype)
        with self._failures("its rows cannot be read"):
            if y0 < self._row:
                self._stream.close()
                self._stream, self._row = self._begin()[0], 0
            while self._row < y1:
                rows = min(most, (y0 if self._row < y0 else y1) - self._row)
                content = self._stream.read(rows * row_bytes)
                if len(content) < rows * row_bytes:
                    raise EOFError(f"{ARRAY} ends in row {self._row + len(content) // row_bytes:,}")
                if self._row >= y0:
                    block = np.frombuffer(content, self._stored).reshape(rows, width, len(CHANNELS))
                    pixels[self._row - y0 : self._row - y0 + rows] = block[:, x0:x1, channel]
                self._row += rows
        return pixels

    def _failures(self, what: str):
        return image_failures(f"{self.name}: {what}")


def misfit(name: str, shape: tuple[int, int], whole: tuple[int, int]) -> str | None:
    """Why planes of SHAPE (Y, X) are none of a slide of WHOLE, as a sentence; None if they are."""
    if tuple(shape) == tuple(whole):
        return None
    sizes = "{:,} x {:,} pixels, and the slide {:,} x {:,}".format(*shape, *whole)
    return f"{name}: {ARRAY} has {sizes}; they must be of one size."
