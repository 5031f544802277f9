"""A slide of an output folder as layers of napari: read as it is looked at, each object with its row of the table."""

import os.path
import threading
from pathlib import Path

import numpy as np

from idrstream.base import files, tables
from idrstream.base.failures import ImageFailure
from idrstream.tissue import opening, outcome, tiles
from idrstream.tissue.tables import naming
from idrstream.tissue.tables.slide import Column, standing

COLORMAPS = "blue", "green", "red", "cyan", "magenta", "yellow"
LABELS = "nuclei", "cells"  # label images of a store; cells lie above nuclei
ENDS = 1, 99.8  # percentiles of the coarsest level that are black and full colour


class Slide:
    """A slide of an output folder.

    channels  number -> {"name", "file", "channel", "frame"} of its channels

    Raises Problems, with the slides there are, where it is not one of them.
    """

    def __init__(self, outdir, name):
        self._folder = Path(outdir, outcome.FOLDER, name)
        if not (self._folder / "slide.json").exists():
            existing = sorted(path.parent.name for path in Path(outdir, outcome.FOLDER).glob("*/slide.json"))
            there = ", ".join(existing[:8]) + (", ..." if len(existing) > 8 else "")
            raise tables.Problems([f"{outdir}: no slide {name}; it has {there or 'none'}"])
        self._record = files.read_json(self._folder / "slide.json")
        every = [*self._record["membrane"], *self._record["nuclear"], *self._record["measured"]]  # names of the tables
        self.channels = {channel["number"]: channel for channel in every}

    def chosen(self, names):
        """Numbers of the channels of these NAMES; of those of the nuclei if there are none. Raises Problems."""
        if not names:
            return [channel["number"] for channel in self._record["nuclear"]]
        numbers = {channel["name"]: number for number, channel in self.channels.items()}
        if unknown := [name for name in names if name not in numbers]:
            existing = ", ".join(name for name in numbers if name)
            raise tables.Problems([f"no channel {name}; the slide has {existing}" for name in unknown])
        return [numbers[name] for name in names]

    def layers(self, chosen, images, opened):
        """The layers of a slide.

        chosen   numbers of channels
        images   its files, if they are no longer where they were
        opened   an ExitStack, which keeps them open
        returns  (layers, notes): list of napari's (data, options, kind): pyramids of the channels and of nuclei and
                 cells, with the rows of the table as `features`. And what is missing, a sentence each
        """
        layers, notes = [], []
        try:
            layers += self._images(chosen, (list(images) or self._record["image"]) + self._planes, opened)
        except (ImageFailure, OSError) as failure:
            notes.append(f"the slide is not shown; --image names its file: {failure}")
        store = self._folder / f"{self._folder.name}.zarr"
        if store.exists():
            layers += self._labels(store, chosen)
        else:
            notes.append("its labels were not kept as a store; --outputs with spatialdata keeps them")
        return layers, notes

    @property
    def _scale(self):
        size = self._record["pixel_size"]
        return (size["y"], size["x"]) if size else (1.0, 1.0)

    @property
    def _planes(self):
        """The NPZ file of what networks saw, the last of the slide's files."""
        npz = self._record.get("npz")
        return [npz["location"]] if npz else []

    def _images(self, chosen, locations, opened):
        places = [location if "://" in location else os.path.abspath(location) for location in locations]
        images = {}
        for number in sorted({self.channels[each]["file"] for each in chosen}):
            _, images[number] = opened.enter_context(opening.image(places[number], {}))
        lock = threading.Lock()
        for index, number in enumerate(chosen):
            channel = self.channels[number]
            image = images[channel["file"]]
            levels = [Plane(image, channel, level, lock) for level in range(len(image.levels))]
            options = {"name": channel["name"] or f"channel {number}", "scale": self._scale}
            options |= {"colormap": COLORMAPS[index % len(COLORMAPS)], "blending": "additive"}
            options |= {"contrast_limits": _limits(levels[-1])}
            yield _pyramid(levels), options | {"multiscale": len(levels) > 1}, "image"

    def _labels(self, store, chosen):
        import zarr

        rows = self._rows(chosen)
        corner = tiles.corner(self._record)
        shift = [first * edge for first, edge in zip(corner, self._scale, strict=True)]
        for name in LABELS:
            if not (store / "labels" / name).exists():
                continue
            group = zarr.open_group(store / "labels" / name, mode="r")
            levels = [group[level] for level in sorted(group.array_keys(), key=lambda level: int(level[1:]))]
            options = {"name": name, "scale": self._scale, "translate": shift, "opacity": 0.7}
            options |= {"multiscale": len(levels) > 1}
            yield _pyramid(levels), options | ({} if rows is None else {"features": rows}), "labels"

    def _rows(self, chosen):
        """DataFrame of the objects: metadata, shapes, and the means of the channels that are shown; None without it."""
        import pyarrow.parquet as pq

        path = self._folder / "cells.parquet"
        if not path.exists():
            return None
        there, wanted = pq.read_schema(path).names, set(self._named(chosen))
        shown = [name for name in there if name.startswith("Metadata_") or name in wanted]
        rows = pq.read_table(path, columns=shown).to_pandas()
        return rows.assign(index=rows["Metadata_Label"])

    def _named(self, chosen):
        """Names of the columns of shapes, and of the means of channels in nuclei and cells."""
        record, places = self._record, [c["number"] for c in self._record["measured"]]
        columns = [Column("shape", shape, part) for part in ("nucleus", "cell") for shape in naming.SHAPES]
        columns += [Column("ratio", "nucleus_cell_area_ratio")]
        shown = [places.index(number) for number in chosen if number in places]
        columns += [Column("intensity", "mean", part, place) for place in shown for part in ("nucleus", "cell")]
        channels, unit = [channel["name"] for channel in record["measured"]], "µm" if record["pixel_size"] else "px"
        compartment = standing(record["compartments"], record["cells_from"] != "none")
        return naming.names(columns, channels, unit, record["names"], compartment)


class Plane:
    """A resolution of a channel of an image, an array to napari, read as it is sliced.

    lock  of all that read the same files, for napari slices in threads
    """

    ndim = 2

    def __init__(self, image, channel, level, lock):
        self.shape, self.dtype = image.levels[level].shape, image.dtype
        self.size = self.shape[0] * self.shape[1]
        self._image, self._level, self._lock = image, level, lock
        self._place = channel["channel"], 0, channel["frame"]

    def __getitem__(self, key):
        rows, columns = (slice(*part.indices(side)) for part, side in zip(key, self.shape, strict=True))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return np.empty((0, 0), self.dtype)
        box = rows.start, rows.stop, columns.start, columns.stop
        with self._lock:
            pixels = self._image.window(*self._place, self._level, *box)
        return np.ma.getdata(pixels)[:: rows.step, :: columns.step]

    def __array__(self, dtype=None, copy=None):
        return self[:, :].astype(dtype or self.dtype)


def _pyramid(levels):
    """LEVELS as napari takes them: of several a list, of one itself."""
    return levels if len(levels) > 1 else levels[0]


def _limits(plane):
    """(black, full colour) of a channel, by its coarsest level."""
    low, high = np.nanpercentile(np.asarray(plane), ENDS)
    return float(low), float(max(high, low + 1e-6))
