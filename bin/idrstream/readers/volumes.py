"""Volumes in containers of many arrays, Zarr 2, Zarr 3, OME-Zarr and N5: boxes, of which only their chunks are read."""

import json
import os
from contextlib import suppress

import zarr

from idrstream.base.failures import MissingWell, NoSuchArray, NotReadable
from idrstream.readers import n5, voxels, zarr_json
from idrstream.readers.zarr_array import NUMBERS, Array
from idrstream.readers.zarr_chunks import Chunks

KINDS = NUMBERS + "b"  # of voxels: masks may be of bool
MOST_CHUNKS = 1_000_000  # of a box
MOST_FOLDERS = 2_000  # of a container that are looked into for the arrays there are
LISTED = 12  # arrays in a message
DESCRIPTIONS = (".zarray", "zarr.json", "attributes.json", ".zattrs")  # of Zarr 2, Zarr 3, N5, and OME-Zarr 0.4


class Container:
    """A folder of arrays, near or far, each of which may be of any of the formats: what lies there decides."""

    def __init__(self, name, opened, folder=None):
        """
        name    what messages call it
        opened  opened(path) is the store of a folder in it, a `sources.store.Store`
        folder  its path on this machine, if it is there
        """
        self.name = name
        self._opened, self._folder = opened, folder

    def volume(self, path):
        """The Volume at a path, which may be that of an OME-Zarr image: then it is its highest resolution.

        Raises NoSuchArray if there is none, with those there are where that can be seen; MissingWell if there is no
        container; NotReadable for an array that is no volume; Unreachable.
        """
        path = zarr_json.inside(path, self.name)
        name = f"{self.name}/{path}".rstrip("/")
        store = self._opened(path)
        found = _described(store, name)
        if found is None:
            raise self._missing(path)
        key, description = found
        if key == "attributes.json":
            blocks = n5.Blocks(store, description, name)
            return Volume(name, store, blocks, "", blocks.description, voxels.of_n5(description, name))
        if not _is_array(key, description):
            return self._first_resolution(path, name, key, description)
        volume = _of_zarr(name, store, key, description)
        return volume if volume.resolution else self._placed_by_image(volume, path)

    def arrays(self):
        """The paths of its arrays, of a container on this machine; None where they cannot be listed."""
        if self._folder is None:
            return None
        paths = []
        for count, (folder, folders, names) in enumerate(os.walk(self._folder)):
            if count > MOST_FOLDERS:
                break
            folders.sort()
            if any(_names_array(os.path.join(folder, key)) for key in DESCRIPTIONS[:3] if key in names):
                paths.append(os.path.relpath(folder, self._folder))
                folders.clear()  # below it are chunks
        return paths

    def _first_resolution(self, path, name, key, description):
        """The Volume of an OME-Zarr image, which the DESCRIPTION of a group should be."""
        multiscale = _multiscale(key, description)
        if multiscale is None:
            raise NotReadable(f"{name}: this is a group, neither an array nor an OME-Zarr image (0.4, 0.5).")
        place = _place_in(multiscale, 0, name)
        within = f"{path}/{zarr_json.inside(multiscale['datasets'][0]['path'], name)}".lstrip("/")
        store = self._opened(within)
        found = _described(store, name)
        if found is None or not _is_array(*found):
            raise NotReadable(f"{name}: there is no array at {within}, where it states its highest resolution.")
        return _of_zarr(name, store, *found, place)

    def _placed_by_image(self, volume, path):
        """A Volume whose attributes place it nowhere, placed by the OME-Zarr image of which it is a resolution."""
        above, _, last = path.rpartition("/")
        found = _described(self._opened(above), volume.name)
        multiscale = _multiscale(*found) if found and not _is_array(*found) else None
        paths = [dataset.get("path") for dataset in multiscale["datasets"]] if multiscale else []
        if last in paths:
            volume.resolution, volume.offset = _place_in(multiscale, paths.index(last), volume.name)
        return volume

    def _missing(self, path):
        """The failure of an array that is not there."""
        if self._folder is not None and not os.path.isdir(self._folder):
            return MissingWell(f"{self.name}: there is no such folder.")
        paths = self.arrays()
        if paths is None:
            return NoSuchArray(f"{self.name}: there is no array {path} (neither Zarr, OME-Zarr nor N5).")
        more = ", ..." * (len(paths) > LISTED)
        there = f"there are {', '.join(paths[:LISTED])}{more}" if paths else "there is none at all"
        return NoSuchArray(f"{self.name}: there is no array {path}; {there}.")


class Volume:
    """An array of voxels.

    name        what messages call it
    shape       (z, y, x) voxels; further axes before them have length 1
    dtype       in this machine's byte order
    chunks      (z, y, x) voxels that are stored, and read, as one
    resolution  (z, y, x) nanometres of a voxel; None if unstated
    offset      (z, y, x) nanometres where it begins; None if unstated
    version     text that changes when it is written to; None if nobody states one
    """

    def __init__(self, name, store, files, path, description, place):
        """
        store        counts what it costs: `bytes`, `requests`
        files        has the chunks: the store, or `n5.Blocks` of it
        path         of the array in it
        description  of Zarr, with its zarr_format
        place        voxels.Placement
        """
        self.name, self.store = name, store
        self.resolution, self.offset = place
        shape = description.get("shape")
        count = len(shape) if isinstance(shape, list) else 0
        if count < 3:
            raise NotReadable(f"{name}: this is no volume; its shape is {shape}, and three axes are needed, z, y, x.")
        axes = "." * (count - 3) + "zyx"
        self._array = Array(zarr.storage.StorePath(Chunks(files, name), path), description, axes, name, KINDS)
        self._before = (0,) * (count - 3)
        if min(self._array.shape) < 1 or any(size != 1 for size in self._array.shape[:-3]):
            raise NotReadable(f"{name}: this is no volume of one channel and time; its shape is {shape}.")
        self.shape, self.chunks, self.dtype = self._array.shape[-3:], self._array.chunks[-3:], self._array.dtype
        self._absent = set()

    @property
    def version(self):
        return self.store.version

    @property
    def unwritten(self):
        """How many chunks were read that were never written: they hold the fill value that the array states."""
        return len(self._absent)

    def read(self, box):
        """(z, y, x) voxels of a box inside the array, as stored; each chunk that it meets is fetched once.

        box  has `begin` and `shape`, in voxels of the array

        Raises IndexError for a box that is not inside, UnwrittenFrame where chunks were never written and no fill value
        is stated, Truncated or NotReadable with the chunk that does not decode, Unreachable.
        """
        if not all(0 <= b < b + s <= whole for b, s, whole in zip(box.begin, box.shape, self.shape, strict=True)):
            raise IndexError(f"{self.name}: its shape is {self.shape}; this box is not inside: {box}")
        window = self._before + tuple(slice(b, b + s) for b, s in zip(box.begin, box.shape, strict=True))
        if self._array.chunk_count(window) > MOST_CHUNKS:
            raise NotReadable(
                f"{self.name}: {box} is cut into more than {MOST_CHUNKS:,} chunks, {self.chunks} voxels each."
            )
        array, parts = self._array.filled(window, self.name)
        for part in parts:
            corner = [b + cut.start for b, cut in zip(box.begin, part, strict=True)]
            self._absent.add(tuple(place // size for place, size in zip(corner, self.chunks, strict=True)))
        return array


def _described(store, name):
    """(name of the file, its content) of what describes what lies in a folder; None if nothing does."""
    refused = None
    for key in DESCRIPTIONS:
        try:
            content = store.get(key)
        except NotReadable as failure:  # how some archives answer for objects that they do not have
            refused = failure
            continue
        if content is not None:
            description = zarr_json.parsed(content, key, name)
            if key != "attributes.json" or n5.is_array(description):  # groups of N5 have one as well
                return key, description
    if refused:
        raise refused
    return None


def _is_array(key, description):
    return key == ".zarray" or (key == "zarr.json" and description.get("node_type") == "array")


def _names_array(path):
    """Whether a file on this machine describes an array."""
    key = os.path.basename(path)
    if key == ".zarray":
        return True
    with suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        description = json.load(file)
        return isinstance(description, dict) and (_is_array(key, description) or n5.is_array(description))
    return False


def _of_zarr(name, store, key, description, place=None):
    """The Volume of a Zarr array; PLACE: where the attributes of its image place it, instead of its own."""
    if key == ".zarray":
        description = {"zarr_format": 2} | description
        content = None if place else store.get(".zattrs")
        attributes = {} if content is None else zarr_json.parsed(content, ".zattrs", name)
    else:
        attributes = description.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        _check_order(description.get("dimension_names"), name)
    return Volume(name, store, store, "", description, place or voxels.of_attributes(attributes, name))


def _check_order(names, name):
    """Raise NotReadable for names of axes (Zarr 3) that are others than z, y, x, or in another order."""
    last = [str(axis).lower() for axis in names[-3:]] if isinstance(names, list) and None not in names else []
    if set(last) & set(voxels.AXES) and last != [*voxels.AXES]:
        raise NotReadable(f"{name}: its axes are {names}; volumes whose last three are z, y, x are read.")


def _place_in(multiscale, number, name):
    """The Placement of a resolution of an OME-Zarr image. Raises NotReadable where its last axes are not z, y, x."""
    axes = [axis["name"] for axis in multiscale["axes"]]
    if axes[-3:] != [*voxels.AXES]:
        raise NotReadable(f"{name}: its axes are {axes}; volumes whose last three are z, y, x are read.")
    return voxels.of_multiscale(multiscale, number, name)


def _multiscale(key, description):
    """The first multiscale of what describes a group; None if it has none that is usable."""
    attributes = description
    for part in ("attributes", "ome") if key == "zarr.json" else ():
        attributes = attributes.get(part)
        attributes = attributes if isinstance(attributes, dict) else {}
    with suppress(KeyError, IndexError, TypeError, AttributeError):
        multiscale = attributes["multiscales"][0]
        names = [axis["name"] for axis in multiscale["axes"]]
        paths = [dataset["path"].split("/") for dataset in multiscale["datasets"]]
        return multiscale if names and paths else None
    return None
