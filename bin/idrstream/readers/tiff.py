"""TIFF: every page is a frame of channel 0."""

import math
from contextlib import contextmanager

import tifffile

from idrstream import bit_depth
from idrstream.failures import NotReadable, Truncated, UnwrittenFrame, image_failures
from idrstream.readers import WatchedFile, check_size, found_instead


class Movie:
    """A TIFF file of grey images."""

    def __init__(self, file, name, channel=0):
        if channel:
            raise NotReadable(f"{name}: no channel {channel}; the pages of a TIFF are frames of channel 0.")
        self._name = name
        self._file = WatchedFile(file)
        with self._explained("its directory cannot be read"):
            try:
                self._tiff = tifffile.TiffFile(self._file, name=name)
            except tifffile.TiffFileError:
                raise NotReadable(f"{name}: this is not a TIFF file: {found_instead(self._file)}.") from None
            self.frames = len(self._tiff.pages)
            self.significant_bits = self._bits()
            self._file.seek(self._tiff.pages.next_page_offset)
            if any(self._file.read(self._tiff.tiff.offsetsize)):  # it points on, to a page that is not there
                raise Truncated(f"{name}: the file ends before its page {self.frames + 1} does.")

    def close(self):
        self._tiff.close()

    def read(self, frame):
        """(Y, X) image, as stored, of a frame counted from 1."""
        with self._explained(f"frame {frame} cannot be read"):
            page = self._tiff.pages[frame - 1]
            if page.ndim != 2:
                raise NotReadable(
                    f"{self._name} frame {frame}: a grey image is needed, this is {page.axes} {page.shape}; "
                    "save the channel you want alone (in Fiji: Image > Color > Split Channels)."
                )
            check_size(f"{self._name} frame {frame}", *page.shape)
            check_size(f"{self._name} frame {frame}", *page.chunks[-2:])  # tiles may be larger than the image
            self._check_pieces(frame, page)
            return page.asarray(maxworkers=1)

    def _bits(self):
        """Bits of a grey level where OME-XML says so, or where they are packed closer than in whole bytes."""
        page = self._tiff.pages[0]
        width = page.dtype.itemsize * 8 if page.dtype else 0
        packed = page.bitspersample if page.samplesperpixel == 1 and page.bitspersample < width else None
        return bit_depth.in_ome(self._tiff.ome_metadata) or packed

    def check_whole(self):
        """Raise an ImageFailure if pixels of a page are not in the file."""
        for number in range(self.frames):
            with self._explained(f"page {number + 1} cannot be read"):
                self._check_pieces(number + 1, self._tiff.pages[number])

    def _check_pieces(self, frame, page):
        """Raise an ImageFailure if strips or tiles are not in the file: tifffile takes such for black."""
        pieces, all_of_it = list(zip(page.dataoffsets, page.databytecounts, strict=True)), math.prod(page.chunked)
        if len(pieces) < all_of_it:
            raise NotReadable(
                f"{self._name} frame {frame}: only {len(pieces):,} of its {all_of_it:,} pieces are listed."
            )
        as_needed = page.compression == tifffile.COMPRESSION.NONE and not page.is_tiled
        if absent := sum(not count and not (start and as_needed) for start, count in pieces):  # old writers leave it 0
            raise UnwrittenFrame(
                f"{self._name} frame {frame}: {absent:,} of its {all_of_it:,} pieces were never written."
            )
        if max(start + count for start, count in pieces) > self._file.size():
            raise Truncated(f"{self._name} frame {frame}: the file ends before its pixels do.")

    @contextmanager
    def _explained(self, problem):
        """Say where tifffile tripped; a failure of the file below it comes first."""
        with image_failures(f"{self._name}: {problem}"), self._file.blamed_first():
            yield
