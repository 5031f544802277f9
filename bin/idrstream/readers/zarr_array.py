"""An array of an OME-Zarr, one resolution of an image: windows of it, and which of their chunks were never written."""

import math

import numpy as np
import zarr

from idrstream.base.failures import ImageFailure, NotReadable, Truncated, UnwrittenFrame, of_machine
from idrstream.readers.image import Level, without_fill
from idrstream.readers.zarr_chunks import CODECS, LARGEST, bound, codecs

NUMBERS = "uif"  # kinds of pixels


class Array:
    """The pixels of a resolution.

    shape  of all its axes
    dtype  in this machine's byte order
    level  image.Level
    steps  (Y, X) pixels of a chunk
    """

    def __init__(self, chunks, description, axes, name):
        """CHUNKS: zarr.storage.StorePath of a `zarr_chunks.Chunks`; DESCRIPTION: of the array, with its zarr_format."""
        self._chunks, self._name = chunks, name
        array = self._opened(description)
        self._check(array, axes)
        # Zarr fills absent chunks without a word. Opened twice, with different fill values, the array shows them.
        self._fill = _fill(description, array)
        dtype = array.dtype
        self._filling = float(np.finfo(dtype).max) if dtype.kind == "f" else int(np.iinfo(dtype).max)
        self._array = self._opened(description | {"fill_value": self._filling})
        self._otherwise = self._opened(description | {"fill_value": 0})
        self.shape, self.dtype, self.steps = array.shape, dtype.newbyteorder("="), array.chunks[-2:]
        self.level = Level(array.shape[-2:], self.steps, math.prod(array.chunks) * dtype.itemsize)

    def read(self, place, box, name):
        """(Y, X) pixels of a window, as stored.

        place  where in the axes before the last two
        box    (y0, y1, x0, x1)
        name   what messages call the plane

        Masked (numpy.ma) where chunks were never written, which hold the fill value, as `without_fill` takes it.
        """
        y0, y1, x0, x1 = box
        try:
            pixels = self._array[(*place, slice(y0, y1), slice(x0, x1))]
        except (ImageFailure, MemoryError):
            raise
        except Exception as error:  # zarr and numcodecs raise whatever their decoding trips over
            if of_machine(error):
                raise
            raise self._broken(place, box, error, name) from error
        pixels = pixels.astype(self.dtype, copy=False)
        absent = [(block, part) for block, part in self._blocks(box) if self._is_absent(place, block, pixels[part])]
        if not absent:
            return without_fill(pixels, self._fill)
        if self._fill is None:
            raise UnwrittenFrame(
                f"{name}: {len(absent):,} of its chunks were never written, the first "
                f"{self._key(place, absent[0][0])}, and the image has no fill value."
            )
        unwritten = np.zeros(pixels.shape, bool)
        for _, part in absent:
            pixels[part], unwritten[part] = self._fill, True
        return without_fill(np.ma.array(pixels, mask=unwritten), self._fill)

    def chunk_count(self, box):
        """How many chunks a window of one plane meets."""
        (down, across), (y0, y1, x0, x1) = self.steps, box
        return (math.ceil(y1 / down) - y0 // down) * (math.ceil(x1 / across) - x0 // across)

    def _opened(self, description):
        names = list(codecs(description))
        unknown = sorted({codec for codec in names if codec.removeprefix("numcodecs.") not in CODECS})
        if unknown:
            readable = ", ".join(sorted(CODECS))
            raise NotReadable(f"{self._name}: its pixels are stored by {', '.join(unknown)}; {readable} can be read.")
        try:
            array = zarr.Array.from_dict(self._chunks, description)
            sharded = array.shards is not None  # raises where the chunks are of several sizes
        except Exception as error:  # whatever parsing it trips over
            if of_machine(error):
                raise
            path = self._chunks.path
            raise NotReadable(f"{self._name}: {path} is no array of Zarr that can be read ({error}).") from error
        if min(array.chunks, default=1) < 1:
            raise NotReadable(f"{self._name}: its chunks {array.chunks} hold nothing.")
        if names.count("sharding_indexed") != sharded:  # absent chunks in there would not be noticed
            raise NotReadable(f"{self._name}: shards within shards, or within another codec, cannot be read.")
        bound(array)
        return array

    def _check(self, array, axes):
        """Refuse what is no image, before memory is asked for."""
        if array.ndim != len(axes):
            raise NotReadable(f"{self._name}: its axes are {axes!r}, but its pixels have {array.ndim} dimensions.")
        if array.dtype.kind not in NUMBERS:
            raise NotReadable(f"{self._name}: this is no image of grey levels ({array.dtype}).")
        if math.prod(array.chunks) * array.dtype.itemsize > LARGEST:
            raise NotReadable(f"{self._name}: its chunks {array.chunks} are larger than {LARGEST:,} bytes.")

    def _blocks(self, box):
        """(slices in the plane, slices in the window) of what the window has of each chunk that it meets."""
        (down, across), (y0, y1, x0, x1) = self.steps, box
        for y in range(y0 // down * down, y1, down):
            for x in range(x0 // across * across, x1, across):
                top, bottom, left, right = max(y, y0), min(y + down, y1), max(x, x0), min(x + across, x1)
                part = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
                yield (slice(top, bottom), slice(left, right)), part

    def _is_absent(self, place, block, pixels):
        """Whether the chunk of a block of a plane, of which PIXELS were read, was never written."""
        filled = pixels == self._filling
        return filled.flat[0] and filled.all() and not np.array_equal(self._otherwise[place + block], pixels)

    def _key(self, place, block):
        """The object in which a block of a plane is."""
        steps = self._array.shards or self._array.chunks
        corner = (*place, *(part.start for part in block))
        key = self._array.metadata.encode_chunk_key(tuple(p // step for p, step in zip(corner, steps, strict=True)))
        return f"{self._chunks.path}/{key}"

    def _broken(self, place, box, error, name):
        """The failure of the first of a window's chunks that does not decode."""
        where = "it"
        for block, _ in self._blocks(box):
            try:
                self._array[place + block]
            except (ImageFailure, MemoryError):
                raise
            except Exception as found:
                if of_machine(found):
                    raise
                where, error = f"chunk {self._key(place, block)}", found
                break
        kind = Truncated if isinstance(error, EOFError) else NotReadable
        return kind(f"{name}: {where} does not decode ({error}).")


def _fill(description, array):
    """The fill value of chunks that were never written, as the array's type; None where Zarr 2 states null."""
    value = array.metadata.fill_value
    return None if description.get("fill_value") is None or value is None else array.dtype.type(value)
