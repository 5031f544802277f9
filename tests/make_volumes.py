"""Small containers of volumes as incasem, N5 and OME-Zarr have them; N5 is written here, by its format alone."""

import bz2
import gzip
import itertools
import json
import lzma
import struct
import zlib

import numcodecs
import numpy as np
import zarr

RAW, LABELS, METRIC_MASKS, MASK = "volumes/raw_equalized_0.02", "volumes/labels", "volumes/metric_masks", "volumes/mask"
CODECS = {"zlib": numcodecs.Zlib(3), "blosc": numcodecs.Blosc(), "gzip": numcodecs.GZip(), "raw": None}
CODECS |= {"zstd": numcodecs.Zstd(), "bz2": numcodecs.BZ2(), "lz4": numcodecs.LZ4(), "lzma": numcodecs.LZMA()}
N5_TYPES = {"raw": {}, "gzip": {"level": -1}, "bzip2": {"blockSize": 9}, "xz": {"preset": 6}, "zstd": {"level": 3}}
N5_TYPES |= {"zlib": {"level": -1, "useZlib": True}, "blosc": {"cname": "lz4", "clevel": 5, "shuffle": 1}}
PACKED = {  # N5's name of a compression: function
    "raw": bytes,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": numcodecs.Zstd().encode,
    "blosc": numcodecs.Blosc().encode,
}


def noise(shape, dtype=np.uint8, seed=0):
    """An array without zeros."""
    return np.random.default_rng(seed).integers(1, 200, shape).astype(dtype)


def incasem(folder, raw, resolution=(5, 5, 5), offset=(0, 0, 0), labels=(), metric_masks=(), mask=None, **how):
    """Write a container as incasem has them, Zarr 2 with nanometres in its attributes; returns FOLDER.

    raw           (z, y, x), at RAW
    resolution    nanometres z, y, x
    offset        nanometres z, y, x of the first voxel of the raw
    labels        name -> array, or (array, its own offset in nanometres), at LABELS/name
    metric_masks  likewise
    mask          likewise, one, at MASK
    how           of `array`
    """
    arrays = {RAW: raw}
    arrays |= {f"{LABELS}/{name}": value for name, value in dict(labels).items()}
    arrays |= {f"{METRIC_MASKS}/{name}": value for name, value in dict(metric_masks).items()}
    arrays |= {} if mask is None else {MASK: mask}
    for path, value in arrays.items():
        voxels, start = value if isinstance(value, tuple) else (value, offset)
        array(folder, path, voxels, {"offset": [*start], "resolution": [*resolution]}, **how)
    return folder


def array(folder, path, voxels, attributes=(), codec="zlib", chunks=(16, 16, 16), separator=".", **how):
    """Write a Zarr 2 array below a folder, with the groups above it.

    voxels      array, or (shape, type) of one of which nothing is written
    codec       of CODECS
    separator   between the numbers of a chunk's name
    attributes  of its .zattrs; None: there is no such file
    """
    root = zarr.open_group(folder, mode="a", zarr_format=2)
    shape, dtype = (voxels.shape, voxels.dtype) if isinstance(voxels, np.ndarray) else voxels
    how = {"compressors": CODECS[codec], "chunk_key_encoding": {"name": "v2", "separator": separator}} | how
    stored = root.create_array(path, shape=shape, dtype=dtype, chunks=chunks[-len(shape) :], **how)
    if isinstance(voxels, np.ndarray):
        stored[...] = voxels
    stored.attrs.update(dict(attributes or {}))
    if attributes is None:
        (folder / path / ".zattrs").unlink(missing_ok=True)
    return folder


def n5(folder, path, voxels, attributes=(), compression="gzip", block=(16, 16, 16)):
    """Write an N5 dataset below a folder; blocks that are all 0 are not written.

    voxels       (z, y, x)
    attributes   of its attributes.json beside those of the format, in N5's order x, y, z
    compression  of PACKED
    block        (z, y, x) voxels
    """
    place = folder / path
    place.mkdir(parents=True)
    (folder / "attributes.json").write_text('{"n5": "2.5.1"}')
    stated = {"type": "gzip" if compression == "zlib" else compression} | N5_TYPES[compression]
    described = {"dimensions": voxels.shape[::-1], "blockSize": block[::-1], "dataType": voxels.dtype.name}
    (place / "attributes.json").write_text(json.dumps(described | {"compression": stated} | dict(attributes)))
    for corner in itertools.product(*(range(0, size, step) for size, step in zip(voxels.shape, block, strict=True))):
        part = voxels[tuple(slice(first, first + step) for first, step in zip(corner, block, strict=True))]
        if part.any():
            head = struct.pack(">HH3I", 0, 3, *part.shape[::-1])
            payload = PACKED[compression](part.astype(part.dtype.newbyteorder(">")).tobytes())
            z, y, x = (first // step for first, step in zip(corner, block, strict=True))
            (place / f"{x}/{y}").mkdir(parents=True, exist_ok=True)
            (place / f"{x}/{y}/{z}").write_bytes(head + payload)
    return folder


def ome_zarr(folder, voxels, scale, translation=None, unit="nanometer", version="0.5", axes="zyx", **how):
    """Write an OME-Zarr image of one resolution; returns FOLDER.

    scale, translation  of each axis, in UNIT (None: without)
    version             "0.4" is Zarr 2, "0.5" Zarr 3
    how                 of zarr's create_array, such as shards
    """
    group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
    kinds = {"t": "time", "c": "channel"}
    described = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    for axis in described if unit else []:
        if axis["type"] == "space":
            axis["unit"] = unit
    steps = [{"type": "scale", "scale": [*scale]}]
    steps += [{"type": "translation", "translation": [*translation]}] if translation else []
    multiscale = {"axes": described, "datasets": [{"path": "s0", "coordinateTransformations": steps}]}
    how = {"chunks": (1,) * (voxels.ndim - 3) + (16, 16, 16)} | how
    group.create_array("s0", shape=voxels.shape, dtype=voxels.dtype, **how)[...] = voxels
    if version == "0.4":
        group.attrs["multiscales"] = [multiscale | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    return folder
