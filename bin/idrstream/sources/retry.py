"""What every far source does: try again what may heal, call a trickle a stall, keep on disk what only comes whole."""

import os
import random
import tempfile
import time

from idrstream.base.failures import Unreachable
from idrstream.sources import Counted
from idrstream.sources.file import LocalFile

PATIENCE_S = 300  # after which no further try is made
SLOWEST = 50_000  # bytes per second; below this a server counts as stalled


class Broken(Exception):
    """What another try may better. Its text is part of a sentence.

    wait  seconds that the server asks to be left alone for
    """

    def __init__(self, reason, wait=0):
        super().__init__(reason)
        self.wait = wait


def persist(location, attempt, waits, patience=PATIENCE_S):
    """What attempt() returns, made again as long as it raises Broken and that may help; then Unreachable.

    waits     seconds between the tries; each is varied by half, so that tasks do not come back all at once
    patience  seconds after which no further try is made
    """
    deadline = time.monotonic() + patience
    for pause in (*waits, None):
        try:
            return attempt()
        except Broken as broken:
            reason, wait = broken, max(broken.wait, (pause or 0) * random.uniform(0.5, 1.5))
        if pause is None or time.monotonic() + wait > deadline:
            raise Unreachable(f"{location}: {reason}, in try after try; the next run tries again.") from reason
        time.sleep(wait)


def steady(pieces, grace):
    """The pieces, as they arrive; Broken if they trickle, once `grace` seconds have passed."""
    started, count = time.monotonic(), 0
    for piece in pieces:
        yield piece
        count += len(piece)
        if time.monotonic() > started + grace + count / SLOWEST:
            raise Broken("the server sends too slowly")


class DownloadedFile(Counted, LocalFile):
    """A file that can only be had whole: fetched, read from disk, deleted when closed.

    link   counts what it cost: `bytes`, `requests`
    fetch  fetch(part) brings the file, whole, to that path

    `unsure` says of a link, and then of the file, that nothing told where it ends: it may have been cut off.
    """

    def __init__(self, link, cache, fetch):
        handle, part = tempfile.mkstemp(suffix=".part", dir=cache)
        os.close(handle)
        whole = part.removesuffix(".part")
        try:
            fetch(part)
            os.rename(part, whole)
        except BaseException:
            os.unlink(part)
            raise
        super().__init__(whole)
        self._link = link
        self.unsure = getattr(link, "unsure", False)

    def close(self):
        if not self.closed:
            os.unlink(self.name)
        super().close()
