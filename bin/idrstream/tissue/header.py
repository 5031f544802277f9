"""What the files of a slide state of it, read before anything is started: no pixel is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from idrstream import readers, sources
from idrstream.base.failures import NotReadable
from idrstream.readers import planes
from idrstream.readers.image import Image, PixelSize
from idrstream.tissue import opening
from idrstream.tissue.sheet import Naming

UNDESCRIBED = "Q"  # axis of pages of which a file says nothing
DIFFERENT = 0.01  # share by which two pixel sizes differ that are not the same


class Channel(NamedTuple):
    """A channel of a slide.

    name     "" if the file gives none
    file     which of the slide's files has it
    channel  its place among the file's channels, and
    frame    among its pages of which the file says nothing: 0 for others
    """

    name: str
    file: int
    channel: int
    frame: int


@dataclass
class Header:
    """A slide as its files state it.

    shape       (Y, X) pixels
    dtype       name of its type, such as "uint16"
    channels    list of Channel, over all files
    pixel_size  PixelSize, or None if no file states one
    bytes       of the files, as far as known
    versions    of those that are folders of many files, of which the bytes are not known (idrstream.sources)
    levels      how many resolutions it has
    """

    shape: tuple[int, int]
    dtype: str
    channels: list[Channel]
    pixel_size: PixelSize | None
    bytes: int
    versions: list[str | None]
    levels: int


def read(locations: Sequence[str], places: Mapping[str, str]) -> Header:
    """The header of a slide of these files; PLACES as of staged.places. Raises an ImageFailure for unusable ones."""
    for location in locations:
        _check_place(location)
    with ExitStack() as stack:
        opened = [stack.enter_context(opening.image(location, places)) for location in locations]
        images = [image for _, image in opened]
        for image in images:
            _check(image)
        first = images[0]
        for image in images[1:]:
            _check_alike(first, image)
        channels = [channel for number, image in enumerate(images) for channel in _channels(number, image)]
        sizes = [image.pixel_size for image in images if image.pixel_size]
        return Header(
            shape=first.shape[3:],
            dtype=_type(first),
            channels=channels,
            pixel_size=sizes[0] if sizes else None,
            bytes=sum(getattr(file, "size", 0) for file, _ in opened),
            versions=[file.version for file, _ in opened if not hasattr(file, "size")],
            levels=len(first.levels),
        )


class LabelImage(NamedTuple):
    """A label image, or the planes of an NPZ file: (Y, X) pixels, the name of their type, the file's bytes and version.

    The bytes are 0, and the version None, where nobody states them (idrstream.sources).
    """

    shape: tuple[int, int]
    dtype: str
    bytes: int
    version: str | None


def labels(location: str, places: Mapping[str, str]) -> LabelImage:
    """The header of a label image; PLACES as of staged.places. Raises an ImageFailure for what is none."""
    _check_place(location)
    with opening.image(location, places) as (file, image):
        _check_labels(image)
        return LabelImage(image.shape[3:], _type(image), getattr(file, "size", 0), file.version)


def planes_of(location: str, places: Mapping[str, str]) -> LabelImage:
    """The header of an NPZ file; PLACES as of staged.places. Raises an ImageFailure for one that cannot be used."""
    with opening.image(location, places) as (file, image):
        return LabelImage(image.shape[3:], _type(image), file.size, file.version)


def nuclear(header: Header, naming: Naming, name: str) -> list[Channel]:
    """The channels of a slide in which its nuclei are; of one with a single channel none needs to be named.

    Raises NotReadable, with the channels there are, where none is named; and as `chosen`.
    """
    if not naming.channels and len(header.channels) > 1:
        listed = planes.listed([channel.name for channel in header.channels])
        which = 'name that of the nuclei by --nuclear, or in a column "nuclear"'
        raise NotReadable(f"{name}: it has {len(header.channels)} channels ({listed}); {which}.")
    return chosen(header, naming, name) or header.channels


def chosen(header: Header, naming: Naming, name: str) -> list[Channel]:
    """The channels of a slide that are named. Raises NoSuchPlane, with the channels there are, where one is not."""
    names = [channel.name for channel in header.channels]
    places = [planes.place(names, name, naming.where, text) for text in naming.channels]
    return [header.channels[place] for place in dict.fromkeys(places)]


def _check_place(location: str) -> None:
    """Raise NotReadable for a file that cannot be read window by window: neither TIFF nor OME-Zarr, or sent whole."""
    name = sources.split(location)[1]
    suffixes = [suffix for suffix, reader in readers.READERS.items() if reader in ("tiff", "zarr")]
    if not any(part.lower().endswith(tuple(suffixes)) for part in name.split("/")):
        command = f"bfconvert -bigtiff -compression zlib -tilex 512 -tiley 512 {name} slide.ome.tif"
        raise NotReadable(f"{name}: slides are read from TIFF, OME-TIFF and OME-Zarr; convert it: {command}")
    if not sources.is_store(location):
        sources.check_parts(location)


def _check(image: Image) -> None:
    """Raise NotReadable for an image that is no slide of grey levels."""
    name, (times, _, depth, height, width) = image.name, image.shape
    if image.in_colour:
        remedy = "nuclei are looked for in a fluorescence channel; save that channel alone"
        raise NotReadable(f"{name}: this is a picture in red, green and blue (brightfield), and {remedy}.")
    if depth > 1 or (times > 1 and not _pages_are_channels(image)):
        remedy = "save one plane of each channel, such as their maximum"
        raise NotReadable(f"{name}: it has {depth} z planes and {times} time points; {remedy}.")
    if image.dtype.kind not in "uif":
        raise NotReadable(f"{name}: its pixels are of type {image.dtype}; save them as integers or floats.")
    if min(height, width) < 1:
        raise NotReadable(f"{name}: it states {height:,} x {width:,} pixels.")
    image.check_tile(image.levels[0])


def _check_labels(image: Image) -> None:
    """Raise NotReadable for an image that is no label image."""
    name, planes_of_it = image.name, math.prod(image.shape[:3])
    if image.in_colour or image.dtype.kind not in "ui":
        kind = "in red, green and blue" if image.in_colour else f"of type {image.dtype.name}"
        raise NotReadable(f"{name}: its pixels are {kind}; those of a label image are whole numbers, one a pixel.")
    if planes_of_it > 1:
        raise NotReadable(f"{name}: it has {planes_of_it} planes; a label image has one. Save that alone.")
    image.check_tile(image.levels[0])


def _check_alike(first: Image, image: Image) -> None:
    """Raise NotReadable for files that cannot be channels of one slide."""
    facts = [(one.name, one.shape[3:], _type(one)) for one in (first, image)]
    if facts[0][1:] != facts[1][1:]:
        words = [f"{name} has {y:,} x {x:,} pixels of type {kind}" for name, (y, x), kind in facts]
        raise NotReadable(f"{'; '.join(words)}: files of one slide have the same size and type.")
    before, now = first.pixel_size, image.pixel_size
    if before and now and (differ(before.y, now.y) or differ(before.x, now.x)):
        sizes = " and ".join(f"{size.y:.4g} x {size.x:.4g}" for size in (before, now))
        words = f"{first.name} and {image.name} state pixels of {sizes} µm (y x)"
        raise NotReadable(f"{words}: files of one slide have the same.")


def differ(one: float, other: float) -> bool:
    """Whether two sizes of pixels are not the same."""
    return max(one / other, other / one) > 1 + DIFFERENT


def _type(image: Image) -> str:
    return image.dtype.newbyteorder("=").name


def _channels(number: int, image: Image) -> list[Channel]:
    if _pages_are_channels(image):
        return [Channel("", number, 0, frame) for frame in range(image.shape[0])]
    return [Channel(name, number, index, 0) for index, name in enumerate(image.channels)]


def _pages_are_channels(image: Image) -> bool:
    """Whether a file is pages of which it says nothing: of a slide they are channels."""
    return UNDESCRIBED in image.axes and len(image.channels) == 1
