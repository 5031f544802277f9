"""TIFF: `tiff_axes` finds its planes, `tiff_pages` reads windows of its pages."""

import operator
from contextlib import closing, contextmanager, suppress
from functools import cached_property, lru_cache

import numpy as np
import tifffile

from idrstream.base.failures import ImageFailure, NotReadable, Truncated, UnwrittenFrame, image_failures
from idrstream.readers import bit_depth, pixel_sizes, tiff_axes, tiff_pages
from idrstream.readers.image import Image as BaseImage
from idrstream.readers.image import check_size, without_fill
from idrstream.readers.watched_file import WatchedFile, content_of

PHOTOMETRIC = 262  # tag, and values of it
MIN_IS_WHITE, PALETTE = 0, 3
NODATA = 42113  # tag of GDAL: the value that stands where there is no pixel, as text
COLOURS = {2, 5, 6, 8, 9, 10}  # RGB, CMYK, YCbCr and kinds of CIE L*a*b*
INVERT = "save it with black as 0 (in Fiji: Image > Lookup Tables > Invert LUT, Edit > Invert)"
MOST_LEVELS = 64
DIRECTORY = 4096  # bytes that are fetched of a remote file to read the directory of a page, which lie far apart
KEPT = 8  # pages whose lists of tiles are kept in memory


class Image(BaseImage):
    """The image of a TIFF file."""

    def __init__(self, file, name):
        self.name = name
        if hasattr(file, "read_ahead"):
            file.read_ahead = DIRECTORY
        self._file = WatchedFile(file)
        self._page = lru_cache(KEPT)(self._load)
        with self._explained("its directory cannot be read"):
            try:
                self._tiff = tifffile.TiffFile(self._file, name=name)
            except tifffile.TiffFileError:
                raise NotReadable(f"{name}: this is not a TIFF file: {content_of(self._file)}.") from None
            pages = len(self._tiff.pages)
            self._file.seek(self._tiff.pages.next_page_offset)
            if any(self._file.read(self._tiff.tiff.offsetsize)):  # it points to a further page
                raise Truncated(f"{name}: the file ends before its page {pages + 1} does.")
        with self._explained("its pages cannot be identified"):
            if pages:
                tiff_axes.check_tags(self._tiff, self._file.size(), name)
            self._planes = planes = tiff_axes.read(self._tiff, name)
            self._first = next(place for place, number in planes.pages.items() if number is not None)
            first = self._page(planes.pages[self._first])
            self.significant_bits = self._bits()
        self.shape = (planes.frames, len(planes.channels), planes.planes, first.imagelength, first.imagewidth)
        self.axes, self.channels, self.dtype = planes.axes, planes.channels, first.dtype
        self.in_colour = first.photometric in COLOURS and first.samplesperpixel > 1

    def close(self):
        self._tiff.close()

    @cached_property
    def pixel_size(self):
        with self._explained("its pixel size cannot be read"):
            return pixel_sizes.of_tiff(self._tiff, self._planes.ome)

    @cached_property
    def levels(self):
        """Those of the first plane; the other planes must have them too where they are read."""
        return [level for _, level in self._pyramid]

    @cached_property
    def _pyramid(self):
        """(number, image.Level) of the resolutions of the first plane, the largest first; numbers as of `_page_at`.

        Other pictures in the file (a thumbnail, the slide's label) may lie before and between them.
        """
        with self._explained("its resolutions cannot be read"):
            first, *others = self._resolutions(self._first)
            lower = {}
            for number, page in enumerate(others, 1):
                if _is_lower(page, first):
                    lower.setdefault((page.imagelength, page.imagewidth), (number, tiff_pages.level(page)))
            falling = [(0, tiff_pages.level(first))]
            for _, (number, level) in sorted(lower.items(), reverse=True):
                if all(map(operator.lt, level.shape, falling[-1][1].shape)):
                    falling.append((number, level))
            return falling

    def plane(self, channel, z, t):
        """See `image.Image.plane`; where the file states that 0 is white, the levels are inverted."""
        name = f"{self.name} frame {t + 1}"
        with self._explained(f"frame {t + 1} cannot be read"):
            place, sample = self._place(channel, z, t)
            page = self._grey(self._page_at(place, 0), name)
            check_size(name, page.imagelength, page.imagewidth)
            check_size(name, *tiff_pages.level(page).tile)  # tiles may be larger than the image
            if place not in self._planes.offsets:
                tiff_pages.check_in_file(page, self._file.size(), name)
                tiff_pages.check_written(page, name)
            image = self._white_is_large(page, self._pixels(place, page, tiff_pages.whole(page, sample), name), name)
            return without_fill(image, _no_data(page))

    def check_whole(self):
        for place, number in self._planes.pages.items():
            if number is not None:
                with self._explained(f"page {number + 1} cannot be read"):
                    for page in self._resolutions(place):
                        tiff_pages.check_in_file(page, self._file.size(), f"{self.name} page {number + 1}")

    def check_written(self):
        """Raise an ImageFailure if pixels of a page are not in the file, or were never written."""
        self.check_whole()
        for number in self._planes.pages.values():
            if number is not None:
                tiff_pages.check_written(self._page(number), f"{self.name} page {number + 1}")

    def _read(self, channel, z, t, level, box):
        name = f"{self.name} frame {t + 1}"
        with self._explained(f"a window of frame {t + 1} cannot be read"):
            place, sample = self._place(channel, z, t)
            page = self._grey(self._page_at(place, self._pyramid[level][0]), name)
            if (page.imagelength, page.imagewidth) != self.levels[level].shape or page.dtype != self.dtype:
                raise NotReadable(
                    f"{name}: its size or type is not that of the first plane: {page.shape} {page.dtype}."
                )
            if _white_is_zero(page):
                raise NotReadable(f"{name}: 0 is white in it; {INVERT}.")
            tiff_pages.check_bounded(page, name)
            self.check_tile(tiff_pages.level(page))
            if place not in self._planes.offsets:
                tiff_pages.check_in_file(page, self._file.size(), name)
            return without_fill(self._pixels(place, page, tiff_pages.Window(*box, sample), name), _no_data(page))

    def _place(self, channel, z, t):
        """((t, channel, z) of a page, sample in it) of a plane."""
        channel, sample = divmod(channel, self._planes.samples)
        return (t, channel, z), sample

    def _page_at(self, place, resolution):
        """The tifffile.TiffPage of a plane: 0 as it is, then the lower resolutions, those in pages before SubIFDs."""
        number, lower = self._planes.pages[place], self._planes.levels
        if number is None:
            name = f"{self.name} frame {place[0] + 1}"
            raise UnwrittenFrame(f"{name}: its OME-XML describes it, but the file does not contain it.")
        if 1 <= resolution <= len(lower):
            return self._page(lower[resolution - 1][place])
        return self._page(number, resolution - len(lower)) if resolution else self._page(number)

    def _grey(self, page, name):
        """The page, if it is of grey levels and has as many channels as the others."""
        if page.dtype is None or 0 in page.shape:
            raise NotReadable(f"{name}: this is no image of grey levels ({page.bitspersample} bits, {page.shape}).")
        if page.samplesperpixel != self._planes.samples or {*page.axes} - {*"YXS"}:
            raise NotReadable(
                f"{name}: a grey image is needed, this is {page.axes} {page.shape}; "
                "save the channel you want alone (in Fiji: Image > Color > Split Channels)."
            )
        return page

    def _load(self, number, level=0):
        """A page, or one of its SubIFDs as a lower resolution."""
        if not level:
            return self._tiff.pages.get(number, aspage=True)
        offsets = self._page(number).subifds or ()
        if not 1 <= level <= len(offsets):
            raise NotReadable(
                f"{self.name} page {number + 1}: it lacks resolution {level + 1}, which other pages have."
            )
        if offsets[level - 1] >= self._file.size():
            raise Truncated(f"{self.name}: the file ends before its resolutions.")
        self._tiff.filehandle.seek(offsets[level - 1])
        return tifffile.TiffPage(self._tiff, (number, level))

    def _resolutions(self, place):
        """The pages of a plane at every resolution that the file has of it."""
        yield self._page_at(place, 0)
        lower = len(self._planes.levels) + len(self._page(self._planes.pages[place]).subifds or ())
        yield from (self._page_at(place, number) for number in range(1, min(lower, MOST_LEVELS) + 1))

    def _pixels(self, place, page, window, name):
        """(Y, X) pixels of a tiff_pages.Window of a page."""
        offset = self._planes.offsets.get(place)
        return tiff_pages.read(page, self._file, window, name, offset)

    def _bits(self):
        """Bits of a grey level where OME-XML states them, or where pixels are packed into fewer than whole bytes."""
        page = self._tiff.pages[0]
        width = page.dtype.itemsize * 8 if page.dtype else 0
        packed = page.bitspersample if page.samplesperpixel == 1 and page.bitspersample < width else None
        return bit_depth.in_ome(self._tiff.ome_metadata) or packed

    def _white_is_large(self, page, image, name):
        """The image, inverted within the bits of a pixel if the file states that 0 is white."""
        if not _white_is_zero(page):
            return image
        if image.dtype.kind != "u":
            raise NotReadable(f"{name}: 0 is white in it, and {image.dtype} cannot be inverted; {INVERT}.")
        bits = min(self.significant_bits or page.bitspersample, page.bitspersample)
        bits = bits if image.max() < 2**bits else page.bitspersample
        return image.dtype.type(2**bits - 1) - image

    @contextmanager
    def _explained(self, problem):
        """Raise what tifffile raises as an ImageFailure; a failure of the file below it comes first."""
        with image_failures(f"{self.name}: {problem}"), self._file.blamed_first():
            yield


def significant_bits(path, name):
    """The bits of the grey levels that a TIFF states, for readers that pass on only a part; None of other files."""
    with suppress(ImageFailure), open(path, "rb") as file, closing(Image(file, name)) as image:
        return image.significant_bits
    return None


def _is_lower(page, first):
    """Whether a page shows the whole of the FIRST at a lower resolution: sides that are rounded differ by a pixel."""
    kind, wanted = ((one.dtype, one.axes, one.samplesperpixel) for one in (page, first))
    if kind != wanted or page.is_mask or page.imagelength >= first.imagelength or page.imagewidth >= first.imagewidth:
        return False
    scales = page.imagelength / first.imagelength, page.imagewidth / first.imagewidth
    return abs(scales[0] - scales[1]) <= 1 / first.imagelength + 1 / first.imagewidth


def _no_data(page):
    """The value by which a page marks pixels without data; None where it states none, or no number.

    tifffile's own `nodata` is 0 for what does not fit into the page's type exactly, as GDAL's usual -3.4e38 does not.
    """
    text = str(page.tags.valueof(NODATA, default="")).strip("\0 \t\r\n").replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def _white_is_zero(page):
    """Whether a page states that its lowest level is white, by its tag or by a falling palette of greys."""
    if page.photometric == PALETTE and page.colormap is not None:
        red, *others = page.colormap.astype(int)
        grey = all(np.array_equal(red, other) for other in others)
        return grey and red[0] > red[-1] and bool(np.all(np.diff(red) <= 0))
    return PHOTOMETRIC in page.tags and page.photometric == MIN_IS_WHITE
