"""The channels of a slide that are looked at, copied once into a folder of the slide's own, for as long as it takes.

`channels.zarr` is an array (channel, Y, X) of the file's type: whatever the file was, the steps read this. Chunks are
files of their own, so windows of any size are written without reading more of it than they cut. Needs zarr 3.
"""

import itertools
from pathlib import Path

import zarr

from idrstream.base import files
from idrstream.tissue import search, view

CHANNELS, STATISTICS = "channels.zarr", "statistics.json"
CHUNK = 1024  # pixels a side of a file


class Channels:
    """The array of a slide's channels.

    shape  (Y, X)
    dtype  of the pixels
    """

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape[1:], array.dtype

    def read(self, channel):
        """A function of a Box that returns (Y, X) pixels of a channel, which is counted from 0."""
        return lambda box: self._array[channel, box.y0 : box.y1, box.x0 : box.x1]

    def write(self, channel, box, pixels):
        """Write (Y, X) PIXELS of a Box of a channel."""
        self._array[channel, box.y0 : box.y1, box.x0 : box.x1] = pixels


def create(path, count, shape, dtype):
    """Make the array of COUNT channels of SHAPE (Y, X) and DTYPE at PATH: Channels."""
    sides = [min(CHUNK, side) for side in shape]
    compressor = zarr.codecs.ZstdCodec(level=1)
    array = zarr.create_array(path, shape=(count, *shape), chunks=(1, *sides), dtype=dtype, compressors=compressor)
    return Channels(array)


def open(path):
    """Open the array at PATH, to read: Channels."""
    return Channels(zarr.open_array(path, mode="r"))


def statistics(folder):
    """What READ found of the channels in a slide's scratch, a dict each: name, number, low, high, masked, constant.

    One that cannot be shown has `unusable`, a sentence, counts as constant, and has no low and high.
    """
    return files.read_json(Path(folder, STATISTICS))["channels"]


def planes(folder, packet, layer):
    """What a network is shown of a slide to find a LAYER of search.PLANES, of its scratch.

    returns  list of functions of a Box that return (Y, X) float32, the plane in which the objects are first; empty if
             there is nothing to be seen in it
    """
    found = (shown(folder, packet[key]) for key in search.PLANES[layer])
    return list(itertools.takewhile(bool, found))


def shown(folder, channels):
    """CHANNELS of the planner's JSON as a network is shown them: a function of a Box that returns (Y, X) float32.

    Channels of one grey level, or none, are left out; None where all are such.
    """
    found = varied(folder, channels)
    return view.shown([(read, facts["low"], facts["high"]) for read, facts in found]) if found else None


def varied(folder, channels):
    """Those CHANNELS of the planner's JSON with several grey levels: (function of a Box, dict of `statistics`)."""
    found = statistics(folder)
    places = {channel["number"]: place for place, channel in enumerate(found)}
    places = [places[channel["number"]] for channel in channels]
    places = [place for place in places if not found[place]["constant"]]
    array = open(Path(folder, CHANNELS)) if places else None
    return [(array.read(place), found[place]) for place in places]
