"""CellH5 movies: HDF5, images (C, T, Z, Y, X) at /sample/0/plate/PLATE/experiment/WELL/position/SITE/image/channel."""

import math
import re
from contextlib import contextmanager, suppress

import h5py

from idrstream.base.failures import NotReadable, Truncated, UnwrittenFrame, image_failures
from idrstream.readers.image import Image as BaseImage
from idrstream.readers.image import Level, check_size
from idrstream.readers.planes import named
from idrstream.readers.watched_file import WatchedFile, content_of

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_BLOCKS = 100_000  # of a window: looking up more takes minutes
LARGE = 8 * 1024  # bytes; no node of the chunk index of an HDF5 file with default settings is read in larger pieces


class Image(BaseImage):
    """A movie of one site. CellH5 has no word for the size of a pixel, and no lower resolutions."""

    axes = "CTZYX"

    def __init__(self, file, name):
        self.name = name
        self._file = _Hdf5sFile(file)
        self._hdf5 = None
        try:
            with self._explained("it cannot be opened"):
                self._hdf5 = self._open()
            with self._explained("its groups cannot be read"):
                self._images = self._find_images()
                self._check_extent()
                self._valid = self._images.attrs.get("valid")  # a number for each frame; absent: all were written
                self.channels = self._find_channels()
        except BaseException:
            self.close()
            raise
        channels, times, planes, height, width = self._images.shape
        self.shape, self.dtype = (times, channels, planes, height, width), self._images.dtype.newbyteorder("=")
        chunks = self._images.chunks or (1, 1, 1, 1, width)  # without chunks, rows follow each other
        self.levels = [Level((height, width), chunks[-2:], math.prod(chunks) * self.dtype.itemsize)]

    def close(self):
        if self._hdf5 is not None:
            self._hdf5.close()

    def _read(self, channel, z, t, level, box):
        with self._explained(f"frame {t + 1} cannot be read"):
            if self._valid is not None and not self._valid[t]:
                raise UnwrittenFrame(f"{self.name} frame {t + 1}: the file says that this frame was never written.")
            if self._images.chunks:
                blocks = self._blocks(box)
                if blocks > MOST_BLOCKS:
                    raise NotReadable(
                        f"{self.name}: an image is cut into {blocks:,} blocks; {MOST_BLOCKS:,} at most can be read."
                    )
                self._prefetch(t + 1, (channel, t, z), box)
            y0, y1, x0, x1 = box
            pixels = self._images[channel, t, z, y0:y1, x0:x1]
            return pixels.astype(self.dtype, copy=False)

    def _retiling(self):
        return f"h5repack -l {self._images.name}:CHUNK=1x1x1x512x512 {self.name} tiled.ch5"

    def _open(self):
        if self._file.read(len(SIGNATURE)) != SIGNATURE:
            raise NotReadable(f"{self.name}: this is not an HDF5 file: {content_of(self._file)}.")
        return h5py.File(self._file, "r")

    def _find_images(self):
        group = self._hdf5
        for path, what in ("sample/0/plate", "plate"), ("experiment", "well"), ("position", "position"):
            if path not in group:
                raise NotReadable(f"{self.name}: this is not CellH5: there is no {path!r} in {group.name}.")
            names = list(group[path])
            if len(names) != 1:
                listed = f"{names[:5]}{' and more' if len(names) > 5 else ''}"
                raise NotReadable(f"{self.name}: one {what} is expected in a file, here are {len(names)}: {listed}.")
            group = group[path][names[0]]
        images = group.get("image/channel")
        if not isinstance(images, h5py.Dataset) or images.ndim != 5:
            raise NotReadable(f"{self.name}: this is not CellH5: there are no images (C, T, Z, Y, X) in {group.name}.")
        return images

    def _find_channels(self):
        """The names of the channels; they are looked up only where there is something to choose."""
        count, names = self._images.shape[0], []
        table = self._hdf5.get("definition/image/channel") if count > 1 else None
        if isinstance(table, h5py.Dataset) and table.ndim == 1 and self._owns(table):
            with suppress(ValueError, TypeError, KeyError):  # it may be a table of anything
                names = [bytes(name).decode(errors="replace") for name in table[:count]["channel_name"]]
        return named(self.name, count, names)

    def _owns(self, dataset):
        """Whether all of a dataset is in this file: it may link to others."""
        return dataset.file == self._hdf5 and not dataset.external and not dataset.is_virtual

    def _check_extent(self):
        """Raise NotReadable unless the dataset is of images, and all of it in this file."""
        images, name = self._images, self.name
        if not self._owns(images):
            raise NotReadable(f"{name}: its images lie in another file, which is not opened.")
        if images.dtype.kind not in "uif":
            raise NotReadable(f"{name}: these are no images of grey levels ({images.dtype}).")
        if images.chunks:
            columns = images.chunks[-1]
            check_size(f"{name}: a block", math.prod(images.chunks) // columns, columns)

    def _blocks(self, box):
        """How many chunks of a plane a window meets."""
        y0, y1, x0, x1 = box
        *_, height, width = self._images.chunks
        return (-(-y1 // height) - y0 // height) * (-(-x1 // width) - x0 // width)

    def _prefetch(self, frame, place, box):
        """Fetch the chunks of a window of the plane at PLACE together; HDF5 would ask for one after the other."""
        offsets = list(_chunk_offsets(self._images, place, box))
        ranges = [place for place in map(self._place, offsets) if place]
        missing = len(offsets) - len(ranges)
        if missing:
            raise UnwrittenFrame(
                f"{self.name} frame {frame}: {missing} of its {len(offsets)} blocks of pixels were never written."
            )
        if max(stop for _, stop in ranges) > self._file.size():
            raise Truncated(f"{self.name} frame {frame}: its pixels lie behind the end of the file.")
        self._file.prefetch(ranges)

    def _place(self, offset):
        """(start, stop) of a chunk in the file; None if it was never written.

        To look up a place, HDF5 walks its index from the start: 30 requests for the last of 93 remote frames. To read a
        chunk, it needs two. So the chunk is read, and the read of its pixels intercepted.
        """
        dataset = self._images.id
        with (
            self._file.catching_large_reads() as caught,
            suppress(RuntimeError, OSError),
        ):  # what HDF5 raises where there is no chunk
            dataset.read_direct_chunk(offset)
        if len(caught) == 1:
            return caught[0]
        chunk = dataset.get_chunk_info_by_coord(offset)
        return None if chunk.byte_offset is None else (chunk.byte_offset, chunk.byte_offset + chunk.size)

    @contextmanager
    def _explained(self, problem):
        """Raise what HDF5 raises as an ImageFailure; a failure of the file below it comes first."""
        with image_failures(f"{self.name}: {problem}"):
            try:
                with self._file.blamed_first():
                    yield
            except OSError as error:
                cut = re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", str(error))
                if cut is None:
                    raise
                there, promised = map(int, cut.groups())
                raise Truncated(f"{self.name}: only {there:,} of its {promised:,} bytes exist.") from error


class _Hdf5sFile(WatchedFile):
    """The file under HDF5, which can tell where HDF5 would read pixels."""

    _caught = None

    def readinto(self, buffer):
        if self._caught is None or len(buffer) <= LARGE:
            return super().readinto(buffer)
        self._caught.append((self.tell(), self.tell() + len(buffer)))
        buffer[:] = bytes(len(buffer))
        return len(buffer)

    @contextmanager
    def catching_large_reads(self):
        """List the (start, stop) of large reads instead of doing them; they give zeros."""
        self._caught = []
        try:
            yield self._caught
        finally:
            self._caught = None


def _chunk_offsets(dataset, place, box):
    """Where in the dataset the chunks begin that a window of dataset[place] meets, BOX being (y0, y1, x0, x1)."""
    *steps, height, width = dataset.chunks
    first = [at // step * step for at, step in zip(place, steps, strict=True)]
    y0, y1, x0, x1 = box
    for y in range(y0 // height * height, y1, height):
        for x in range(x0 // width * width, x1, width):
            yield (*first, y, x)
