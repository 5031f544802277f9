"""Pictures of a volume: the middle of three planes, as it is and with what was found in it."""

from pathlib import Path

import numpy as np
from PIL import Image

from idrstream.base import files
from idrstream.volume import ome_zarr
from idrstream.volume.box import Box

PLANES = {"z": (1, 2), "y": (0, 2), "x": (0, 1)}  # name: the axes of its picture, down and across
SIDE = 768  # voxels of a picture at most, so that its cost does not grow with the volume
# Okabe and Ito 2008, https://jfly.uni-koeln.de/color/: of class 1, 2, ...
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (213, 94, 0), (240, 228, 66))
OPACITY = 0.45  # of a class over the grey levels


def planes(region):
    """Name -> Box of a plane's middle, a voxel thick, of a region."""
    middle = [first + size // 2 for first, size in zip(region.begin, region.shape, strict=True)]
    boxes = {}
    for number, (name, axes) in enumerate(PLANES.items()):
        shape = [1 if axis not in axes else min(SIDE, size) for axis, size in enumerate(region.shape)]
        begin = [at - size // 2 for at, size in zip(middle, shape, strict=True)]
        begin[number] = middle[number]
        boxes[name] = Box(tuple(begin), tuple(shape))
    return boxes


def write(folder, name, region, raw, store, voxel_size):
    """Write `NAME_z.png`, `NAME_z_labels.png` and so on into FOLDER; returns a list of {"file", "plane", "box"}.

    region      Box
    raw         arrays.Placed
    store       ome_zarr.Store with the segmentation
    voxel_size  (z, y, x) nm: voxels are drawn as wide and high as they are
    """
    pictures = []
    Path(folder).mkdir(parents=True, exist_ok=True)
    for plane, box in planes(region).items():
        down, across = PLANES[plane]
        levels, classes = (
            np.squeeze(found, axis="zyx".index(plane))
            for found in (raw.read(box), store.get(ome_zarr.SEGMENTATION, box))
        )
        grey = _shown(levels)
        for kind, pixels in (("", grey), ("_labels", coloured(grey, classes))):
            file = f"{name}_{plane}{kind}.png"
            with files.whole(Path(folder, file)) as hidden:
                _stretched(pixels, voxel_size[down], voxel_size[across]).save(hidden, "png")
            pictures.append({"file": file, "plane": plane, "labels": bool(kind), "box": box})
    return pictures


def coloured(grey, classes):
    """(Y, X, 3) uint8 of (Y, X, 3) uint8 with classes over it, (Y, X) uint8."""
    colours = np.array([(0, 0, 0), *(COLOURS[number % len(COLOURS)] for number in range(255))], float)
    mixed = (1 - OPACITY) * grey + OPACITY * colours[classes]
    return np.where((classes > 0)[..., None], np.rint(mixed), grey).astype(np.uint8)


def _shown(levels):
    """(Y, X, 3) uint8 of grey levels, from black at the 1st percentile to white at the 99th."""
    low, high = np.percentile(levels, [1, 99])
    scaled = (levels.astype(np.float32) - low) / max(high - low, 1e-6)
    return np.repeat(np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


def _stretched(pixels, down, across):
    """A picture with pixels as high and wide as voxels are, the smaller side of which is one pixel."""
    height, width = pixels.shape[:2]
    least = min(down, across)
    size = round(width * across / least), round(height * down / least)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
