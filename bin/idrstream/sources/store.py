"""An OME-Zarr image as a place of many objects: every chunk of its pixels is one, with a key of its own."""

import threading

from idrstream.base.failures import MissingWell, NotReadable

ENTRIES = (".zattrs", "zarr.json")  # the first object of an image, by format of Zarr: 2 or 3
LARGEST = 512 * 1024 * 1024  # bytes of one answer: more of an object is only read in parts


class Store:
    """What `sources.open_store` gives.

    A source's class sets `place`, what messages call it, and defines fetch(key, start, stop): (payload or None where
    there is no such object, bytes that travelled, requests). `unsure`: nothing told where some object ends, so it may
    have been cut off on its way.
    """

    def __init__(self, place):
        self.place = place
        self.bytes = self.requests = 0
        self.unsure = False
        self._lock = threading.Lock()  # chunks of a frame are fetched side by side
        self._kept = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def enter(self):
        """The store itself, if an image is there; its first object is kept, so asking for it again costs nothing."""
        refused = None
        for key in ENTRIES:
            try:
                self._kept[key] = self.get(key)
            except NotReadable as failure:  # how some archives answer for what they do not have
                refused = failure
                continue
            if self._kept[key] is not None:
                return self
        raise refused or MissingWell(f"{self.place}: there is no OME-Zarr image (no {' and no '.join(ENTRIES)}).")

    def get(self, key, start=None, stop=None):
        """An object's bytes, cut from start to before stop as Python cuts: (-8, None) is its end. None if absent."""
        if key in self._kept:
            return self._kept[key]
        payload, travelled, requests = self.fetch(key, start, stop)
        with self._lock:
            self.bytes += travelled
            self.requests += requests
        return payload

    def too_large(self, key, size):
        """The failure of an object of which more than LARGEST would have to be read."""
        return NotReadable(f"{self.place}/{key}: {size:,} bytes at once are asked for; {LARGEST:,} are the most.")
