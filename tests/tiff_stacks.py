"""What tests of TIFF share: stacks of noise with axes, and the ways in which programs write them."""

import struct

import numpy as np
import tifffile

from reading import noise

SIZES = {"T": 3, "Z": 5, "C": 2}
NAMES = ["GFP", "DAPI"]


def stack(axes, dtype=np.uint16):
    """Noise with the axes named, and (t, z, c) -> plane of it."""
    pixels = noise(int(np.prod([SIZES[axis] for axis in axes])), (32, 40)).astype(dtype) * 200
    pixels = pixels.reshape([*(SIZES[axis] for axis in axes), 32, 40])

    def plane(**place):
        return pixels[tuple(place.get(axis, 0) for axis in axes)]

    return pixels, plane


def ome(path, pixels, axes, **options):
    named = {"Channel": {"Name": NAMES}} if "C" in axes and pixels.shape[axes.index("C")] == len(NAMES) else {}
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": f"{axes}YX"} | named, **options)


def imagej(path, pixels, axes, **options):
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": f"{axes}YX"}, **options)


def shaped(path, pixels, axes, **options):
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": f"{axes}YX"}, **options)


def one_directory(path, pixels, axes, **_):
    """As ImageJ writes a stack above 4 GB: its images follow each other, and only the first has a directory."""
    imagej(path, pixels, axes)
    with tifffile.TiffFile(path) as file:
        first, order = file.pages[0].offset, file.byteorder
    content = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from(f"{order}H", content, first)
    struct.pack_into(f"{order}I", content, first + 2 + 12 * tags, 0)
    path.write_bytes(content)
