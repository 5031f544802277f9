"""Chunks of an OME-Zarr as the library zarr is given them: parts of shards, and only codecs that are safe and whole."""

import asyncio
import bz2
import io
import lzma
import math
import zlib

import numcodecs
import zarr
from numcodecs.compat import ndarray_copy
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from idrstream.base.failures import Truncated
from idrstream.readers.watched_file import content_of

LARGEST = 512 * 1024 * 1024  # bytes of a chunk
CONCURRENT = 4  # chunks of a frame fetched side by side
# Zarr's codecs include Python's pickle, which runs whatever code a chunk contains. So these, and no others:
CODECS = {"blosc", "bytes", "bz2", "crc32c", "delta", "gzip", "lz4", "lzma", "sharding_indexed", "shuffle"}
CODECS |= {"transpose", "zlib", "zstd"}


class Chunks(zarr.abc.store.Store):
    """The store as zarr is given it."""

    supports_writes = supports_deletes = supports_listing = False

    def __init__(self, store, name):
        super().__init__(read_only=True)
        self._store, self._name = store, name
        self._ends = {}  # of shards: where in them their chunks are
        self._absent = set()  # objects that do not exist, so that none is asked for twice

    def __eq__(self, other):
        return self is other

    async def get(self, key, prototype, byte_range=None):
        if isinstance(byte_range, SuffixByteRequest):
            if key not in self._ends:
                self._ends[key] = await self._get(key, -byte_range.suffix, None)
            payload = self._ends[key]
        elif isinstance(byte_range, OffsetByteRequest):
            payload = await self._get(key, byte_range.offset, None)
        elif isinstance(byte_range, RangeByteRequest):
            payload = await self._get(key, byte_range.start, byte_range.end)
            if payload is not None and len(payload) != byte_range.end - byte_range.start:
                raise Truncated(f"{self._name}: {key} ends before its chunks do.")  # zarr would take them for absent
        elif key in self._absent:
            payload = None
        else:
            payload = await self._get(key, None, None)
            if payload is None:
                self._absent.add(key)
        return None if payload is None else prototype.buffer.from_bytes(payload)

    async def _get(self, key, start, stop):
        return await asyncio.to_thread(self._store.get, key, start, stop)

    async def get_partial_values(self, prototype, key_ranges):
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def _refused(self, *_):
        raise NotImplementedError("far images are only read, by key")

    exists = set = delete = list = list_prefix = list_dir = _refused


def codecs(description):
    """Names of the codecs in an array's description of either format, however deep: `id` in Zarr 2, `name` in 3."""
    parts = [description.get("compressor"), description.get("codecs"), description.get("filters")]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            yield str(part.get("id", part.get("name")))
            inner = part.get("configuration") or {}
            parts += [inner.get("codecs"), inner.get("index_codecs")] if isinstance(inner, dict) else []
        elif part is not None:
            yield str(part)


def bound(array):
    """Let no chunk of a zarr.Array decompress to far more than it holds (Zarr 3 tells its codecs, Zarr 2 does not)."""
    compressor = getattr(array.metadata, "compressor", None)
    if compressor is not None:
        compressor.largest = _most(array.chunks, array.dtype.itemsize)


def _most(shape, itemsize):
    """Bytes that a chunk may decompress to: codecs applied before may have made it larger."""
    return 8 * math.prod(shape) * itemsize + 1024


def _most_of(chunk_spec):
    return _most(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize)


def _view(payload):
    return memoryview(payload).cast("B")


def _check_size(size, largest):
    if size > largest:
        raise ValueError(f"it decompresses to more than {largest:,} bytes")


def _check_blosc(payload, largest):
    """Raise EOFError for a chunk that is shorter than it states: Blosc would read on, into whatever lies behind it."""
    head, length = bytes(_view(payload)[:16]), _view(payload).nbytes
    pixels, stated = int.from_bytes(head[4:8], "little"), int.from_bytes(head[12:16], "little")
    if len(head) < 16 or (head[0] == 2 and stated > length):  # 2: the one version of the format
        raise EOFError(f"only {length:,} of its {max(stated, 16):,} bytes exist")
    if head[0] != 2 or stated != length:
        raise ValueError(content_of(io.BytesIO(bytes(_view(payload)[:256]))))
    _check_size(pixels, largest)


def _check_zstd(payload, largest):
    """Raise ValueError for a Zstandard frame that states more than so many bytes."""
    head = bytes(_view(payload)[:18])
    if len(head) < 6:
        raise EOFError("it ends before its stream does")
    flags = head[4]
    single = flags >> 5 & 1
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3]  # after the size of the window and the number of a dictionary
    width = (single, 2, 4, 8)[flags >> 6]
    _check_size(int.from_bytes(head[at : at + width], "little"), largest)


def _check_lz4(payload, largest):
    _check_size(int.from_bytes(_view(payload)[:4], "little"), largest)


def _inflated(start, payload, largest):
    """PAYLOAD decompressed by the decompressors that START makes, one for each stream in it."""
    payload, pieces, room = bytes(_view(payload)), [], largest
    while payload:
        stream = start()
        pieces.append(stream.decompress(payload, room + 1))
        room -= len(pieces[-1])
        _check_size(largest - room, largest)
        if not stream.eof:
            raise EOFError("it ends before its stream does")
        payload = stream.unused_data.lstrip(b"\0")  # gzip files may be padded
    return b"".join(pieces)


def _gzip():
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _checked(codec, check):
    """A codec of Zarr 2 that has what a chunk states checked before it is decompressed."""

    class Checked(codec):
        largest = LARGEST

        def decode(self, buf, out=None):
            check(buf, self.largest)
            return super().decode(buf, out)

    return Checked


def _inflating(codec, start):
    """A codec of Zarr 2 that decompresses no more than it may; START(codec) makes a decompressor of Python's."""

    class Inflating(codec):
        largest = LARGEST

        def decode(self, buf, out=None):
            return ndarray_copy(_inflated(lambda: start(self), buf, self.largest), out)

    return Inflating


class _Blosc3(BloscCodec):
    """Blosc as Zarr 3 uses it."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        _check_blosc(chunk_bytes.as_numpy_array(), _most_of(chunk_spec))
        return await super()._decode_single(chunk_bytes, chunk_spec)


class _Zstd3(ZstdCodec):
    """Zstandard as Zarr 3 uses it."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        _check_zstd(chunk_bytes.as_numpy_array(), _most_of(chunk_spec))
        return await super()._decode_single(chunk_bytes, chunk_spec)


class _Gzip3(GzipCodec):
    """Gzip as Zarr 3 uses it."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        payload, largest = chunk_bytes.as_numpy_array(), _most_of(chunk_spec)
        return chunk_spec.prototype.buffer.from_bytes(await asyncio.to_thread(_inflated, _gzip, payload, largest))


ZARR_2 = {
    "blosc": _checked(numcodecs.Blosc, _check_blosc),
    "zstd": _checked(numcodecs.Zstd, _check_zstd),
    "lz4": _checked(numcodecs.LZ4, _check_lz4),
    "gzip": _inflating(numcodecs.GZip, lambda _: _gzip()),
    "zlib": _inflating(numcodecs.Zlib, lambda _: zlib.decompressobj()),
    "bz2": _inflating(numcodecs.BZ2, lambda _: bz2.BZ2Decompressor()),
    "lzma": _inflating(numcodecs.LZMA, lambda codec: lzma.LZMADecompressor(codec.format, filters=codec.filters)),
}
ZARR_3 = {"blosc": _Blosc3, "gzip": _Gzip3, "zstd": _Zstd3}
for name, codec in ZARR_2.items():
    numcodecs.register_codec(codec, name)
for name, codec in ZARR_3.items():
    zarr.registry.register_codec(name, codec)
    zarr.config.set({f"codecs.{name}": f"{__name__}.{codec.__name__}"})
zarr.config.set({"async.concurrency": CONCURRENT})
