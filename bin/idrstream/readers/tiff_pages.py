"""Windows of a page of a TIFF file: the tiles or strips that the window meets are read and decoded, and no others."""

import math
import struct
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import tifffile

from idrstream.base.failures import NotReadable, Truncated, UnwrittenFrame
from idrstream.readers.image import LARGEST_TILE, Level

READ_AT_ONCE = 64 * 1024 * 1024  # bytes of a file kept in memory for decoding
COMPRESSION = tifffile.COMPRESSION
# Compressions of which the size of what is unpacked is bounded by the tile's, or stands in its head.
BOUNDED = {COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.DEFLATE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.PACKBITS}
BOUNDED |= {COMPRESSION.LZMA, COMPRESSION.ZSTD, COMPRESSION.ZSTD_DEPRECATED}
JPEG = {COMPRESSION.JPEG}
JPEG2000 = {COMPRESSION.JPEG2000, COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB}
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG
SIZE_OF_JPEG2000 = b"\xff\x4f\xff\x51"  # markers at the start of its codestream


class Window(NamedTuple):
    """Rows y0 to before y1 and columns x0 to before x1 of a sample, all counted from 0."""

    y0: int
    y1: int
    x0: int
    x1: int
    sample: int = 0


def whole(page, sample=0):
    """The Window of all of a page."""
    return Window(0, page.imagelength, 0, page.imagewidth, sample)


def level(page):
    """The image.Level of a page: its size, and the size of what has to be decoded of it at a time."""
    shape = page.imagelength, page.imagewidth
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    tile = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, shape[0]), shape[1])
    tile = (1, shape[1]) if _is_of_rows(page) else tile
    return Level(shape, tile, math.prod(tile) * samples * page.dtype.itemsize)


def check_in_file(page, size, name):
    """Raise an ImageFailure if strips or tiles are not listed, or not in a file of SIZE bytes.

    tifffile takes such for black.
    """
    expected = math.prod(page.chunked)
    if len(page.dataoffsets) < expected:
        raise NotReadable(f"{name}: only {len(page.dataoffsets):,} of its {expected:,} pieces are listed.")
    if max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))) > size:
        raise Truncated(f"{name}: the file ends before its pixels do.")


def check_written(page, name):
    """Raise UnwrittenFrame if strips or tiles were never written: tifffile takes such for black."""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if absent := sum(_is_absent(page, *segment) for segment in segments):
        raise UnwrittenFrame(f"{name}: {absent:,} of its {len(segments):,} pieces were never written.")


def read(page, file, window, name, first_byte=None):
    """(Y, X) pixels of a window of a page, as stored, in this machine's byte order.

    page    tifffile.TiffPage of a file
    file    WatchedFile that it is of
    window  Window, inside of the page
    name    what messages call the page
    first_byte  of the pixels, where they are those of another plane than the page's own, stored in rows
    """
    if first_byte is not None or _is_of_rows(page):
        return _rows(page, file, window, name, first_byte)
    pixels = np.empty((window.y1 - window.y0, window.x1 - window.x0), page.dtype)
    for segments in _in_groups(_segments(page, window, name)):
        file.prefetch([(start, start + count) for _, start, count in segments])
        for index, start, count in segments:
            _decode_into(pixels, page, _exactly(file, start, count, name), index, window, name)
    return pixels


def check_bounded(page, name):
    """Raise NotReadable for compressions that could unpack to any size: windows of such pages are not read."""
    if page.compression not in BOUNDED | JPEG | JPEG2000:
        kind = getattr(page.compression, "name", page.compression)
        raise NotReadable(
            f"{name}: no windows are read of images compressed by {kind}; store it in tiles compressed by zlib."
        )


def _is_of_rows(page):
    """Can rows be read by themselves: is the page in strips, of whole bytes, that nothing was done to?"""
    plain = page.compression == COMPRESSION.NONE and page.predictor == 1 and page.fillorder == 1
    regular = page.bitspersample in (8, 16, 32, 64) and page.sampleformat != tifffile.SAMPLEFORMAT.COMPLEXINT
    return plain and regular and not page.is_tiled and not page.is_subsampled


def _rows(page, file, window, name, first_byte):
    """The window, of a page whose rows can be read by themselves."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    row_bytes = page.imagewidth * samples * page.dtype.itemsize

    def ranges(y0, y1):
        return _joined(_row_ranges(page, y0, y1, window.sample, row_bytes, first_byte, name))

    if max(stop for _, stop in ranges(window.y0, window.y1)) > file.size():
        raise Truncated(f"{name}: the file ends before its pixels do.")
    stored, sample = page.dtype.newbyteorder(page.parent.byteorder), window.sample if samples > 1 else 0
    whole_rows = samples == 1 and window.x1 - window.x0 == page.imagewidth
    pixels = np.empty((window.y1 - window.y0, window.x1 - window.x0), stored)
    step = max(1, READ_AT_ONCE // row_bytes)
    for y in range(window.y0, window.y1, step):
        part = pixels[y - window.y0 : y - window.y0 + step]
        rows = part[..., None] if whole_rows else np.empty((len(part), page.imagewidth, samples), stored)
        wanted = ranges(y, y + len(part))
        file.prefetch(wanted)
        _fill(rows, file, wanted, name)
        if not whole_rows:
            part[:] = rows[:, window.x0 : window.x1, sample]
    return pixels.astype(page.dtype, copy=False)


def _row_ranges(page, y0, y1, sample, row_bytes, first_byte, name):
    """(start, stop) in the file of rows y0 to before y1, in order."""
    step, plane = page.rowsperstrip, sample if page.planarconfig == 2 else 0
    if len(page.dataoffsets) < math.prod(page.chunked) or page.is_stk or page.is_lsm:  # the first is listed alone
        first_byte = page.dataoffsets[0]
    if first_byte is not None:
        start = first_byte + plane * page.imagelength * row_bytes
        yield start + y0 * row_bytes, start + y1 * row_bytes
        return
    count = math.ceil(page.imagelength / step)
    for strip in range(y0 // step, math.ceil(y1 / step)):
        first, start = strip * step, page.dataoffsets[plane * count + strip]
        if not start:
            raise UnwrittenFrame(f"{name}: the rows from {first:,} were never written.")
        low, high = max(first, y0) - first, min(first + step, y1) - first
        yield start + low * row_bytes, start + high * row_bytes


def _joined(ranges):
    """Ranges of which none follows another at once."""
    joined = []
    for start, stop in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return joined


def _segments(page, window, name):
    """(index, first byte, bytes) of the tiles or strips that the window meets."""
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    down, across = math.ceil(page.imagelength / height), math.ceil(page.imagewidth / width)
    first = window.sample * down * across if page.planarconfig == 2 else 0
    largest = 2 * max(level(page).tile_bytes, READ_AT_ONCE)  # of what is stored: packing may add to noise
    for row in range(window.y0 // height, math.ceil(window.y1 / height)):
        for column in range(window.x0 // width, math.ceil(window.x1 / width)):
            index = first + row * across + column
            start, count = page.dataoffsets[index], page.databytecounts[index]
            if _is_absent(page, start, count):
                place = f"rows from {row * height:,} and columns from {column * width:,}"
                raise UnwrittenFrame(f"{name}: the tile of {place} was never written.")
            if count > largest:
                raise NotReadable(f"{name}: a tile of it is said to be stored in {count:,} bytes.")
            yield index, start, count


def _is_absent(page, start, count):
    """Was a strip or tile never written? Old writers leave 0 as the length of strips that are there."""
    uncompressed = page.compression == COMPRESSION.NONE and not page.is_tiled
    return not count and not (start and uncompressed)


def _in_groups(segments):
    """Lists of segments of which each can be kept in memory as it is stored."""
    group, total = [], 0
    for segment in segments:
        if group and total + segment[2] > READ_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(segment)
        total += segment[2]
    yield group


def _decode_into(pixels, page, content, index, window, name):
    """Decode a tile or strip and put what the window has of it into PIXELS."""
    _check_declared(page, content, name)
    tile, (_, _, top, left, _), _ = page.decode(content, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)
    tile = tile[0, :, :, window.sample if page.planarconfig == 1 else 0]
    bottom = min(top + tile.shape[0], page.imagelength, window.y1)
    right = min(left + tile.shape[1], page.imagewidth, window.x1)
    y, x = max(top, window.y0), max(left, window.x0)
    pixels[y - window.y0 : bottom - window.y0, x - window.x0 : right - window.x0] = tile[
        y - top : bottom - top, x - left : right - left
    ]


def _check_declared(page, content, name):
    """Raise NotReadable where a JPEG or JPEG 2000 says in its own head that it is far larger than its tile."""
    if page.compression not in JPEG | JPEG2000:
        return
    size = _size_of_jpeg(content) if page.compression in JPEG else _size_of_jpeg2000(content)
    tile = level(page)
    most = max(tile.tile_bytes, LARGEST_TILE)  # of a plane that is read whole tiles may be larger
    if size is None or math.prod(size) * page.samplesperpixel * page.dtype.itemsize > most:
        stated = "no size" if size is None else f"{size[0]:,} x {size[1]:,} pixels"
        raise NotReadable(f"{name}: a tile of {tile.tile[0]:,} x {tile.tile[1]:,} pixels states {stated} in its head.")


def _size_of_jpeg(content):
    """(Y, X) that a JPEG states; None without."""
    at = 2
    with suppress(struct.error, IndexError):
        while content[at] == 0xFF:
            marker, length = content[at + 1], struct.unpack_from(">H", content, at + 2)[0]
            if marker in START_OF_FRAME:
                return struct.unpack_from(">HH", content, at + 5)
            at += 2 + length
    return None


def _size_of_jpeg2000(content):
    """(Y, X) that a JPEG 2000 states; None without."""
    at = content.find(SIZE_OF_JPEG2000)
    with suppress(struct.error):
        if at >= 0:
            width, height = struct.unpack_from(">II", content, at + 8)
            return height, width
    return None


def _exactly(file, start, count, name):
    """COUNT bytes of the file from START on. Raises Truncated where it ends before."""
    content = np.empty(count, np.uint8)
    _fill(content, file, [(start, start + count)], name)
    return content.tobytes()


def _fill(array, file, ranges, name):
    """Read ranges of the file into a contiguous array. Raises Truncated where it ends before."""
    room = memoryview(array.reshape(-1).view(np.uint8))
    for start, stop in ranges:
        file.seek(start)
        part, room = room[: stop - start], room[stop - start :]
        while part:
            count = file.readinto(part)
            if not count:
                raise Truncated(f"{name}: the file ends before its pixels do.")
            part = part[count:]
