"""OME-Zarr images, 0.4 (Zarr 2) and 0.5 (Zarr 3): level 0 of a multiscale image, of which a frame's chunks travel."""

import asyncio
import io
import json
import math
from contextlib import suppress

import numcodecs
import numpy as np
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.codecs import BloscCodec

from idrstream.base.failures import ImageFailure, NotReadable, Truncated, UnwrittenFrame, of_machine
from idrstream.readers import check_size, found_instead, without_fill
from idrstream.readers.planes import named

AXES = "tczyx"
MOST_CHUNKS = 10_000  # of a plane
LARGEST = 512 * 1024 * 1024  # bytes of a chunk
NUMBERS = "uif"  # kinds of pixels
CONCURRENT = 4  # chunks of a frame fetched side by side
# Zarr's codecs include Python's pickle, which runs whatever code a chunk contains. So these, and no others:
CODECS = {"blosc", "bytes", "bz2", "crc32c", "delta", "gzip", "lz4", "lzma", "sharding_indexed", "shuffle"}
CODECS |= {"transpose", "zlib", "zstd"}
GROUPS = {"plate": ("a plate", "B/3/0"), "well": ("a well", "0"), "bioformats2raw.layout": ("a list of images", "0")}


class Movie:
    """Level 0 of an image."""

    def __init__(self, store, name):
        self._name = name
        self._store = store
        self._axes, self._path, names, description = self._describe()
        self._chunks = zarr.storage.StorePath(_Chunks(store, name), self._path)
        self._array = self._opened(description)
        self._check()
        # Of a chunk that is absent Zarr says nothing, and gives what the image is described to be filled with. So it is
        # described twice, with fillings that differ.
        dtype = self._array.dtype
        self._fill = _fill(description, self._array)
        self._filling = float(np.finfo(dtype).max) if dtype.kind == "f" else int(np.iinfo(dtype).max)
        self._array = self._opened(description | {"fill_value": self._filling})
        self._otherwise = self._opened(description | {"fill_value": 0})
        self.frames, self.planes = self._size("t"), self._size("z")
        self.channels = named(name, self._size("c"), names)

    def close(self):
        """Nothing: the store is its opener's."""

    def read(self, frame, channel, z):
        """(Y, X) image, as stored, of a frame counted from 1, channel and z plane counted from 0.

        Masked (numpy.ma) where chunks were never written, which hold the fill value, as `without_fill` takes it.
        """
        place = {"t": frame - 1, "c": channel, "z": z}
        plane = tuple(place[axis] for axis in self._axes[:-2])
        try:
            pixels = self._array[plane]
        except (ImageFailure, MemoryError):
            raise
        except Exception as error:  # zarr and numcodecs raise whatever their decoding trips over
            if of_machine(error):
                raise
            raise self._broken(frame, plane, error) from error
        absent = [block for block in self._blocks() if self._is_absent(plane, block, pixels[block])]
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        if not absent:
            return without_fill(pixels, self._fill)
        if self._fill is None:
            raise UnwrittenFrame(
                f"{self._name} frame {frame}: {len(absent):,} of its chunks were never written, the first "
                f"{self._key(plane, absent[0])}, and the image names nothing to fill them with."
            )
        unwritten = np.zeros(pixels.shape, bool)
        for block in absent:
            pixels[block], unwritten[block] = self._fill, True
        return without_fill(np.ma.array(pixels, mask=unwritten), self._fill)

    def _is_absent(self, plane, block, pixels):
        """Was the chunk of a block of a plane, of which PIXELS were read, never written?"""
        filled = pixels == self._filling
        return filled.flat[0] and filled.all() and not np.array_equal(self._otherwise[plane + block], pixels)

    def _describe(self):
        """(axes, path of level 0, names of channels, description of level 0 in JSON with its format) of the image."""
        if self._store.get(".zattrs") is not None:
            attributes, own = self._json(".zattrs"), ".zarray"
        else:
            attributes, own = self._json("zarr.json"), "zarr.json"
            for name in "attributes", "ome":
                attributes = attributes.get(name)
                attributes = attributes if isinstance(attributes, dict) else {}
        for kind, (what, within) in GROUPS.items():
            if kind in attributes and "multiscales" not in attributes:
                raise NotReadable(f"{self._name}: this is {what}; name an image in it, such as {self._name}/{within}.")
        try:
            multiscale = attributes["multiscales"][0]
            parts = multiscale["datasets"][0]["path"].split("/")
            self._check_version(multiscale.get("version", attributes.get("version")), multiscale.get("axes"))
            axes = "".join(axis["name"] for axis in multiscale["axes"])
        except (KeyError, IndexError, TypeError, AttributeError):
            raise NotReadable(
                f"{self._name}: this is no OME-Zarr image of version 0.4 or 0.5: it lacks its multiscales."
            ) from None
        if axes != "".join(axis for axis in AXES if axis in axes) or not axes.endswith("yx"):
            raise NotReadable(
                f"{self._name}: its axes are {axes!r}; some of {AXES!r} in this order, with yx, are read."
            )
        if ".." in parts or parts[0] == "" != parts[-1]:
            raise NotReadable(f"{self._name}: its pixels are said to lie at {'/'.join(parts)!r}, outside of it.")
        path = "/".join(part for part in parts if part not in ("", "."))
        description = self._json(f"{path}/{own}".lstrip("/"))
        description = {"zarr_format": 2} | description if own == ".zarray" else description
        return axes, path, _channel_names(attributes), description

    def _check_version(self, version, axes):
        """Raise NotReadable for the versions before 0.4, whose axes are a list of letters (0.3), or tczyx unsaid."""
        letters = isinstance(axes, list) and axes and all(isinstance(axis, str) for axis in axes)
        if (axes is None or letters) and version not in ("0.4", "0.5"):
            version = version or ("0.3" if axes else "0.1 or 0.2")
            raise NotReadable(f"{self._name}: this is OME-Zarr {version}; convert it to 0.4 or 0.5, which are read.")

    def _json(self, key):
        content = self._store.get(key)
        if content is None:
            raise NotReadable(f"{self._name}: there is no {key} in it.")
        with suppress(ValueError, RecursionError):
            found = json.loads(content)
            if isinstance(found, dict):
                return found
        raise NotReadable(f"{self._name}: {key} is not the JSON it should be: {found_instead(io.BytesIO(content))}.")

    def _opened(self, description):
        codecs = list(_codecs(description))
        unknown = sorted({codec for codec in codecs if codec.removeprefix("numcodecs.") not in CODECS})
        if unknown:
            readable = ", ".join(sorted(CODECS))
            raise NotReadable(f"{self._name}: its pixels are stored by {', '.join(unknown)}; {readable} can be read.")
        try:
            array = zarr.Array.from_dict(self._chunks, description)
            sharded = array.shards is not None  # raises where the chunks are of several sizes
        except Exception as error:  # whatever parsing it trips over
            if of_machine(error):
                raise
            raise NotReadable(f"{self._name}: {self._path} is no array of Zarr that can be read ({error}).") from error
        if min(array.chunks, default=1) < 1:
            raise NotReadable(f"{self._name}: its chunks {array.chunks} hold nothing.")
        if codecs.count("sharding_indexed") != sharded:  # absent chunks in there would not be noticed
            raise NotReadable(f"{self._name}: shards within shards, or within another codec, cannot be read.")
        return array

    def _check(self):
        """Refuse what is no movie, or too large, before memory is asked for."""
        array, name = self._array, self._name
        if array.ndim != len(self._axes):
            raise NotReadable(f"{name}: its axes are {self._axes!r}, but its pixels have {array.ndim} dimensions.")
        if array.dtype.kind not in NUMBERS:
            raise NotReadable(f"{name}: this is no image of grey levels ({array.dtype}).")
        height, width = array.shape[-2:]
        check_size(name, height, width)
        if math.prod(array.chunks) * array.dtype.itemsize > LARGEST:
            raise NotReadable(f"{name}: its chunks {array.chunks} are larger than {LARGEST:,} bytes.")
        if (
            math.prod(math.ceil(size / step) for size, step in zip((height, width), self._steps, strict=True))
            > MOST_CHUNKS
        ):
            raise NotReadable(
                f"{name}: a plane is cut into more than {MOST_CHUNKS:,} chunks, {self._steps} pixels each."
            )

    def _size(self, axis):
        return self._array.shape[self._axes.index(axis)] if axis in self._axes else 1

    @property
    def _steps(self):
        return self._array.chunks[-2:]

    def _blocks(self):
        """Where in a plane its chunks lie."""
        (height, width), (down, right) = self._array.shape[-2:], self._steps
        for y in range(0, height, down):
            for x in range(0, width, right):
                yield slice(y, min(y + down, height)), slice(x, min(x + right, width))

    def _key(self, plane, block):
        """The object in which a block of a plane is."""
        steps = self._array.shards or self._array.chunks
        place = (*plane, *(part.start for part in block))
        key = self._array.metadata.encode_chunk_key(tuple(p // step for p, step in zip(place, steps, strict=True)))
        return f"{self._path}/{key}"

    def _broken(self, frame, plane, error):
        """The failure of the first of a plane's chunks that does not decode."""
        where = "it"
        for block in self._blocks():
            try:
                self._array[plane + block]
            except (ImageFailure, MemoryError):
                raise
            except Exception as found:
                if of_machine(found):
                    raise
                where, error = f"chunk {self._key(plane, block)}", found
                break
        kind = Truncated if isinstance(error, EOFError) else NotReadable
        return kind(f"{self._name} frame {frame}: {where} does not decode ({error}).")


class _Chunks(zarr.abc.store.Store):
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


def _channel_names(attributes):
    """What OMERO's settings call the channels, a list of whatever stands there."""
    settings = attributes.get("omero")
    channels = settings.get("channels") if isinstance(settings, dict) else None
    channels = channels if isinstance(channels, list) else []
    return [channel.get("label") if isinstance(channel, dict) else None for channel in channels]


def _fill(description, array):
    """What chunks that were never written hold, as the array's type; None where Zarr 2 says null: nobody knows."""
    value = array.metadata.fill_value
    return None if description.get("fill_value") is None or value is None else array.dtype.type(value)


def _codecs(description):
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
        raise ValueError(found_instead(io.BytesIO(bytes(memoryview(payload).cast("B")[:256]))))


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
