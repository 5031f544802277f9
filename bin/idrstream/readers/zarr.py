"""OME-Zarr 0.4 (Zarr 2) and 0.5 (Zarr 3): multiscale images, of which only the chunks of a window are read."""

from functools import cached_property

import zarr

from idrstream.base.failures import NotReadable
from idrstream.readers import pixel_sizes, zarr_json
from idrstream.readers.image import Image as BaseImage
from idrstream.readers.planes import named
from idrstream.readers.zarr_array import Array
from idrstream.readers.zarr_chunks import Chunks

AXES = "tczyx"
MOST_CHUNKS = 10_000  # of a plane
MOST_LEVELS = 64
GROUPS = {"plate": ("a plate", "B/3/0"), "well": ("a well", "0"), "bioformats2raw.layout": ("a list of images", "0")}


class Image(BaseImage):
    """A multiscale image of a store."""

    def __init__(self, store, name):
        self.name = name
        self._store, self._chunks = store, Chunks(store, name)
        self._multiscale, self._axes, names = self._describe()
        self._arrays = {0: self._array(0)}
        self.axes, self.dtype = self._axes.upper(), self._arrays[0].dtype
        self.shape = tuple(self._size(axis) for axis in AXES)
        self.channels = named(name, self._size("c"), names)

    @cached_property
    def levels(self):
        count = min(len(self._multiscale["datasets"]), MOST_LEVELS)
        levels = [self._level(number).level for number in range(count)]
        other = [self._level(number).shape[:-2] for number in range(count)]
        if len({*other}) > 1:
            raise NotReadable(f"{self.name}: its resolutions differ in more than y and x: {other}.")
        return levels

    @cached_property
    def pixel_size(self):
        steps = [self._multiscale["datasets"][0].get("coordinateTransformations")]
        steps.append(self._multiscale.get("coordinateTransformations"))
        return pixel_sizes.of_zarr(self._multiscale["axes"], steps)

    def _read(self, channel, z, t, level, box):
        array, index = self._level(level), {"t": t, "c": channel, "z": z}
        y0, y1, x0, x1 = box
        window = (*(index[axis] for axis in self._axes[:-2]), slice(y0, y1), slice(x0, x1))
        if array.chunk_count(window) > MOST_CHUNKS:
            raise NotReadable(
                f"{self.name}: a plane is cut into more than {MOST_CHUNKS:,} chunks, {array.chunks[-2:]} pixels each."
            )
        return array.read(window, f"{self.name} frame {t + 1}")

    def _retiling(self):
        return f"ngff-zarr -c 512 -i {self.name} -o tiled.zarr"

    def _level(self, number):
        """The Array of a resolution."""
        if number not in self._arrays:
            self._arrays[number] = self._array(number)
        return self._arrays[number]

    def _array(self, number):
        path = self._path(self._multiscale["datasets"][number])
        kind = ".zarray" if self._zarr_2 else "zarr.json"
        description = self._json(f"{path}/{kind}".lstrip("/"))
        description = {"zarr_format": 2} | description if self._zarr_2 else description
        return Array(zarr.storage.StorePath(self._chunks, path), description, self._axes, self.name)

    def _path(self, dataset):
        """Where in the store a resolution lies."""
        try:
            return zarr_json.inside(dataset["path"], self.name)
        except (KeyError, TypeError, AttributeError):
            raise self._no_image() from None

    def _describe(self):
        """(multiscales, axes, names of channels) of the image."""
        self._zarr_2 = self._store.get(".zattrs") is not None
        if self._zarr_2:
            attributes = self._json(".zattrs")
        else:
            attributes = self._json("zarr.json")
            for name in "attributes", "ome":
                attributes = attributes.get(name)
                attributes = attributes if isinstance(attributes, dict) else {}
        for kind, (what, within) in GROUPS.items():
            if kind in attributes and "multiscales" not in attributes:
                raise NotReadable(f"{self.name}: this is {what}; name an image in it, such as {self.name}/{within}.")
        try:
            multiscale = attributes["multiscales"][0]
            multiscale["datasets"][0]["path"].split("/")
            self._check_version(multiscale.get("version", attributes.get("version")), multiscale.get("axes"))
            axes = "".join(axis["name"] for axis in multiscale["axes"])
        except (KeyError, IndexError, TypeError, AttributeError):
            raise self._no_image() from None
        if axes != "".join(axis for axis in AXES if axis in axes) or not axes.endswith("yx"):
            raise NotReadable(f"{self.name}: its axes are {axes!r}; some of {AXES!r} in this order, with yx, are read.")
        return multiscale, axes, _channel_names(attributes)

    def _no_image(self):
        return NotReadable(f"{self.name}: this is no OME-Zarr image of version 0.4 or 0.5: it lacks its multiscales.")

    def _check_version(self, version, axes):
        """Raise NotReadable for the versions before 0.4, whose axes are a list of letters (0.3), or tczyx unsaid."""
        letters = isinstance(axes, list) and axes and all(isinstance(axis, str) for axis in axes)
        if (axes is None or letters) and version not in ("0.4", "0.5"):
            version = version or ("0.3" if axes else "0.1 or 0.2")
            raise NotReadable(f"{self.name}: this is OME-Zarr {version}; convert it to 0.4 or 0.5, which are read.")

    def _json(self, key):
        return zarr_json.parsed(self._store.get(key), key, self.name)

    def _size(self, axis):
        return self._arrays[0].shape[self._axes.index(axis)] if axis in self._axes else 1


def _channel_names(attributes):
    """The names of the channels in OMERO's settings: a list of any values."""
    settings = attributes.get("omero")
    channels = settings.get("channels") if isinstance(settings, dict) else None
    channels = channels if isinstance(channels, list) else []
    return [channel.get("label") if isinstance(channel, dict) else None for channel in channels]
