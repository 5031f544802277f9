"""ASSEMBLE: the labels of a slide out of those of its tiles, as the files that people keep."""

from pathlib import Path

import numpy as np

from idrstream.tissue import arrays, labelling, numbering, overlays, steps, store, tiff

NAME = "nuclei"  # of the label image


class Found:
    """What the steps left of a slide.

    numbers  steps.Numbers
    tile     function of one of its tiles that returns (Y, X) uint32 labels
    first    (n,) int64 the first pixel of every nucleus, y * width of the slide + x
    """

    def __init__(self, packet, folders, numbers):
        self.packet, self.shape, self.side = packet, tuple(packet["size"]), packet["tile"]
        self.pixel_size = packet["pixel_size"] and (packet["pixel_size"]["y"], packet["pixel_size"]["x"])
        self.origin = (packet["region"] or (0, 0))[:2]
        self.numbers = arrays.read(Path(numbers, steps.NUMBERS), steps.Numbers)
        folders = [folder for folder in folders if Path(folder).is_dir()]
        self.tile = steps.Labels(folders, self.numbers)
        parts = [arrays.read(path, labelling.Part) for folder in folders for path in Path(folder).glob("*.part.npz")]
        first, _ = numbering.facts(len(self.numbers.labels) - 1, parts)
        self.first = np.sort(first[self.numbers.labels > 0])


def labels(folder, found):
    """Write SLIDE.zarr and nuclei.ome.tif into FOLDER; returns the label image, (Y, X), read as it is sliced."""
    path = Path(folder, f"{found.packet['slide']}.zarr")
    store.write(path, NAME, found.tile, found.shape, found.side, found.pixel_size, found.origin)
    levels = [store.read(path, NAME, number) for number in range(len(store.pyramid(found.shape)))]
    tiff.write(Path(folder, f"{NAME}.ome.tif"), NAME, levels, found.pixel_size, found.packet["identity"])
    return levels[0]


def pictures(folder, found, image, labels):
    """Write the overlays into FOLDER; returns a list of {"file", "box"}. Arguments as of overlays.write."""
    boxes = overlays.places(found.first, found.shape)
    names = overlays.write(folder, boxes, image, labels)
    return [{"file": name, "box": list(box)} for name, box in zip(names, boxes, strict=True)]
