"""TIFF: what its planes are, `tiff_axes` says; one of them is read at a time."""

import math
from contextlib import closing, contextmanager, suppress

import numpy as np
import tifffile

from idrstream.base.failures import ImageFailure, NotReadable, Truncated, UnwrittenFrame, image_failures
from idrstream.readers import WatchedFile, bit_depth, check_size, found_instead, tiff_axes, without_fill

PHOTOMETRIC = 262  # tag, and values of it
MIN_IS_WHITE, PALETTE = 0, 3
NODATA = 42113  # tag of GDAL: the value that stands where there is no pixel, as text


class Movie:
    """A TIFF file of grey images."""

    def __init__(self, file, name):
        self._name = name
        self._file = WatchedFile(file)
        with self._explained("its directory cannot be read"):
            try:
                self._tiff = tifffile.TiffFile(self._file, name=name)
            except tifffile.TiffFileError:
                raise NotReadable(f"{name}: this is not a TIFF file: {found_instead(self._file)}.") from None
            pages = len(self._tiff.pages)
            self._file.seek(self._tiff.pages.next_page_offset)
            if any(self._file.read(self._tiff.tiff.offsetsize)):  # it points on, to a page that is not there
                raise Truncated(f"{name}: the file ends before its page {pages + 1} does.")
        with self._explained("what its pages are cannot be read"):
            self._axes = tiff_axes.read(self._tiff, name)
            self.significant_bits = self._bits()
        self.frames, self.channels, self.planes = self._axes.frames, self._axes.channels, self._axes.planes

    def close(self):
        self._tiff.close()

    def read(self, frame, channel, z):
        """(Y, X) image of a frame counted from 1, channel and z plane counted from 0; white is the largest value.

        Masked (numpy.ma) where floats hold GDAL's value for no data, as `without_fill` takes it.
        """
        place = (frame - 1, channel, z)
        with self._explained(f"frame {frame} cannot be read"):
            number = self._axes.pages[place]
            if number is None:
                raise UnwrittenFrame(f"{self._name} frame {frame}: its OME-XML describes it, and the file has it not.")
            page = self._tiff.pages.get(number, aspage=True)
            if page.ndim != 2:
                raise NotReadable(
                    f"{self._name} frame {frame}: a grey image is needed, this is {page.axes} {page.shape}; "
                    "save the channel you want alone (in Fiji: Image > Color > Split Channels)."
                )
            check_size(f"{self._name} frame {frame}", *page.shape)
            check_size(f"{self._name} frame {frame}", *page.chunks[-2:])  # tiles may be larger than the image
            if place in self._axes.offsets:
                image = self._stacked(frame, page, self._axes.offsets[place])
            else:
                self._check_pieces(frame, page)
                image = page.asarray(maxworkers=1)
            image = self._white_is_large(frame, page, image)
            return without_fill(image, _no_data(page))

    def _bits(self):
        """Bits of a grey level where OME-XML says so, or where they are packed closer than in whole bytes."""
        page = self._tiff.pages[0]
        width = page.dtype.itemsize * 8 if page.dtype else 0
        packed = page.bitspersample if page.samplesperpixel == 1 and page.bitspersample < width else None
        return bit_depth.in_ome(self._tiff.ome_metadata) or packed

    def check_whole(self):
        """Raise an ImageFailure if pixels of a page are not in the file."""
        for number in range(len(self._tiff.pages)):
            with self._explained(f"page {number + 1} cannot be read"):
                self._check_pieces(number + 1, self._tiff.pages.get(number, aspage=True))

    def _stacked(self, frame, page, offset):
        """An image of a stack whose images follow each other without pages of their own, as ImageJ's above 4 GB."""
        if offset + page.nbytes > self._file.size():
            raise Truncated(f"{self._name} frame {frame}: the file ends before its pixels do.")
        self._file.seek(offset)
        stored = np.frombuffer(self._file.read(page.nbytes), page.dtype.newbyteorder(self._tiff.byteorder))
        return stored.reshape(page.shape).astype(page.dtype)

    def _white_is_large(self, frame, page, image):
        """The image, inverted within the bits that a pixel has if the file says that 0 is white."""
        if not _white_is_zero(page):
            return image
        if image.dtype.kind != "u":
            raise NotReadable(
                f"{self._name} frame {frame}: it says that 0 is white, and {image.dtype} has no black; save it with "
                "black as 0 (in Fiji: Image > Lookup Tables > Invert LUT, Edit > Invert)."
            )
        bits = min(self.significant_bits or page.bitspersample, page.bitspersample)
        bits = bits if image.max() < 2**bits else page.bitspersample
        return image.dtype.type(2**bits - 1) - image

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


def significant_bits(path, name):
    """The bits that a TIFF says its grey levels are of, for readers that pass this on in part; None of other files."""
    with suppress(ImageFailure), open(path, "rb") as file, closing(Movie(file, name)) as movie:
        return movie.significant_bits
    return None


def _no_data(page):
    """The value that a page declares to stand where there is no pixel; None where it declares none, or no number.

    tifffile's own `nodata` is 0 for what does not fit into the page's type exactly, as GDAL's usual -3.4e38 does not.
    """
    text = str(page.tags.valueof(NODATA, default="")).strip("\0 \t\r\n").replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def _white_is_zero(page):
    """Does a page say that its lowest level is white, by its tag or by a palette of greys that falls?"""
    if page.photometric == PALETTE and page.colormap is not None:
        red, *others = page.colormap.astype(int)
        grey = all(np.array_equal(red, other) for other in others)
        return grey and red[0] > red[-1] and bool(np.all(np.diff(red) <= 0))
    return PHOTOMETRIC in page.tags and page.photometric == MIN_IS_WHITE
