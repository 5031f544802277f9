"""The arrays of a region as OME-Zarr 0.5, (z, y, x) uint8 in shards, a file each, of which every task writes its own.

The shards bear their final names from the first. The metadata that make an image of them come last, when all are
there: no one sees half a volume.
"""

import itertools
import json
from pathlib import Path

import zarr
from zarr.storage import LocalStore, MemoryStore, StorePath

from idrstream.base import files
from idrstream.base.failures import Truncated
from idrstream.volume.grid import CHUNK
from idrstream.volume.results import METADATA

VERSION = "0.5"
LABELS = "labels"
SEGMENTATION = f"{LABELS}/segmentation"
LEVEL = "s0"
COMPRESSION = 3  # of Zstandard


def probability(number):
    """Path of the probabilities of a class in the store."""
    return f"probability/class_{number}"


class Store:
    """A store of a region's arrays; their metadata need not be there.

    path    folder of the store
    region  Box of its voxels in the world
    shard   edge of its shards
    """

    def __init__(self, path, region, shard):
        self.path, self.region, self._shard = Path(path), region, (shard,) * 3

    def put(self, name, box, voxels):
        """Write (z, y, x) uint8 VOXELS of a BOX of whole shards to the array at the path NAME in the store."""
        array = self._array(name).with_config({"write_empty_chunks": True})  # of zeros too there is a file
        for part in box.parts(self._shard):  # one in memory as it is written
            array[part.within(self.region)] = voxels[part.within(box)]

    def get(self, name, box):
        """(z, y, x) uint8 of a BOX. Raises Truncated where a shard is not there, which zarr would take for zeros."""
        array = self._array(name)
        place = box.within(self.region)
        met = (range(side.start // edge, -(-side.stop // edge)) for side, edge in zip(place, self._shard, strict=True))
        for numbers in itertools.product(*met):  # a volume may have 100,000 others
            key = "/".join(map(str, numbers))
            if not (self.path / name / LEVEL / "c" / key).exists():
                raise Truncated(f"{self.path.name}/{name}: shard {key} is missing.")
        return array[place]

    def describe(self, names, voxel_size):
        """Write the metadata of the arrays at the paths NAMES, and of the groups around them.

        voxel_size  (z, y, x) nanometres
        """
        groups = {Path()} | {above for name in names for above in Path(name).parents}
        for group in groups - {Path(name) for name in names}:
            labels = [Path(name).name for name in names if Path(name).parent == group]
            self._write(group, {"ome": {"version": VERSION, "labels": labels}} if group == Path(LABELS) else {})
        for name in names:
            self._write(name, {"ome": self._image(name, voxel_size)})
            text = json.dumps(self._metadata(), indent=2)
            files.write_text(self.path / name / LEVEL / METADATA, text)

    def _array(self, name):
        return zarr.Array.from_dict(StorePath(LocalStore(self.path / name / LEVEL)), self._metadata())

    def _metadata(self):
        """Of an array, as zarr writes them."""
        array = zarr.create_array(
            MemoryStore(),
            shape=self.region.shape,
            dtype="uint8",
            chunks=(CHUNK,) * 3,
            shards=self._shard,
            fill_value=0,
            compressors=zarr.codecs.ZstdCodec(level=COMPRESSION),
            dimension_names=("z", "y", "x"),
        )
        return array.metadata.to_dict()

    def _write(self, group, attributes):
        content = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
        files.write_text(self.path / group / METADATA, json.dumps(content, indent=2))

    def _image(self, name, voxel_size):
        """The metadata of an image: voxels begin where those of the region do."""
        begin = [float(first * size) for first, size in zip(self.region.begin, voxel_size, strict=True)]
        placed = [{"type": "scale", "scale": [*map(float, voxel_size)]}, {"type": "translation", "translation": begin}]
        scales = {
            "name": Path(name).name,
            "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
            "datasets": [{"path": LEVEL, "coordinateTransformations": placed}],
        }
        return {"version": VERSION, "multiscales": [scales]} | ({"image-label": {}} if name.startswith(LABELS) else {})
