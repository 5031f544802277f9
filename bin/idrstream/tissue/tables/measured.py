"""What MEASURE left of a slide, in the order of labels: a chunk of objects in memory at a time. Needs pyarrow."""

import itertools
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from idrstream.base import files
from idrstream.tissue.tables.slide import Column

VALUES = 8_000_000  # of a chunk: 64 MB, and about 300 MB as text
STEP = 8192  # objects: a chunk has so many, or up to MOST times as many; the arrays of files are cut likewise
MOST = 8


class Chunk:
    """Objects whose labels follow each other.

    start     how many objects come before them
    labels    (n,) uint32, ascending
    objects   (n,) the structured array of MEASURE
    values    (n, p) float64, NaN where there is nothing to measure
    outlines  list of n lines of GeoJSON, as bytes; empty if nobody wants them
    """

    def __init__(self, start, labels, objects, values, outlines):
        self.start, self.labels, self.objects, self.values, self.outlines = start, labels, objects, values, outlines
        self._texts, self._ids = {}, []

    def __len__(self):
        return len(self.labels)

    @property
    def rows(self):
        return slice(self.start, self.start + len(self))

    @cached_property
    def has_nucleus(self):
        return self.objects["nucleus_pixels"] > 0

    @cached_property
    def has_cell(self):
        return self.objects["cell_pixels"] > 0

    def ids(self, slide):
        """Names of the objects, the same in all files: list of n."""
        if not self._ids:
            self._ids = [slide.id(label) for label in self.labels.tolist()]
        return self._ids

    def column(self, number):
        """Values of a column, null where there is nothing to measure."""
        return pa.array(self.values[:, number], from_pandas=True)

    def text(self, number):
        """The same as text: the shortest that reads back to the same value."""
        if number not in self._texts:
            self._texts[number] = pc.cast(self.column(number), pa.string())
        return self._texts[number]

    def centres(self, slide, kind=""):
        """(y, x) of the objects' centroids, an array each, in pixels of the whole slide; its corner is (0, 0).

        kind  "_nucleus" for the centroids of nuclei
        """
        return [self.objects[axis + kind] + first for axis, first in zip("yx", slide.origin, strict=True)]

    def places(self, slide):
        """The same of the objects in the slide's unit: µm, if the size of a pixel is known."""
        return [centre * edge for centre, edge in zip(self.centres(slide), slide.scale, strict=True)]


class Measured:
    """The folders that MEASURE left of a slide.

    columns  list of Column
    labels   (n,) uint32 of all objects, ascending

    Raises RuntimeError if an object was measured twice, or groups differ in their columns.
    """

    def __init__(self, folders):
        self._folders = sorted(map(Path, folders))
        columns = [files.read_json(folder / "columns.json") for folder in self._folders]
        if any(other != columns[0] for other in columns):
            raise RuntimeError("groups of the slide were measured with different columns")
        self.columns = [Column(**column) for column in columns[0]]
        self._labels = [np.load(folder / "labels.npy") for folder in self._folders]
        self._objects, self._values = (
            [_Rows(folder / f"{name}.npy") for folder in self._folders] for name in ("objects", "values")
        )
        self.labels = np.sort(np.concatenate(self._labels))
        if (self.labels[1:] == self.labels[:-1]).any():
            raise RuntimeError("an object of the slide was measured by two groups")

    def count(self, chosen):
        """How many objects are CHOSEN by a function of their structured array that returns (n,) bool."""
        parts = (objects[part] for objects in self._objects for part in objects.parts())
        return sum(int(np.count_nonzero(chosen(part))) for part in parts)

    def chunks(self, outlines=False):
        """Iterate over Chunks, with their OUTLINES if wanted; a slide without objects has an empty one."""
        rows = STEP * min(MOST, max(1, VALUES // STEP // max(1, len(self.columns))))
        begun = [0] * len(self._folders)
        with ExitStack() as stack:
            lines = [stack.enter_context(open(f / "outlines.jsonl", "rb")) for f in self._folders] if outlines else []
            for start in range(0, max(1, len(self.labels)), rows):
                labels = self.labels[start : start + rows]
                ended = [int(np.searchsorted(own, labels[-1], "right")) if len(labels) else 0 for own in self._labels]
                yield self._chunk(start, labels, list(map(slice, begun, ended)), lines)
                begun = ended

    def _chunk(self, start, labels, parts, lines):
        """The objects of LABELS, which are those of a part of every folder's."""
        order = np.argsort(_joined(self._labels, parts))
        objects, values = (_joined(arrays, parts)[order] for arrays in (self._objects, self._values))
        sizes = [part.stop - part.start for part in parts] if lines else []
        read = [line for file, size in zip(lines, sizes, strict=True) for line in itertools.islice(file, size)]
        return Chunk(start, labels, objects, values, [read[place] for place in order] if lines else [])


class _Rows:
    """The rows of an array in a file of numpy, in either order, read as they are sliced.

    The file is mapped for no longer than that: the pages of one that stays mapped count as memory that is taken.
    """

    def __init__(self, path):
        self._path = path
        self._count = len(np.load(path, mmap_mode="r"))

    def __getitem__(self, part):
        return np.array(np.load(self._path, mmap_mode="r")[part])

    def parts(self):
        """Slices that cover the rows."""
        return [slice(start, start + STEP) for start in range(0, self._count, STEP)]


def _joined(arrays, parts):
    """The PARTS of arrays one after the other. Files without any are not opened, but for one, which has the type."""
    pairs = list(zip(arrays, parts, strict=True))
    some = [pair for pair in pairs if pair[1].stop > pair[1].start] or pairs[:1]
    return np.concatenate([array[part] for array, part in some])
