"""Files on a web server: only the byte ranges that are looked at travel, and every answer is checked."""

import os
import random
import re
import tempfile
import threading
import time
from urllib.parse import urlsplit

import requests
from requests.exceptions import ConnectTimeout, InvalidURL, ReadTimeout, SSLError, TooManyRedirects
from urllib3.exceptions import HTTPError, ReadTimeoutError

from idrstream.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, RangedFile
from idrstream.sources.file import LocalFile

CONNECT_S = 10
READ_S = 60  # silence after which a connection counts as dead
WAITS_S = (1, 2, 4, 8)  # between five tries; each varied by half, so that tasks do not come back all at once
LONGEST_WAIT_S = 30  # of those that a busy server may ask for
PATIENCE_S = 300  # after which no further try is made
SLOWEST = 50_000  # bytes per second; below this a server counts as stalled
BLOCK = 64 * 1024  # bytes taken from the network at once
CONNECTIONS = 8  # kept open per server

_sessions = {}
_sessions_lock = threading.Lock()


def open_location(location, root=None, cache=None):
    """Open the file at a URL, see `idrstream.sources`."""
    link = _Link(location)
    return link.get(0, FIRST_READ, lambda response: _opened(link, response, cache))


def probe(location, root=None):
    """Raise Unreachable if no web server answers there; that it refuses this very address does not matter."""
    try:
        _Link(location).get(0, 1, lambda response: None)
    except (MissingWell, NotReadable):
        return


def _opened(link, response, cache):
    """The file behind the answer to its first request: the server gives ranges (206), or the whole only (200)."""
    if response.status_code == 200:
        return DownloadedFile(link, response, cache)
    return HttpFile(link, response)


class HttpFile(RangedFile):
    """A file on a server that gives ranges."""

    def __init__(self, link, response):
        super().__init__()
        self._link = link
        self.size = _total(response)
        self._version = _version(response)
        self._keep(0, self._checked(response, 0, min(FIRST_READ, self.size)))

    @property
    def bytes(self):
        return self._link.bytes

    @property
    def requests(self):
        return self._link.requests

    def fetch(self, start, stop):
        return self._link.get(start, stop, lambda response: self._checked(response, start, stop))

    def _checked(self, response, start, stop):
        """The payload, if it is the range that was asked for, of the file that was opened."""
        if response.status_code == 416 and stop == 0:  # how a server answers for a file of 0 bytes
            return b""
        if response.status_code == 200:
            raise _Broken("the server stopped giving parts of the file")
        if (_total(response), _version(response)) != (self.size, self._version):
            raise Unreachable(f"{self._link.url}: the file changed while it was read; the next run reads it anew.")
        if not response.headers["Content-Range"].startswith(f"bytes {start}-{stop - 1}/"):
            raise _Broken(f"the server sent {response.headers['Content-Range']!r} for bytes {start}-{stop - 1}")
        payload = b"".join(self._link.body(response))
        if len(payload) != stop - start:
            raise _Broken(f"the server sent {len(payload):,} instead of {stop - start:,} bytes")
        return payload


class DownloadedFile(LocalFile):
    """A file of a server that does not give ranges: fetched whole, read from disk, deleted when closed."""

    def __init__(self, link, response, cache):
        handle, part = tempfile.mkstemp(suffix=".part", dir=cache)
        whole = part.removesuffix(".part")
        try:
            with open(handle, "wb") as file:
                for piece in link.body(response):
                    file.write(piece)
                promised = response.headers.get("Content-Length")
                if promised is not None and file.tell() != int(promised):
                    raise _Broken(f"the server sent {file.tell():,} instead of {int(promised):,} bytes")
            os.rename(part, whole)
        except BaseException:
            os.unlink(part)
            raise
        super().__init__(whole)
        self._link = link

    @property
    def bytes(self):
        return self._link.bytes

    @property
    def requests(self):
        return self._link.requests

    def close(self):
        if not self.closed:
            os.unlink(self.name)
        super().close()


class _Broken(Exception):
    """An answer that another try may better.

    wait  seconds that the server asks to be left alone for
    """

    def __init__(self, reason, wait=0):
        super().__init__(reason)
        self.wait = wait


class _Link:
    """GET requests for ranges of one URL, tried again where that may help, counted."""

    def __init__(self, url):
        self.url = url
        self.bytes = self.requests = 0

    def get(self, start, stop, take):
        """take(response) of the first answer that is whole; Unreachable if there is none."""
        deadline = time.monotonic() + PATIENCE_S
        for pause in (*WAITS_S, None):
            try:
                return self._try(start, stop, take)
            except (requests.RequestException, HTTPError, _Broken) as error:
                reason = _reason(error)
                wait = max(getattr(error, "wait", 0), (pause or 0) * random.uniform(0.5, 1.5))
            if pause is None or time.monotonic() + wait > deadline:
                raise Unreachable(f"{self.url}: {reason}, in try after try; the next run tries again.")
            time.sleep(wait)

    def body(self, response):
        """The payload in pieces, as it arrives."""
        started, already = time.monotonic(), self.bytes
        for piece in response.raw.stream(BLOCK, decode_content=False):
            self.bytes += len(piece)
            if time.monotonic() > started + READ_S + (self.bytes - already) / SLOWEST:
                raise _Broken("the server sends too slowly")
            yield piece

    def _try(self, start, stop, take):
        self.requests += 1
        asked = {"Range": f"bytes={start}-{stop - 1}"}
        with _session(self.url).get(self.url, headers=asked, stream=True, timeout=(CONNECT_S, READ_S)) as response:
            status = response.status_code
            if status in (200, 206, 416):
                return take(response)
            if status in (404, 410):
                raise MissingWell(f"{self.url}: the server has no such file ({status}).")
            if status in (401, 403):
                raise NotReadable(
                    f"{self.url}: the server refuses to give this file ({status}); "
                    "it needs a login, or does not exist (some archives answer so)."
                )
            if status in (408, 429) or status >= 500:
                raise _Broken(f"the server is busy or out of order ({status})", wait=_asked_wait(response))
            raise NotReadable(f"{self.url}: the server does not understand the request ({status} {response.reason}).")


def _session(url):
    """The session of a server: it keeps connections open, so that a request costs one round trip."""
    server = urlsplit(url)[:2]
    with _sessions_lock:
        if server not in _sessions:
            session = _sessions[server] = requests.Session()
            session.mount(f"{server[0]}://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
            session.headers.update({"User-Agent": "idrstream", "Accept-Encoding": "identity"})  # gzip shifts ranges
        return _sessions[server]


def _total(response):
    """Bytes of the whole file, from `Content-Range: bytes 0-9/1000` or, of an empty one, `bytes */0`."""
    total = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
    if total is None:
        raise _Broken("the server does not say which part of the file it sends")
    return int(total[1])


def _version(response):
    """What changes with the file. The date first: twin servers behind one name may disagree on a file's ETag."""
    return response.headers.get("Last-Modified") or response.headers.get("ETag")


def _asked_wait(response):
    seconds = response.headers.get("Retry-After", "")
    return min(int(seconds), LONGEST_WAIT_S) if seconds.isdecimal() else 0


def _reason(error):
    """What went wrong, as part of a sentence."""
    if isinstance(error, _Broken):
        return str(error)
    if isinstance(error, ConnectTimeout):
        return f"the server did not answer within {CONNECT_S} s"
    if isinstance(error, ReadTimeout | ReadTimeoutError):
        return f"the server was silent for {READ_S} s"
    if isinstance(error, SSLError):
        return "the server's certificate could not be verified"
    if isinstance(error, InvalidURL | TooManyRedirects):
        return "this address leads nowhere"
    if "NameResolutionError" in repr(error):
        return "no server of this name is known; check the address and this machine's network"
    if "refused" in str(error):
        return "the server refused the connection"
    return f"the connection broke off ({type(error).__name__})"
