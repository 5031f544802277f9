"""The image that a reader opens: axes, channels and resolutions, of which windows and planes are read."""

from typing import NamedTuple

import numpy as np

from idrstream.base.failures import NotReadable

MOST_PIXELS = 400_000_000  # of an array that is read at once: 800 MB of 16 bits
LARGEST_TILE = 64 * 1024 * 1024  # bytes, decoded: a window decodes whole tiles, however small it is


class Level(NamedTuple):
    """One resolution of an image.

    shape       (Y, X) pixels
    tile        (Y, X) pixels of what is stored as one, and has to be read to read one pixel of it: a tile, strip or
                chunk; a row of uncompressed strips
    tile_bytes  of memory that such a tile takes, decoded, with what else is stored in it (other channels, z planes)
    """

    shape: tuple
    tile: tuple
    tile_bytes: int


class PixelSize(NamedTuple):
    """Edges of a pixel of the full resolution.

    y, x    micrometres
    source  where the file says so, such as "OME-XML"
    """

    y: float
    x: float
    source: str


class Image:
    """An image of a file. The class of a reader sets what is named here and defines `_read`.

    name              what messages call it
    shape             (T, C, Z, Y, X) of the full resolution
    axes              those that the file itself has, in its order, such as "CYX"; pages of which it says nothing are Q
    dtype             of the pixels, in this machine's byte order
    channels          the file's names of its channels, "" for one without
    levels            list of Level, the full resolution first
    pixel_size        PixelSize; None where the file does not state it
    significant_bits  of its grey levels, where the file says so, else None
    in_colour         whether its channels are the red, green and blue of a picture
    """

    significant_bits = pixel_size = None
    in_colour = False

    def window(self, channel, z, t, level, y0, y1, x0, x1):
        """(Y, X) pixels of rows y0 to before y1, columns x0 to before x1, as stored; all counted from 0.

        Of the file, the tiles that the window meets are read, and no others. Masked (numpy.ma) as a plane is.

        Raises IndexError for a place outside of the image, NotReadable where a tile is too large to be decoded for a
        window, and any other ImageFailure of the pixels in it.
        """
        times, channels, planes, _, _ = self.shape
        inside = 0 <= t < times and 0 <= channel < channels and 0 <= z < planes and 0 <= level < len(self.levels)
        height, width = self.levels[level].shape if inside else (0, 0)
        if not (inside and 0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            place = f"channel {channel}, z {z}, t {t}, level {level}, rows {y0}-{y1}, columns {x0}-{x1}"
            raise IndexError(f"{self.name}: outside of the image: {place}")
        check_size(self.name, y1 - y0, x1 - x0)
        self.check_tile(self.levels[level])
        return self._read(channel, z, t, level, (y0, y1, x0, x1))

    def plane(self, channel, z, t):
        """(Y, X) pixels of a plane at full resolution, as stored, counted from 0: the window of all of it.

        Masked (numpy.ma) where the file holds no pixels, the data there being what it says of such places.
        """
        _, _, _, height, width = self.shape
        check_size(self.name, height, width)
        return self._read(channel, z, t, 0, (0, height, 0, width))

    def check_whole(self):
        """Raise Truncated where pixels of any plane or resolution lie behind the end of the file, if that shows."""

    def close(self):
        """Close what the reader itself opened."""

    def _read(self, channel, z, t, level, box):
        """The pixels of a window that lies in the image, BOX being (y0, y1, x0, x1)."""
        raise NotImplementedError

    def check_tile(self, level):
        """Raise NotReadable for tiles too large to be decoded for a window."""
        if level.tile_bytes > LARGEST_TILE:
            height, width = level.tile
            raise NotReadable(
                f"{self.name}: its pixels are stored in tiles of {height:,} x {width:,} pixels, each of "
                f"{level.tile_bytes / 1e6:,.0f} MB; {LARGEST_TILE / 1e6:,.0f} MB at most are decoded for a window. "
                f"Store it in smaller ones: {self._retiling()}"
            )

    def _retiling(self):
        """The command that stores the image in small tiles."""
        return f"bfconvert -bigtiff -compression zlib -tilex 512 -tiley 512 {self.name} tiled.ome.tif"


def check_size(name, height, width):
    """Raise NotReadable for a plane too large to allocate: a file may state any size."""
    if height * width > MOST_PIXELS:
        raise NotReadable(
            f"{name}: it states {height:,} x {width:,} pixels; at most {MOST_PIXELS:,} can be read at once."
        )


def without_fill(image, fill):
    """IMAGE, masked (numpy.ma) where it holds FILL, the value by which its file marks pixels without data.

    image  (Y, X); what is masked already stays masked
    fill   None if there is none; ignored where it may be a grey level: for integers, and from 0 up for floats
    """
    if image.dtype.kind != "f" or fill is None:
        return image
    levels = np.ma.getdata(image)
    with np.errstate(over="ignore"):
        fill = levels.dtype.type(fill)
    empty = np.isnan(levels) if np.isnan(fill) else levels == fill
    if 0 <= fill < np.inf or not empty.any():
        return image
    return np.ma.array(levels, mask=empty | np.ma.getmaskarray(image))
