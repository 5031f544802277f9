"""What remote sources share: retries, detection of stalls, and files that can only be downloaded whole."""

import os
import random
import tempfile
import time

from idrstream.base.failures import Unreachable
from idrstream.sources import Counted
from idrstream.sources.file import LocalFile

PATIENCE_S = 300  # after which no further try is made
SLOWEST = 50_000  # bytes per second; below this a server counts as stalled


class TemporaryFailure(Exception):
    """A failure that another try may cure. Its text is part of a sentence.

    wait  seconds that the server asks clients to wait
    """

    def __init__(self, reason, wait=0):
        super().__init__(reason)
        self.wait = wait


def with_retries(location, attempt, waits, patience=PATIENCE_S):
    """What attempt() returns. It is called again while it raises TemporaryFailure; after the last try: Unreachable.

    waits     seconds between the tries; each is varied by half, so that tasks do not come back all at once
    patience  seconds after which no further try is made
    """
    deadline = time.monotonic() + patience
    for pause in (*waits, None):
        try:
            return attempt()
        except TemporaryFailure as failure:
            reason, wait = failure, max(failure.wait, (pause or 0) * random.uniform(0.5, 1.5))
        if pause is None or time.monotonic() + wait > deadline:
            raise Unreachable(f"{location}: {reason}, in try after try; the next run tries again.") from reason
        time.sleep(wait)


def check_rate(pieces, grace):
    """Pass the pieces on as they arrive; raise TemporaryFailure if they arrive too slowly after `grace` seconds."""
    started, count = time.monotonic(), 0
    for piece in pieces:
        yield piece
        count += len(piece)
        if time.monotonic() > started + grace + count / SLOWEST:
            raise TemporaryFailure("the server sends too slowly")


class DownloadedFile(Counted, LocalFile):
    """A file that can only be downloaded whole: read from a disk, and deleted when it is closed.

    link   counts what it costs: `bytes`, `requests`
    fetch  fetch(path) downloads the file to that path

    `unsure`, of a link and of the file: the server did not state its length, so it may have been cut off.
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
        self._link, self.version = link, None  # the file's on the disk is that of the download
        self.unsure = getattr(link, "unsure", False)

    def close(self):
        if not self.closed:
            os.unlink(self.name)
        super().close()
