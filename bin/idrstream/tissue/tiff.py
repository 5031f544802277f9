"""A label image as a TIFF that every viewer opens: tiled, with a pyramid and the size of a pixel. Needs tifffile."""

import uuid

import tifffile

from idrstream.base import files

TILE = 512  # pixels
SPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "idrstream")  # of the UUIDs of its files
COMPRESSION = "zlib"  # which all readers know
MICROMETRES = 10_000  # of a centimetre, the unit of a TIFF's resolution


def write(path, name, levels, pixel_size, identity):
    """Write a BigTIFF with OME-XML to PATH, whole or not at all.

    name        of the label image
    levels      arrays, (Y, X) uint32, the full resolution first, of which a tile at a time is read
    pixel_size  (y, x) micrometres; None if nobody knows
    identity    text that no other label image has: of it the file's UUID is made, so that its bytes are always the same
    """
    metadata = {"axes": "YX", "Name": name, "UUID": str(uuid.uuid5(SPACE, identity))}
    if pixel_size:
        sizes = zip("YX", pixel_size, strict=True)
        metadata |= {key: value for a, v in sizes for key, value in _size(a, v).items()}
    with files.whole(path) as hidden, tifffile.TiffWriter(hidden, bigtiff=True, ome=True) as writer:
        for number, level in enumerate(levels):
            first = {"subifds": len(levels) - 1, "metadata": metadata}
            kind = first if number == 0 else {"subfiletype": 1, "metadata": None}
            scale = levels[0].shape[0] / level.shape[0]
            writer.write(
                _tiles(level),
                shape=level.shape,
                dtype="uint32",
                tile=(TILE, TILE),
                compression=COMPRESSION,
                photometric="minisblack",
                maxworkers=1,
                **(_resolution(pixel_size, scale) | kind),
            )


def _size(axis, micrometres):
    return {f"PhysicalSize{axis}": micrometres, f"PhysicalSize{axis}Unit": "µm"}


def _resolution(pixel_size, scale):
    """A TIFF's own tags of the size of a pixel: pixels a centimetre, x first."""
    if not pixel_size:
        return {}
    y, x = (MICROMETRES / (size * scale) for size in pixel_size)
    return {"resolution": (x, y), "resolutionunit": "CENTIMETER"}


def _tiles(level):
    height, width = level.shape
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield level[y : min(y + TILE, height), x : min(x + TILE, width)]
