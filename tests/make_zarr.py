"""Small OME-Zarr images of noise, written by zarr itself."""

import json

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

SHAPE = (4, 2, 2, 100, 132)  # t, c, z, y, x
CHUNKS = (1, 1, 1, 64, 100)  # four a plane
V2 = {"blosc": numcodecs.Blosc(), "gzip": numcodecs.GZip(), "zstd": numcodecs.Zstd(), "raw": None}
V3 = {"blosc": BloscCodec(), "gzip": GzipCodec(), "zstd": ZstdCodec(), "raw": None}
WELL = "P.zarr/B/3/0"
FIRST = {"nuclear": 1, "z": 1}  # of its channels and z planes: readers.planes.Choice


def noise(shape=SHAPE, dtype=np.uint16):
    return np.random.default_rng(0).integers(1, 200, shape).astype(dtype)


def write(folder, pixels, version=2, codec="blosc", axes="tczyx", chunks=CHUNKS, **options):
    """Write an image with two levels as OME-Zarr 0.4 (version 2 of Zarr) or 0.5 (3)."""
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    codecs = V2 if version == 2 else V3
    if version == 2:
        options.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    for level, stored in enumerate((pixels, pixels[..., ::2, ::2])):
        options |= {"chunks": chunks[-stored.ndim :], "compressors": codecs[codec], "dtype": stored.dtype}
        group.create_array(str(level), shape=stored.shape, **options)[:] = stored
    multiscales = [{"axes": [{"name": axis} for axis in axes], "datasets": [{"path": "0"}, {"path": "1"}]}]
    if version == 2:
        group.attrs["multiscales"] = multiscales
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    return folder


def edit(path, **changes):
    """Change members of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
