"""An array of Zarr: windows of it in any number of axes, and which of their chunks were never written."""

import itertools
import math

import numpy as np
import zarr

from idrstream.base.failures import ImageFailure, NotReadable, Truncated, UnwrittenFrame, of_machine
from idrstream.readers.image import Level, without_fill
from idrstream.readers.zarr_chunks import CODECS, LARGEST, bound, codecs

NUMBERS = "uif"  # kinds of pixels


class Array:
    """The pixels of a resolution of an image, or of a volume.

    A window of it is a tuple with, for each axis, the place along it or a slice of places, from start to before stop.

    shape   of all its axes
    dtype   in this machine's byte order
    chunks  pixels of a chunk, along each axis
    level   image.Level
    """

    def __init__(self, chunks, description, axes, name, kinds=NUMBERS):
        """
        chunks       zarr.storage.StorePath of a `zarr_chunks.Chunks`
        description  of the array, with its zarr_format
        axes         a letter each
        name         what messages call it
        kinds        of pixels that are wanted, of NumPy's letters
        """
        self._chunks, self._name = chunks, name
        array = self._opened(description)
        self._check(array, axes, kinds)
        # Zarr fills absent chunks without a word. Opened twice, with different fill values, the array shows them.
        self._fill = _fill(description, array)
        dtype = array.dtype
        self._filling = _rare(dtype)
        self._array = self._opened(description | {"fill_value": self._filling})
        self._otherwise = self._opened(description | {"fill_value": 0})
        self.shape, self.dtype, self.chunks = array.shape, dtype.newbyteorder("="), array.chunks
        self.level = Level(array.shape[-2:], array.chunks[-2:], math.prod(array.chunks) * dtype.itemsize)

    def read(self, window, name):
        """The pixels of a window, as stored; NAME is what messages call what it shows.

        Masked (numpy.ma) where chunks were never written, which hold the fill value, as `without_fill` takes it.
        """
        pixels, parts = self.filled(window, name)
        if not parts:
            return without_fill(pixels, self._fill)
        unwritten = np.zeros(pixels.shape, bool)
        for part in parts:
            unwritten[part] = True
        return without_fill(np.ma.array(pixels, mask=unwritten), self._fill)

    def filled(self, window, name):
        """The pixels of a window, and which parts of it, a tuple of slices each, are of chunks that were never written.

        Those hold the fill value. Raises UnwrittenFrame if the array states none.
        """
        try:
            pixels = self._array[window]
        except (ImageFailure, MemoryError):
            raise
        except Exception as error:  # zarr and numcodecs raise whatever their decoding trips over
            if of_machine(error):
                raise
            raise self._broken(window, error, name) from error
        pixels = pixels.astype(self.dtype, copy=False)
        absent = [(block, part) for block, part in self._blocks(window) if self._is_absent(block, pixels[part])]
        if absent and self._fill is None:
            raise UnwrittenFrame(
                f"{name}: {len(absent):,} of its chunks were never written, the first {self._key(absent[0][0])}, "
                "and the image has no fill value."
            )
        for _, part in absent:
            pixels[part] = self._fill
        return pixels, [part for _, part in absent]

    def chunk_count(self, window):
        """How many chunks a window meets."""
        spans = [(part, step) for part, step in zip(window, self.chunks, strict=True) if isinstance(part, slice)]
        return math.prod(math.ceil(part.stop / step) - part.start // step for part, step in spans)

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

    def _check(self, array, axes, kinds):
        """Refuse what is no image, before memory is asked for."""
        if array.ndim != len(axes):
            raise NotReadable(f"{self._name}: its axes are {axes!r}, but its pixels have {array.ndim} dimensions.")
        if array.dtype.kind not in kinds:
            raise NotReadable(f"{self._name}: this is no image of grey levels ({array.dtype}).")
        if math.prod(array.chunks) * array.dtype.itemsize > LARGEST:
            raise NotReadable(f"{self._name}: its chunks {array.chunks} are larger than {LARGEST:,} bytes.")

    def _blocks(self, window):
        """(window of a chunk's share, slices of it in the WINDOW) of each chunk that a window meets."""
        axes = [_cut(part, step) for part, step in zip(window, self.chunks, strict=True)]
        sliced = [isinstance(part, slice) for part in window]
        for block in itertools.product(*axes):
            inner = zip(window, block, sliced, strict=True)
            yield block, tuple(slice(b.start - w.start, b.stop - w.start) for w, b, is_slice in inner if is_slice)

    def _is_absent(self, block, pixels):
        """Whether the chunk of a block, of which PIXELS were read, was never written."""
        filled = pixels.flat[0] == self._filling and (pixels == self._filling).all()
        return filled and not np.array_equal(self._otherwise[block], pixels)

    def _key(self, block):
        """The object in which a block is."""
        steps = self._array.shards or self._array.chunks
        corner = [part.start if isinstance(part, slice) else part for part in block]
        key = self._array.metadata.encode_chunk_key(tuple(p // step for p, step in zip(corner, steps, strict=True)))
        return f"{self._chunks.path}/{key}".lstrip("/")

    def _broken(self, window, error, name):
        """The failure of the first of a window's chunks that does not decode."""
        where = "it"
        for block, _ in self._blocks(window):
            try:
                self._array[block]
            except (ImageFailure, MemoryError):
                raise
            except Exception as found:
                if of_machine(found):
                    raise
                where, error = f"chunk {self._key(block)}", found
                break
        kind = Truncated if isinstance(error, EOFError) else NotReadable
        return kind(f"{name}: {where} does not decode ({error}).")


def _cut(part, step):
    """A slice of an axis cut where chunks of STEP pixels end; a single place as it is."""
    if not isinstance(part, slice):
        return [part]
    firsts = range(part.start // step * step, part.stop, step)
    return [slice(max(first, part.start), min(first + step, part.stop)) for first in firsts]


def _rare(dtype):
    """A value other than 0, as rare as the type allows."""
    if dtype.kind == "b":
        return True
    return float(np.finfo(dtype).max) if dtype.kind == "f" else int(np.iinfo(dtype).max) // 3 * 2


def _fill(description, array):
    """The fill value of chunks that were never written, as the array's type; None where Zarr 2 states null."""
    value = array.metadata.fill_value
    return None if description.get("fill_value") is None or value is None else array.dtype.type(value)
