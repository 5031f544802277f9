"""The planes of a TIFF, as it states them: by OME-XML, descriptions of ImageJ and tifffile, and tags.

Pages without a description are frames, except reduced images (thumbnails, levels of a pyramid) and masks.
"""

import itertools
import json
import math
import struct
from contextlib import suppress
from typing import NamedTuple
from xml.etree import ElementTree

import tifffile

from idrstream.base.failures import NotReadable, Truncated
from idrstream.readers.planes import named

# Kinds of TIFF that describe their planes, as tifffile knows them.
KINDS = "shaped lsm mmstack ome imagej ndtiff fluoview stk sis svs scn qpi ndpi bif avs eer philips scanimage nih mdgel"
FRAMES = "TIQ"  # axes that are time, or not described
WITHIN = "YXS"  # axes of a page
MOST = 1_000_000  # planes that a description may speak of
LISTED = 6  # images in a message
PICTURES = {"Thumbnail", "Macro", "Label", "Map"}  # series of a scanner's file beside the image
HEAD = 1000  # characters
COUNTS = ("SizeC", "SizeZ", "SizeT", "FirstC", "FirstZ", "FirstT", "IFD", "PlaneCount", "NumPlanes")  # of OME-XML
NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255  # tags
SHORT = 3  # type of a tag's value
REDUCED_OR_MASK = 0b101  # bits of the first tag
REDUCED = 2  # value of the second
DESCRIPTIONS = {270: "its description", 330: "its resolutions", 50839: "its description"}  # tags that describe a page


class Planes(NamedTuple):
    """The planes of a file.

    pages     (time, channel, z plane) -> page, all counted from 0; None: the file describes the plane and has it not
    frames    time points
    channels  a name each, "" for one without
    planes    z planes
    axes      those of the file, in its order
    samples   of a page: its channels; a channel of the file is a page's number times these, and a sample
    offsets   as `pages`: the first byte of the pixels, in a stack that has one page for all its planes; else empty
    levels    for each lower resolution that is pages of its part, as `pages`; SubIFDs are not among them
    ome       the xml.etree Element of the image in OME-XML, or None
    """

    pages: dict
    frames: int
    channels: list
    planes: int
    axes: str
    samples: int = 1
    offsets: dict = {}  # noqa: RUF012, never changed
    levels: list = []  # noqa: RUF012
    ome: ElementTree.Element | None = None


def check_tags(tiff, size, name):
    """Raise Truncated where the description of the first page lies behind the end of a file of SIZE bytes.

    tifffile takes such a file for one without descriptions or resolutions: its channels would become frames.
    """
    if tiff.tiff.is_ndpi:
        return
    entries, _ = _directory(tiff, tiff.pages.first.offset)
    for tag, kind, count, value in entries:
        length = count * struct.calcsize(tifffile.TIFF.DATA_FORMATS.get(kind, "0B"))
        start = struct.unpack(tiff.tiff.offsetformat, value)[0] if length > tiff.tiff.tagoffsetthreshold else 0
        if tag in DESCRIPTIONS and start + length > size:
            raise Truncated(f"{name}: the file ends before {DESCRIPTIONS[tag]}.")


def read(tiff, name):
    """The Planes of an open tifffile.TiffFile. Raises an ImageFailure for a description that cannot be followed."""
    pages = len(tiff.pages)
    if not pages:
        raise NotReadable(f"{name}: there is no image in it.")
    first = tiff.pages.first
    ome = tiff.is_ome or "<OME " in first.description[:HEAD]  # which tifffile believes only if it is complete
    if not ome and (not any(getattr(tiff, f"is_{kind}") for kind in KINDS.split()) or _only_counts(first, pages)):
        return _plain(tiff, name, range(pages))
    if ome:
        _check_ome(first.description, name)
    images = [one for one in tiff.series if one.kind in ("ome", "imagej", "shaped") or one.name not in PICTURES]
    whole = [one for one in images if not one.keyframe.subfiletype & REDUCED_OR_MASK]
    kinds = {one.kind for one in whole}
    if tiff.is_imagej and not kinds & {"imagej", "ome", "mmstack"}:  # tifffile fell back on the pages that are there
        raise Truncated(f"{name}: the file ends before all images do that its ImageJ description counts.")
    if ome and not kinds & {"ome", "imagej", "mmstack"}:
        raise NotReadable(f"{name}: its OME-XML does not fit its pages; save it anew.")
    if kinds == {"shaped"} and all(_only_counts(one.keyframe, len(one)) for one in whole):
        return _plain(tiff, name, [page.index for one in whole for page in one])
    if len(whole) != 1:
        names = ", ".join(one.name or str(number) for number, one in enumerate(whole[:LISTED], 1))
        listed = f" ({names}{', ...' * (len(whole) > LISTED)})" * bool(whole)
        raise NotReadable(f"{name}: one image is expected in a file, here are {len(whole)}{listed}; save yours alone.")
    return _described(tiff, whole[0], name)


def _only_counts(page, pages):
    """Whether a description by tifffile, on its first PAGE, states the number of frames and nothing else."""
    with suppress(TypeError, ValueError, AttributeError, KeyError):  # another description, or an old one
        description = json.loads(page.shaped_description)
        shape = description["shape"]
        axes = description.get("axes") or "Q" * (len(shape) - page.ndim) + page.axes
        named = {axis for axis, size in zip(axes, shape, strict=True) if size > 1}
        return named <= {*FRAMES, *WITHIN} and math.prod(shape[: len(shape) - page.ndim]) == pages
    return False


def _plain(tiff, name, numbers):
    """Planes of pages that are frames."""
    aside = _reduced_or_masks(tiff)
    frames = [number for number in numbers if number not in aside]
    if not frames and aside:
        raise NotReadable(f"{name}: all of its images are reduced ones or masks, as their tags say.")
    first = tiff.pages.get(frames[0], aspage=True)
    levels = [{(0, 0, 0): number} for number in sorted(aside)] if len(frames) == 1 else []
    return Planes(
        pages={(time, 0, 0): number for time, number in enumerate(frames)},
        frames=len(frames),
        channels=named(name, first.samplesperpixel),
        planes=1,
        axes="Q" * (len(frames) > 1) + first.axes,
        samples=first.samplesperpixel,
        levels=levels,
    )


def _reduced_or_masks(tiff):
    """Numbers of the pages that are reduced images or masks; of each page nothing but its directory is read."""
    form, aside = tiff.tiff, set()
    offset = tiff.pages.first.offset
    for number in range(len(tiff.pages)):
        entries, offset = _directory(tiff, offset)
        for tag, kind, _, field in entries:
            (value,) = struct.unpack_from(f"{form.byteorder}{'H' if kind == SHORT else 'I'}", field)
            if (tag == NEW_SUBFILE_TYPE and value & REDUCED_OR_MASK) or (tag == SUBFILE_TYPE and value == REDUCED):
                aside.add(number)
    return aside


def _directory(tiff, offset):
    """([(tag, type, count, bytes of the value or of its offset)], offset of the next page) of the page at OFFSET."""
    file, form = tiff.filehandle, tiff.tiff
    file.seek(offset)
    (count,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    content = file.read(count * form.tagsize + form.offsetsize)
    fields = f"{form.byteorder}HH{form.offsetformat[1:]}"
    entries = []
    for place in range(0, count * form.tagsize, form.tagsize):
        tag, kind, length = struct.unpack_from(fields, content, place)
        value = content[place + form.tagsize - form.offsetsize : place + form.tagsize]
        entries.append((tag, kind, length, value))
    (following,) = struct.unpack(form.offsetformat, content[-form.offsetsize :])
    return entries, following


def _described(tiff, series, name):
    """Planes of the one image of a file, a tifffile.TiffPageSeries."""
    sizes = zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True)
    lead, samples = [(axis, size) for axis, size in sizes if axis not in WITHIN], series.keyframe.samplesperpixel
    numbers = _numbers(series)
    strange = [f"{axis} ({size})" for axis, size in lead if size > 1 and axis not in (*FRAMES, "C", "Z")]
    if strange:
        raise NotReadable(
            f"{name}: besides time, channels and z planes it has axes {', '.join(strange)}; save one image."
        )
    count = math.prod(size for _, size in lead)
    if count > MOST or (len(numbers) != count and not series.is_truncated):
        raise NotReadable(f"{name}: it describes {count:,} planes, and has {len(numbers):,} of them.")
    places = [_place(lead, at) for at in itertools.product(*(range(size) for _, size in lead))]
    offsets = {}
    if series.is_truncated:
        offsets = {place: series.dataoffset + at * series.keyframe.nbytes for at, place in enumerate(places)}
        numbers = [series.keyframe.index] * count
    pages = dict(zip(places, numbers, strict=True))
    ome = _ome_image(tiff, series)
    channels = 1 + max(channel for _, channel, _ in places)
    names = _channel_names(tiff, series, places, ome)
    names = names if samples == 1 or len(names) == channels * samples else []
    channels = named(name, channels * samples, names)
    if tiff.is_ome and _names_other_files(tiff.ome_metadata):
        pages, channels = _part_of_set(pages, channels, samples)
    frames, planes = (1 + max(place[axis] for place in pages) for axis in (0, 2))
    levels = [dict(zip(places, _numbers(level), strict=True)) for level in _page_levels(series)]
    return Planes(pages, frames, channels, planes, series.axes, samples, offsets, levels, ome)


def _numbers(series):
    """The pages of a series, None for those that the file lacks."""
    return [None if page is None else page.index for page in series]


def _page_levels(series):
    """Lower resolutions of a series of which every plane is a page, not a SubIFD."""
    for level in series.levels[1:]:
        if len(level) != len(series) or level.keyframe.is_subifd:
            return
        yield level


def _place(lead, at):
    """(time, channel, z plane) of the plane AT these places of the axes LEAD, a list of (axis, size)."""
    time, others = 0, {"C": 0, "Z": 0}
    for (axis, size), place in zip(lead, at, strict=True):
        if axis in FRAMES:
            time = time * size + place
        elif axis in others:
            others[axis] = place
    return time, others["C"], others["Z"]


def _part_of_set(pages, channels, samples):
    """PAGES and CHANNELS of one file of a set that is described as one image: the file holds a part of every axis."""
    present = [place for place, page in pages.items() if page is not None]
    first, last = (tuple(pick(places) for places in zip(*present, strict=True)) for pick in (min, max))
    part = {
        tuple(at - start for at, start in zip(place, first, strict=True)): page
        for place, page in pages.items()
        if all(start <= at <= end for start, at, end in zip(first, place, last, strict=True))
    }
    return part, channels[first[1] * samples : (last[1] + 1) * samples]


def _ome_image(tiff, series):
    """The Element of the image of a series in OME-XML; None without."""
    if not tiff.is_ome:
        return None
    images = ElementTree.fromstring(tiff.ome_metadata).iterfind("{*}Image")
    return next((image for image in images if image.get("Name", "") == series.name), None)


def _channel_names(tiff, series, places, ome):
    """The file's names of the channels of a series with its planes at PLACES: a list of any values."""
    with suppress(KeyError, TypeError, AttributeError, ElementTree.ParseError):  # descriptions may lack anything
        if ome is not None:
            return [channel.get("Name") for channel in ome.iterfind("{*}Pixels/{*}Channel")]
        if tiff.is_micromanager:
            return list(tiff.micromanager_metadata["Summary"]["ChNames"])
        if tiff.is_imagej and len(tiff.imagej_metadata["Labels"]) == len(places):
            labels = dict(zip(places, tiff.imagej_metadata["Labels"], strict=True))
            return [label for (time, _, z), label in sorted(labels.items()) if time == z == 0]
        if tiff.is_qpi:
            return [ElementTree.fromstring(page.description).findtext("Name") for page in series]
    return []


def _check_ome(xml, name):
    """Raise NotReadable for OME-XML that cannot be followed, before anything is allocated by it."""
    try:
        root = ElementTree.fromstring(xml)
        counts = [int(element.get(key, 0)) for element in root.iter() for key in COUNTS]
        sizes = [[int(pixels.get(f"Size{axis}", 1)) for axis in "CZT"] for pixels in root.iter() if pixels.get("SizeC")]
    except (ElementTree.ParseError, ValueError) as error:
        raise NotReadable(f"{name}: its OME-XML cannot be read ({error}).") from None
    if max([*counts, *map(math.prod, sizes)]) > MOST:
        raise NotReadable(f"{name}: its OME-XML describes more than {MOST:,} planes.")
    if any("ModuloAlong" in element.tag for element in root.iter()):
        raise NotReadable(f"{name}: its OME-XML divides an axis further (ModuloAlong...); save one image of it.")


def _names_other_files(xml):
    return len({element.text for element in ElementTree.fromstring(xml).iter() if element.tag.endswith("}UUID")}) > 1
