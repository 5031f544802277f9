"""An image and its label image as a field of a plate in OME-Zarr 0.4: three levels each, a file a level.

One chunk an image, so that few files are made: 18 of an image. Axes are tczyx, of which t, c and z are 1, because that
is what every program reads; a pixel has no size, for the archives' is not known.
"""

from pathlib import Path

import numcodecs
import numpy as np
import zarr

from idrstream.images import zarr_group

LEVELS = 3  # each of half the size
LABELS = "nuclei"
SHOWN = 0.1, 99.9  # percent of the pixels: what a viewer shows as black and white at first
AXES = [{"name": name, "type": kind} for name, kind in zip("tczyx", ("time", "channel", *["space"] * 3), strict=True)]


def write(folder, name, image, labels, about, full):
    """Write a field.

    folder  to write into
    name    of the image
    image   (Y, X) grey levels, any integer or float type
    labels  (Y, X) uint16 or uint32, 0 is background
    about   what there is to say of the image: a dict, kept as metadata of its multiscales
    full    the largest grey level of the image's range
    """
    low, high = (float(level) for level in np.percentile(image, SHOWN))
    high = max(high, low + (1 if full > 1 else 1e-6))
    window = {"start": low, "end": high, "min": min(0.0, low), "max": float(max(full, high))}
    channel = {"label": "image", "color": "FFFFFF", "active": True, "window": window}
    means, picks = _pyramid(image, _mean), _pyramid(labels, lambda finer: finer[::2, ::2])
    nuclei = Path(folder) / "labels" / LABELS
    _write(nuclei, LABELS, picks, {}, {"image-label": {"version": zarr_group.VERSION, "source": {"image": "../../"}}})
    zarr_group.write(nuclei.parent, {"labels": [LABELS]})
    _write(Path(folder), name, means, about, {"omero": {"channels": [channel], "rdefs": {"model": "greyscale"}}})


def read(folder):
    """(image, labels) at full size, as `write` was given them."""
    return tuple(_read(Path(folder) / within) for within in ("0", f"labels/{LABELS}/0"))


def like_stored(even, dtype):
    """Grey levels, (Y, X) float32, as those of the type that the frame is stored in: rounded, cut at its ends."""
    if np.dtype(dtype).kind == "f":
        return even.astype(dtype)
    ends = np.iinfo(dtype)
    return np.clip(np.rint(even), ends.min, ends.max).astype(dtype)


def _write(folder, name, levels, about, attributes):
    datasets = []
    for level, pixels in enumerate(levels):
        shape = (1, 1, 1, *pixels.shape)
        shuffle = numcodecs.Blosc.NOSHUFFLE if attributes.keys() & {"image-label"} else numcodecs.Blosc.SHUFFLE
        zarr.create_array(
            folder / str(level),
            shape=shape,
            chunks=shape,
            dtype=pixels.dtype,
            zarr_format=2,
            fill_value=0,
            filters=None,
            compressors=numcodecs.Blosc(cname="zstd", clevel=5, shuffle=shuffle),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )[:] = pixels.reshape(shape)
        (folder / str(level) / zarr_group.ATTRIBUTES).unlink()  # empty
        datasets.append({"path": str(level), "coordinateTransformations": _placed(level, "image-label" in attributes)})
    multiscale = {
        "version": zarr_group.VERSION,
        "name": name,
        "axes": AXES,
        "datasets": datasets,
        "metadata": about,
    }
    zarr_group.write(folder, {"multiscales": [multiscale]} | attributes)


def _placed(level, picked):
    """Where pixels of a level lie in the image: a mean in the middle of its pixels, a picked one where it was."""
    size = 2**level
    shift = 0.0 if picked else (size - 1) / 2
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0, float(size), float(size)]}
    return [scale, {"type": "translation", "translation": [0.0, 0.0, 0.0, shift, shift]}]


def _pyramid(pixels, halved):
    levels = [pixels]
    while len(levels) < LEVELS:
        levels.append(halved(levels[-1]))
    return levels


def _mean(finer):
    height, width = finer.shape
    even = np.pad(finer, ((0, height % 2), (0, width % 2)), mode="edge")
    blocks = even.reshape(len(even) // 2, 2, -1, 2).mean(axis=(1, 3), dtype=np.float32)
    return like_stored(blocks, finer.dtype)


def _read(folder):
    return zarr.open_array(folder, mode="r")[0, 0, 0]
