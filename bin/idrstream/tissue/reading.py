"""READ: the channels of a slide that are looked at, out of its files and into its scratch; and their contrast.

What a file stores as one (a tile, a strip, a chunk) is read once, and no more of the file than that.
"""

import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from idrstream.base import files
from idrstream.base.failures import NotFinite, NotReadable, UnwrittenFrame
from idrstream.cells import contrast
from idrstream.tissue import levels, npz, opening, scratch, search, tiles
from idrstream.tissue.tiles import Box

AT_ONCE = 64 * 1024 * 1024  # bytes of a window, unless what is stored as one is larger
MOST_TILES = 4096  # of a window


def read(packet, folder, places, watch):
    """Copy the channels of a slide into FOLDER, its scratch, and write their statistics there; returns these.

    packet  the planner's JSON of the slide
    places  local folder -> its path in this task (`staged.places`)
    watch   function of the windows of a channel, a list, and its name, that iterates over them and shows progress

    Without such channels there is nothing but empty statistics. Raises an ImageFailure where the pixels cannot be used;
    where no network looks at them, their statistics say so, and pictures are without them.
    """
    wanted, found = search.channels(packet), []
    dtype = (packet["npz"] or packet)["dtype"]
    copy = wanted and scratch.create(Path(folder, scratch.CHANNELS), len(wanted), packet["size"], dtype)
    with opened(packet, wanted, places, folder) as images:
        for index, channel in enumerate(wanted):
            try:
                masked = _copy(images[channel["file"]][1], channel, _region(packet), copy, index, watch)
                found.append(_statistics(copy, index, channel) | {"masked": masked})
            except (NotFinite, UnwrittenFrame) as failure:
                if packet["layers"]:
                    raise
                found.append(_unusable(channel, str(failure)))
        cost = travelled(images)
    statistics = {"channels": found} | cost
    files.write_json(Path(folder, scratch.STATISTICS), statistics)
    return statistics


def windows(level, box, itemsize):
    """Boxes that make up BOX of a level of an image, each cut where stored tiles are, so that none is read twice.

    As wide as AT_ONCE allows: tiles of a row lie one behind the other in most files.
    """
    (tall, wide), most = level.tile, max(1, AT_ONCE // itemsize)
    left, top = box.x0 // wide * wide, box.y0 // tall * tall
    columns = max(1, min(most // (tall * wide), MOST_TILES, -(-(box.x1 - left) // wide)))
    rows = max(1, min(most // (tall * wide * columns), MOST_TILES // columns))
    return [
        Box(y, y + rows * tall, x, x + columns * wide).common(box)
        for y in range(top, box.y1, rows * tall)
        for x in range(left, box.x1, columns * wide)
    ]


@contextmanager
def opened(packet, channels, places, folder):
    """The files of a slide that have CHANNELS, dicts of the packet: number of a file -> (file, image).

    FOLDER takes copies of those that can only be read whole. Raises NotReadable if one is not the one that was planned.
    """
    with ExitStack() as stack:
        cache, images = stack.enter_context(tempfile.TemporaryDirectory(prefix=".whole-", dir=folder)), {}
        for number in sorted({channel["file"] for channel in channels}):
            location = locations(packet)[number]
            images[number] = stack.enter_context(opening.image(location, places, cache))
            last = 1 + max(channel["channel"] for channel in channels if channel["file"] == number)
            _check(packet, images[number][1], last, number)
        yield images


def locations(packet):
    """The files of a slide, by number; the NPZ file with what networks see is the last."""
    return packet["locations"] + ([packet["npz"]["location"]] if packet["npz"] else [])


def travelled(images):
    """What was read of files that `opened` gave: {"bytes", "requests"}."""
    return {name: sum(getattr(file, name) for file, _ in images.values()) for name in ("bytes", "requests")}


def _check(packet, image, last, number):
    """Raise NotReadable for a file that is not the one, by NUMBER, that PLAN read, which had LAST channels at least."""
    if number == len(packet["locations"]):
        if wrong := npz.misfit(image.name, image.shape[3:], packet["whole_size"]):
            raise NotReadable(wrong)
        return
    found = *image.shape[3:], image.dtype.name
    planned = *packet["whole_size"], packet["dtype"]
    if found != planned or last > image.shape[1]:
        words = "{:,} x {:,} pixels of {} in {}"
        found, planned = words.format(*found, f"{image.shape[1]} channels"), words.format(*planned, f"{last} or more")
        raise NotReadable(f"{image.name}: {found}, where PLAN read {planned}: it has changed meanwhile; run again.")


def _region(packet):
    """The Box of the file that is read."""
    y0, x0 = tiles.corner(packet)
    height, width = packet["size"]
    return Box(y0, y0 + height, x0, x0 + width)


def _copy(image, channel, region, copy, index, watch):
    """Copy a channel, and return how many of its pixels the file does not hold: the smallest level stands there."""
    name, masks, lowest, masked = _name(image, channel), [], None, 0
    for window in watch(windows(image.levels[0], region, image.dtype.itemsize), name):
        pixels = image.window(channel["channel"], 0, channel["frame"], 0, *window)
        box = Box(window.y0 - region.y0, window.y1 - region.y0, window.x0 - region.x0, window.x1 - region.x0)
        absent = np.ma.getmaskarray(pixels)
        held = pixels.compressed() if absent.any() else pixels
        if held.size:
            if held.dtype.kind == "f" and not np.isfinite(held).all():
                where = f"rows {window.y0}-{window.y1}, columns {window.x0}-{window.x1}"
                raise NotFinite(f"{name}, {where}: some pixels are no numbers (NaN), or infinite.")
            lowest = held.min() if lowest is None else min(lowest, held.min())
        if held is not pixels:
            masks.append((box, zlib.compress(np.packbits(absent), 1)))
            masked += int(absent.sum())
        copy.write(index, box, np.ma.getdata(pixels))
    if lowest is None:
        raise UnwrittenFrame(f"{name}: the file holds none of its pixels.")
    for box, packed in masks:
        pixels, bits = copy.read(index)(box), np.frombuffer(zlib.decompress(packed), np.uint8)
        pixels[np.unpackbits(bits, count=pixels.size).reshape(box.shape).astype(bool)] = lowest
        copy.write(index, box, pixels)
    return masked


def _statistics(copy, index, channel):
    """The contrast of a copied channel."""
    low, high = map(float, contrast.window(levels.levels(copy.read(index), copy.shape, copy.dtype)))
    return {"name": channel["name"], "number": channel["number"], "low": low, "high": high, "constant": not high > low}


def _unusable(channel, why):
    """The statistics of a channel that cannot be shown."""
    facts = {"name": channel["name"], "number": channel["number"], "low": None, "high": None}
    return facts | {"constant": True, "masked": 0, "unusable": why}


def _name(image, channel):
    """A channel in words."""
    named = f' "{channel["name"]}"' if channel["name"] else ""
    return f"{image.name} channel {channel['number']}{named}"
