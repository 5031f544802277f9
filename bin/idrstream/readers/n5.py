"""Blocks of N5 datasets as chunks of a Zarr 2 array without compression, whose axes are z, y, x instead of x, y, z."""

import math
import re
import struct

import numpy as np

from idrstream.base.failures import NotReadable, Truncated, of_machine
from idrstream.readers.zarr_chunks import ZARR_2

TYPES = {"uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"}
COMPRESSIONS = {"raw": None, "gzip": "gzip", "bzip2": "bz2", "xz": "lzma", "blosc": "blosc", "zstd": "zstd"}
KEY = re.compile(r"\d+(/\d+)*")
DEFAULT, VARIABLE = 0, 1  # modes of a block: of its own shape; with the number of its elements besides


def is_array(attributes):
    """Whether the attributes.json of a folder is that of a dataset, not of a group."""
    return "dimensions" in attributes and "dataType" in attributes


class Blocks:
    """The chunks of a dataset; those that do not exist are zeros, by the format.

    description  of the Zarr 2 array
    """

    def __init__(self, store, attributes, name):
        self._store, self._name = store, name
        sizes, steps = (self._sizes(attributes, key) for key in ("dimensions", "blockSize"))
        if len(sizes) != len(steps):
            raise NotReadable(f"{name}: its dimensions are {sizes}, but its blocks {steps}.")
        kind = str(attributes["dataType"])
        if kind not in TYPES:
            raise NotReadable(f"{name}: its voxels are of type {kind!r}; {', '.join(sorted(TYPES))} are read.")
        self._dtype = np.dtype(kind).newbyteorder(">")
        self._chunks = tuple(steps[::-1])
        self._decode = self._decoder(attributes)
        self.description = {
            "zarr_format": 2,
            "shape": sizes[::-1],
            "chunks": steps[::-1],
            "dtype": self._dtype.str,
            "compressor": None,
            "filters": None,
            "fill_value": 0,
            "order": "C",
            "dimension_separator": "/",
        }

    def get(self, key, start=None, stop=None):
        """The bytes of a chunk, all of it: an edge block may be smaller. None if it was never written."""
        if not KEY.fullmatch(key):
            return None
        place = "/".join(key.split("/")[::-1])
        content = self._store.get(place)
        if content is None:
            return None
        shape, payload = self._parsed(content, place)
        block = np.frombuffer(payload, self._dtype).reshape(shape)
        if shape == self._chunks:
            return block.tobytes()
        chunk = np.zeros(self._chunks, self._dtype)
        chunk[tuple(map(slice, shape))] = block
        return chunk.tobytes()

    def _parsed(self, content, place):
        """(shape in the order of Zarr, bytes) of a block."""
        try:
            mode, count = struct.unpack_from(">HH", content)
            if mode not in (DEFAULT, VARIABLE) or count != len(self._chunks):
                raise ValueError(f"it begins with {content[:4].hex(' ')}, which no block of voxels does")
            shape = struct.unpack_from(f">{count}I", content, 4)[::-1]
            start = 4 + 4 * count + 4 * (mode == VARIABLE)
            if any(not 0 < size <= most for size, most in zip(shape, self._chunks, strict=True)):
                raise ValueError(f"it states {shape} voxels, but blocks are {self._chunks}")
            if start >= len(content):
                raise EOFError("it ends before its voxels")
            payload = bytes(self._decode(content[start:]))
        except MemoryError:
            raise
        except Exception as error:  # numcodecs raises whatever its decoding trips over
            if of_machine(error):
                raise
            kind = Truncated if isinstance(error, struct.error | EOFError) else NotReadable
            raise kind(f"{self._name}: block {place} does not decode ({error}).") from error
        expected = math.prod(shape) * self._dtype.itemsize
        if len(payload) != expected:
            kind = Truncated if len(payload) < expected else NotReadable
            raise kind(f"{self._name}: block {place} has {len(payload):,} bytes of voxels instead of {expected:,}.")
        return shape, payload

    def _decoder(self, attributes):
        """The function that decompresses a block, to no more than it may hold."""
        compression = attributes.get("compression", {"type": attributes.get("compressionType")})
        compression = compression if isinstance(compression, dict) else {"type": compression}
        kind = str(compression.get("type"))
        if kind not in COMPRESSIONS:
            readable = ", ".join(COMPRESSIONS)
            raise NotReadable(f"{self._name}: its blocks are compressed by {kind!r}; {readable} can be read.")
        if kind == "raw":
            return bytes
        codec = ZARR_2["zlib" if kind == "gzip" and compression.get("useZlib") else COMPRESSIONS[kind]]()
        codec.largest = math.prod(self._chunks) * self._dtype.itemsize + 1024
        return codec.decode

    def _sizes(self, attributes, key):
        """An attribute that is a list of whole numbers above 0."""
        values = attributes.get(key)
        usable = isinstance(values, list) and len(values) > 0
        if not usable or not all(type(value) is int and value > 0 for value in values):
            what = f"its attribute {key} is {str(values)[:80]}; sizes of its axes are expected"
            raise NotReadable(f"{self._name}: {what}.")
        return values
