"""The grey levels of objects' pixels, channel by channel, out of a slide's files.

A channel is read in windows that are cut where stored tiles are: each of these is decoded once, for all objects of a
task, and a window at a time is in memory.
"""

from collections import Counter

import numpy as np

from idrstream.base.failures import NotFinite
from idrstream.tissue import pixels, reading, statistics
from idrstream.tissue.tiles import Box, meet


class Samples:
    """Grey levels of the pixels of objects.

    images    of reading.opened
    channels  those that will be asked for, dicts of the packet; each as often as that
    found     pixels.Runs of the objects, in a window of the slide
    corner    (y, x) of the window's first pixel, in the files
    """

    def __init__(self, images, channels, found, corner):
        self._images, self._found, self._corner = images, found, corner
        self._uses, self._kept = Counter(_place(channel) for channel in channels), {}
        (top, left), (y0, x0), (y1, x1) = corner, found.boxes[:, ::2].min(0), found.boxes[:, 1::2].max(0)
        self._box = Box(int(y0 + top), int(y1 + top), int(x0 + left), int(x1 + left))

    def marker(self, channel):
        """(found.size,) grey levels, of a type of statistics.KINDS; NaN where the files say that there are none.

        With a background they are max(0, marker - background * scale), in float32. Raises NotFinite for a pixel that is
        no number.
        """
        levels, background = self._levels(channel), channel["background"]
        if background is None:
            return levels
        scaled = self._levels(background).astype(np.float32) * np.float32(background["scale"])
        return np.maximum(levels.astype(np.float32) - scaled, np.float32(0))

    def _levels(self, channel):
        """Grey levels of a channel as stored; kept until it is asked for no more: a background serves several."""
        place = _place(channel)
        levels = self._kept.pop(place, None)
        levels = self._read(channel) if levels is None else levels
        self._uses[place] -= 1
        if self._uses[place] > 0:
            self._kept[place] = levels
        return levels

    def _read(self, channel):
        _, image = self._images[channel["file"]]
        levels, real = np.empty(self._found.size, statistics.kind(image.dtype)), image.dtype.kind == "f"
        absent = np.zeros(len(levels) if real else 0, bool)
        for window in reading.windows(image.levels[0], self._box, image.dtype.itemsize):
            corner = window.y0 - self._corner[0], window.x0 - self._corner[1]
            shown = Box(corner[0], corner[0] + window.shape[0], corner[1], corner[1] + window.shape[1])
            if not meet(self._found.boxes, shown).any():
                continue
            stored = image.window(channel["channel"], 0, channel["frame"], 0, *window)
            pixels.gather(np.ma.getdata(stored).astype(levels.dtype, copy=False), corner, self._found, levels)
            if real and np.ma.is_masked(stored):
                pixels.gather(_without_data(stored), corner, self._found, absent)
        if real:
            self._check(image, channel, ~np.isfinite(levels) & ~absent)
            levels[absent] = np.nan
        return levels

    def _check(self, image, channel, wrong):
        """Raise NotFinite, with the place of the first, if any pixel is WRONG, (found.size,) bool."""
        if not wrong.any():
            return
        place = np.searchsorted(self._found.begins[:, 0], np.argmax(wrong), "right") - 1
        y0, y1, x0, x1 = (self._found.boxes[place] + np.repeat(self._corner, 2)).tolist()
        raise NotFinite(
            f'{image.name} channel "{channel["name"]}": pixels of the nucleus or cell in rows {y0}-{y1}, columns '
            f"{x0}-{x1} are no numbers (NaN), or infinite; leave the channel out: column remove of a table of markers."
        )


def without_data(levels, found):
    """How many objects have pixels that are NaN; LEVELS and FOUND as of Samples."""
    if levels.dtype.kind != "f" or not (lacking := np.flatnonzero(np.isnan(levels))).size:
        return 0
    return len(np.unique(np.searchsorted(found.begins[:, 0], lacking, "right")))


def _place(channel):
    return channel["file"], channel["channel"], channel["frame"]


def _without_data(stored):
    """(Y, X) bool: where a masked window of floats has no pixels. A chunk not written holds the fill value, a level.

    So it is stored that a chunk is empty; what is no level, as NaN or a negative float, marks places without data.
    """
    levels = np.ma.getdata(stored)
    return np.ma.getmaskarray(stored) & ~(np.isfinite(levels) & (levels >= 0))
