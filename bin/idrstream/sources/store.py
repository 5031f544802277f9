"""An OME-Zarr image as a store of objects: each chunk of its pixels is one, with its own key."""

import threading

from idrstream.base.failures import MissingWell, NotReadable

ENTRIES = (".zattrs", "zarr.json")  # the first object of an image, by format of Zarr: 2 or 3
LARGEST = 512 * 1024 * 1024  # bytes of one answer: more of an object is only read in parts


class Store:
    """What `sources.open_folder` gives.

    A source's class sets `place`, what messages call it, and defines fetch(key, start, stop): (payload, or None where
    there is no such object; bytes downloaded; requests). `unsure`: the server did not state the length of an object, so
    it may have been cut off.
    """

    def __init__(self, place):
        self.place = place
        self.bytes = self.requests = 0
        self.unsure = False
        self._lock = threading.Lock()  # chunks are fetched in parallel
        self._first_object = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def enter(self):
        """The store itself, if there is an image in it. Its first object is kept: reading that again is free."""
        refused = None
        for key in ENTRIES:
            try:
                self._first_object[key] = self.get(key)
            except NotReadable as failure:  # how some archives answer for objects that they do not have
                refused = failure
                continue
            if self._first_object[key] is not None:
                return self
        raise refused or MissingWell(f"{self.place}: there is no OME-Zarr image (no {' and no '.join(ENTRIES)}).")

    def get(self, key, start=None, stop=None):
        """An object's bytes, cut from start to before stop as Python cuts: (-8, None) is its end. None if absent."""
        if key in self._first_object:
            return self._first_object[key]
        payload, travelled, requests = self.fetch(key, start, stop)
        with self._lock:
            self.bytes += travelled
            self.requests += requests
        return payload

    def too_large(self, key, size):
        """The failure of reading more than LARGEST bytes of an object at once."""
        return NotReadable(f"{self.place}/{key}: {size:,} bytes would be read at once; at most {LARGEST:,} are.")
