"""Chunks of an OME-Zarr as the library zarr is given them: parts of shards, and only codecs that are safe and whole."""

import asyncio
import io

import numcodecs
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BloscCodec

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
        else:
            payload = await self._get(key, None, None)
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


def _whole(payload):
    """Raise EOFError for a chunk that is shorter than it says: Blosc would read on, into whatever lies behind it."""
    head = bytes(memoryview(payload).cast("B")[:16])
    there = memoryview(payload).nbytes
    pixels, promised = int.from_bytes(head[4:8], "little"), int.from_bytes(head[12:16], "little")
    if len(head) < 16 or (head[0] == 2 and promised > there):  # 2: the one version of the format
        raise EOFError(f"only {there:,} of its {max(promised, 16):,} bytes are there")
    if head[0] != 2 or promised != there or pixels > LARGEST:
        raise ValueError(content_of(io.BytesIO(bytes(memoryview(payload).cast("B")[:256]))))


class _Blosc2(numcodecs.Blosc):
    """Blosc as Zarr 2 uses it."""

    def decode(self, buf, out=None):
        _whole(buf)
        return super().decode(buf, out)


class _Blosc3(BloscCodec):
    """Blosc as Zarr 3 uses it."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        _whole(chunk_bytes.as_numpy_array())
        return await super()._decode_single(chunk_bytes, chunk_spec)


numcodecs.register_codec(_Blosc2, "blosc")
zarr.registry.register_codec("blosc", _Blosc3)
zarr.config.set({"codecs.blosc": f"{__name__}._Blosc3", "async.concurrency": CONCURRENT})
