"""The volumes that a data JSON names: its entries, compared with the arrays that they name, every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from idrstream import sources
from idrstream.base.failures import ImageFailure, MissingWell, Unreachable
from idrstream.readers.volumes import Volume
from idrstream.sources import staged
from idrstream.volume import data_file, opening
from idrstream.volume.box import Box
from idrstream.volume.data_file import Item

AXES = "zyx"
RELATIVE = "correct it, or --data_dir, which it is relative to"
CLOSE = 1e-3  # of a voxel, or of its size: nothing differs
REDUCED = [2**power for power in range(8)]  # voxels of the highest resolution in one of a pyramid's, along an axis
RAW_TYPES = ("uint8", "uint16", "float32")
LABELS, MASKS = "label", "mask"  # what an array that ends within the region is, and what is said of that
BEYOND = {
    LABELS: "those are unknown: neither scored nor background",
    MASKS: "there nothing is masked out, as where no mask is named",
}


@dataclass
class Source:
    """An array of an entry.

    path      in the container
    box       Box, in world voxels
    dtype     name of its type, such as "uint8"
    chunks    (z, y, x) voxels
    class_id  of labels, from 1; None otherwise
    """

    path: str
    box: Box
    dtype: str
    chunks: tuple[int, int, int]
    class_id: int | None = None


@dataclass
class Entry:
    """A region of a volume, as it is worked on. World voxels are `voxel_size` large and counted from 0 nanometres.

    name          what its results are called
    line          of the file; entries that differ in it, or in notes, are the same
    location      of the container: an absolute path or an address
    roi           the region, a Box in world voxels, which lies within the raw
    voxel_size    (z, y, x) nanometres
    labels        one a class; beyond the box of any of them voxels are unknown
    mask          of the sample; None: all of it. Beyond its box nothing is masked out
    metric_masks  of what is scored; beyond their boxes everything is
    notes         sentences that are no faults
    versions      "path version" of each array, where somebody states one
    """

    name: str
    line: int = field(compare=False)
    location: str
    roi: Box
    voxel_size: tuple[float, float, float]
    raw: Source
    labels: list[Source]
    mask: Source | None
    metric_masks: list[Source]
    notes: list[str] = field(default_factory=list, compare=False)
    versions: list[str] = field(default_factory=list)

    def folders(self) -> list[str]:
        """The local folders that tasks need; none for an address."""
        return staged.folders([self.location])


def read(
    path: Path,
    data_dir: str,
    places: Mapping[str, str] | None = None,
    label_offset: Sequence[float] | None = None,
    compared: bool = False,
    labels_needed: bool = False,
) -> tuple[list[Entry], list[str]]:
    """The entries of a data JSON, and every fault of it and of what it names, a sentence each.

    data_dir       what a relative `file` is relative to: an absolute path, or an address
    places         local folder -> its path in this task (`staged.places`)
    label_offset   (z, y, x) nanometres where labels begin, instead of what they state
    compared       whether entries with labels are compared with them: those of all classes must meet in the region
    labels_needed  whether an entry without labels is a fault; then all are compared

    Entries with a fault are left out. A server that does not answer is a fault of each entry on it.
    """
    items, faults = data_file.read(path, data_dir)
    opened = _Opened(places or {})
    entries = []
    for item in items:
        check = _Check(item, opened, label_offset)
        entry = check.entry(compared, labels_needed)
        faults += [data_file.said(path, item.name, item.line, what) for what in check.faults]
        entries += [entry] if entry else []
    return entries, faults + _sizes(path, items)


class _Opened:
    """The volumes of containers, each opened once; a container that cannot be reached is tried once."""

    def __init__(self, places: Mapping[str, str]):
        self._places = places
        self._volumes: dict[tuple[str, str], Volume] = {}
        self._unreachable: dict[str, Unreachable] = {}

    def volume(self, location: str, path: str) -> Volume:
        if location in self._unreachable:
            raise self._unreachable[location]
        if (location, path) not in self._volumes:
            try:
                self._volumes[location, path] = opening.container(location, self._places).volume(path)
            except Unreachable as failure:
                self._unreachable[location] = failure
                raise
        return self._volumes[location, path]


class _Check:
    """One entry against its arrays; `faults` and `notes` are collected."""

    def __init__(self, item: Item, opened: _Opened, label_offset: Sequence[float] | None):
        self._item, self._opened, self._label_offset = item, opened, label_offset
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.versions: list[str] = []

    def entry(self, compared: bool, labels_needed: bool) -> Entry | None:
        """The Entry; None if anything is wrong."""
        item = self._item
        raw = self._source(item.raw, RAW_TYPES)
        labels = [
            self._source(path, class_id=number, offset=self._label_offset) for path, number in item.labels.items()
        ]
        labels.sort(key=lambda source: source.class_id if source else 0)
        mask = self._source(item.mask) if item.mask else None
        metric_masks = [self._source(path) for path in item.metric_masks]
        if raw:
            self._compare_region(raw)
            for source in filter(None, labels):
                self._compare_with_raw(source, raw)
        for source in filter(None, labels):
            self._compare_cover(source, LABELS)
        for source in filter(None, [mask, *metric_masks]):
            self._compare_cover(source, MASKS)
        for source in filter(None, metric_masks if self._label_offset else []):
            self.notes.append(
                f"{source.path} ({source.box}) lies where it says, not where --label_offset puts the labels"
            )
        if labels_needed and not labels:
            self.faults.append('it has no labels to compare with; add such as "labels": {"volumes/labels/mito": 1}')
        elif compared and not labels:
            self.notes.append("it has no labels, so it is not compared")
        elif (compared or labels_needed) and raw and raw.box.contains(item.roi):  # else the region is wrong
            self._need_common(labels)
        if self.faults:
            return None
        place = item.name, item.line, item.location, item.roi, item.voxel_size
        return Entry(*place, raw, labels, mask, metric_masks, self.notes, self.versions)

    def _source(self, path, types=None, class_id=None, offset=None) -> Source | None:
        """The Source of an array, TYPES being those it may have (None: any integers, and bool)."""
        volume = self._volume(path)
        if volume is None:
            return None
        before = len(self.faults)
        countable = volume.dtype.kind in "uib"
        if types and volume.dtype.name not in types:
            self.faults.append(
                f"the voxels of {path} are {volume.dtype.name}; save them as uint8, uint16 or float32 (from 0 to 1)"
            )
        elif types is None and not countable:
            self.faults.append(
                f"the voxels of {path} are {volume.dtype.name}; labels and masks must be integers or bool"
            )
        elif volume.dtype.kind == "f":
            self.notes.append(f"the voxels of {path} are {volume.dtype.name}; they are taken to be from 0 to 1")
        begin = self._begin(path, volume, volume.offset if offset is None else tuple(offset))
        if len(self.faults) > before:
            return None
        if version := volume.version:
            self.versions.append(f"{path} {version}")
        return Source(path, Box(begin, volume.shape), volume.dtype.name, volume.chunks, class_id)

    def _volume(self, path: str) -> Volume | None:
        location = self._item.location
        try:
            return self._opened.volume(location, path)
        except MissingWell:
            what = f'"file": there is no folder {location}; {RELATIVE}'
        except ImageFailure as failure:
            what = str(failure).removesuffix(".")
            if isinstance(failure, Unreachable):
                remedy = "check the address and whether the server answers, then run again"
                near = f"there is no folder {sources.split(location)[0]}, or its disk is not mounted; {RELATIVE}"
                what = f'"file": {what}; {remedy}' if sources.scheme(location) else f'"file": {near}'
        if what not in self.faults:  # of the container, so that each of its arrays has it
            self.faults.append(what)
        return None

    def _begin(self, path: str, volume: Volume, offset) -> tuple[int, int, int] | None:
        """The world voxel at which an array begins."""
        item, resolution = self._item, volume.resolution
        if resolution is None:
            self.faults.append(
                f"{path} states no voxel size in nanometres; write it into its attributes, such as "
                f'"resolution": {_listed(item.voxel_size)} (incasem: the file .zattrs)'
            )
            return None
        pairs = list(zip(resolution, item.voxel_size, strict=True))
        if any(abs(own - stated) > CLOSE * stated for own, stated in pairs):
            self.faults.append(
                f'"voxel_size" is {_listed(item.voxel_size)} nm, but {path} has voxels of {_listed(resolution)} nm; '
                "correct the one that is wrong, or name an array of this resolution"
            )
            return None
        if offset is None:
            offset = (0.0, 0.0, 0.0)
            self.notes.append(f"{path} states no offset; it is taken to begin at 0 nanometres")
        exact = [start / size for start, size in zip(offset, resolution, strict=True)]
        begin = tuple(map(round, exact))
        if any(abs(place - whole) > CLOSE for place, whole in zip(exact, begin, strict=True)):
            what = "its offset must be nanometres, a multiple of the resolution"
            if _is_reduced(exact):
                what = (
                    "this looks like a lower resolution of a pyramid, whose voxels lie between those of the full one; "
                    "only the highest resolution can be named"
                )
            self.faults.append(
                f"{path} begins at {_listed(offset)} nm, which is not a whole number of its voxels of "
                f"{_listed(resolution)} nm; {what}"
            )
            return None
        return begin

    def _compare_region(self, raw: Source) -> None:
        """The region must lie within the raw."""
        roi, size = self._item.roi, self._item.voxel_size
        if raw.box.contains(roi):
            return
        divided = Box(tuple(round(first / step) for first, step in zip(roi.begin, size, strict=True)), roi.shape)
        hint = "correct offset and shape, which are voxels z, y, x from 0 nanometres"
        if any(roi.begin) and raw.box.contains(divided):
            hint = f"was the offset given in nanometres? In voxels it would be {_listed(divided.begin)}"
        self.faults.append(f"the region {roi} is not within {raw.path}, which is {raw.box} (voxels z, y, x); {hint}")

    def _compare_with_raw(self, source: Source, raw: Source) -> None:
        if not raw.box.contains(source.box):
            self.notes.append(
                f"{source.path} ({source.box}) goes beyond the raw ({raw.box}); only what lies within the raw is used"
            )

    def _compare_cover(self, source: Source, kind: str) -> None:
        """A note where the region is larger than an array."""
        roi = self._item.roi
        if source.box.contains(roi):
            return
        ends = zip(AXES, roi.begin, source.box.begin, source.box.end, roi.end, strict=True)
        sides = [(axis, max(start - first, 0), max(last - end, 0)) for axis, first, start, end, last in ends]
        lacking = ", ".join(f"{axis} {before} and {behind}" for axis, before, behind in sides if before + behind)
        what = f"does not cover the region {roi}: voxels that lack it, before and behind it: {lacking}"
        what = what if source.box.common(roi) else f"has no voxel of the region {roi}"
        self.notes.append(f"{source.path} ({source.box}) {what}; {BEYOND[kind]}")

    def _need_common(self, labels: list[Source | None]) -> None:
        """Something of the region must be annotated, for all classes."""
        region: Box | None = self._item.roi
        for source in labels:
            if source is None:
                return
            region = region and region.common(source.box)
        if region is None:
            boxes = ", ".join(f"{source.path} {source.box}" for source in labels if source)
            self.faults.append(
                f"no voxel of the region {self._item.roi} has labels of all classes ({boxes}); is their offset right? "
                "It is nanometres; --label_offset states another"
            )


def _is_reduced(begin: Sequence[float]) -> bool:
    """Whether an array that begins at (z, y, x) of its own voxels has the place of a lower resolution of a pyramid.

    OME-Zarr and COSEM state where the middle of the first voxel is, which lies further in, the larger the voxel.
    """
    shifts = [(1 - 1 / step) / 2 for step in REDUCED]
    return all(any(abs(place - shift - round(place - shift)) < CLOSE for shift in shifts) for place in begin)


def _sizes(path: Path, items: list[Item]) -> list[str]:
    """Faults of entries whose voxels are not as large as those of the first."""
    return [
        data_file.said(
            path,
            item.name,
            item.line,
            f'"voxel_size" is {_listed(item.voxel_size)} nm, but {_listed(items[0].voxel_size)} in entry '
            f"{items[0].name} (line {items[0].line}); a network is for one size: use a file for each",
        )
        for item in items[1:]
        if item.voxel_size != items[0].voxel_size
    ]


def _listed(values) -> str:
    return f"[{', '.join(f'{value:.10g}' for value in values)}]"
