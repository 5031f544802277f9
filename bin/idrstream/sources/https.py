"""Files on a web server: only the byte ranges that are looked at travel, and every answer is checked."""

import re
import threading
from urllib.parse import quote, urlsplit

import requests
from requests.exceptions import ConnectTimeout, InvalidURL, ReadTimeout, SSLError, TooManyRedirects
from urllib3.exceptions import HTTPError, ReadTimeoutError

from idrstream import sources
from idrstream.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, RangedFile
from idrstream.sources.retry import Broken, DownloadedFile, persist, steady
from idrstream.sources.store import LARGEST, Store

CONNECT_S = 10
READ_S = 60  # silence after which a connection counts as dead
WAITS_S = (1, 2, 4, 8)  # between five tries
LONGEST_WAIT_S = 30  # of those that a busy server may ask for
BLOCK = 64 * 1024  # bytes taken from the network at once

_sessions = {}
_sessions_lock = threading.Lock()


def open_location(location, root=None, cache=None):
    """Open the file at a URL, see `idrstream.sources`."""
    link = _Link(location)
    return link.get(0, FIRST_READ, lambda response: _opened(link, response, cache))


def open_store(location, root=None):
    """Open the OME-Zarr image at a URL, see `idrstream.sources`."""
    return HttpStore(location).enter()


def probe(location, root=None):
    """Raise Unreachable if no web server answers there; that it refuses this very address does not matter."""
    try:
        _Link(location).get(0, 1, lambda response: None)
    except (MissingWell, NotReadable):
        return


def _opened(link, response, cache):
    """The file behind the answer to its first request: the server gives ranges (206), or the whole only (200)."""
    if response.status_code == 200:
        return DownloadedFile(link, cache, lambda part: _download(link, response, part))
    return HttpFile(link, response)


class HttpFile(RangedFile):
    """A file on a server that gives ranges."""

    def __init__(self, link, response):
        super().__init__(link)
        self.size = _total(response)
        self._version = _version(response)
        self._keep(0, self._checked(response, 0, min(FIRST_READ, self.size)))

    def fetch(self, start, stop):
        return self._link.get(start, stop, lambda response: self._checked(response, start, stop))

    def _checked(self, response, start, stop):
        """The payload, if it is the range that was asked for, of the file that was opened."""
        if response.status_code == 416 and stop == 0:  # how a server answers for a file of 0 bytes
            return b""
        if response.status_code == 200:
            raise Broken("the server stopped giving parts of the file")
        if (_total(response), _version(response)) != (self.size, self._version):
            raise Unreachable(f"{self._link.url}: the file changed while it was read; the next run reads it anew.")
        if not response.headers["Content-Range"].startswith(f"bytes {start}-{stop - 1}/"):
            raise Broken(f"the server sent {response.headers['Content-Range']!r} for bytes {start}-{stop - 1}")
        payload = b"".join(self._link.body(response))
        if len(payload) != stop - start:
            raise Broken(f"the server sent {len(payload):,} instead of {stop - start:,} bytes")
        return payload


class HttpStore(Store):
    """The objects below an address: whole, or the parts of them that are asked for."""

    def fetch(self, key, start, stop):
        address = urlsplit(self.place)
        link = _Link(address._replace(path=f"{address.path.rstrip('/')}/{quote(key)}").geturl())
        try:
            payload = link.get(start, stop, lambda response: self._checked(link, key, response, start, stop))
        except MissingWell:
            payload = None
        return payload, link.bytes, link.requests

    def _checked(self, link, key, response, start, stop):
        """The payload, if it is what was asked for; a server that gives no parts sends the whole."""
        if response.status_code == 416:  # all of it lies behind the object's end
            return b""
        if response.status_code == 206:
            total = _total(response)
            first, end, _ = slice(start, stop).indices(total)
            length = end - first
            if response.headers["Content-Range"] != f"bytes {first}-{end - 1}/{total}":
                raise Broken(f"the server sent {response.headers['Content-Range']!r} for bytes {first}-{end - 1}")
        else:
            length = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        if (length or 0) > LARGEST:
            raise self.too_large(key, length)
        payload = bytearray()
        for piece in link.body(response):
            payload += piece
            if len(payload) > LARGEST:
                raise self.too_large(key, len(payload))
        if length not in (None, len(payload)):
            raise Broken(f"the server sent {len(payload):,} instead of {length:,} bytes")
        return bytes(payload if response.status_code == 206 else payload[start:stop])


def _download(link, response, part):
    """Write the answer to a file, whole."""
    with open(part, "wb") as file:
        for piece in link.body(response):
            file.write(piece)
        promised = response.headers.get("Content-Length")
        if promised is not None and file.tell() != int(promised):
            raise Broken(f"the server sent {file.tell():,} instead of {int(promised):,} bytes")


class _Link:
    """GET requests for one URL or ranges of it, tried again where that may help, counted."""

    def __init__(self, url):
        self.url = url
        self.bytes = self.requests = 0

    def get(self, start, stop, take):
        """take(response) of the first answer that is whole; Unreachable if there is none."""

        def attempt():
            try:
                return self._try(start, stop, take)
            except (requests.RequestException, HTTPError) as error:
                raise Broken(_reason(error)) from error

        return persist(self.url, attempt, WAITS_S)

    def body(self, response):
        """The payload in pieces, as it arrives."""
        for piece in steady(response.raw.stream(BLOCK, decode_content=False), READ_S):
            self.bytes += len(piece)
            yield piece

    def _try(self, start, stop, take):
        self.requests += 1
        asked = _range(start, stop)
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
                raise Broken(f"the server is busy or out of order ({status})", wait=_asked_wait(response))
            raise NotReadable(f"{self.url}: the server does not understand the request ({status} {response.reason}).")


def _session(url):
    """The session of a server: it keeps connections open, so that a request costs one round trip."""
    server = *urlsplit(url)[:2], sources.connections
    with _sessions_lock:
        if server not in _sessions:
            session = _sessions[server] = requests.Session()
            adapter = requests.adapters.HTTPAdapter(pool_maxsize=sources.connections, pool_block=True)
            session.mount(f"{server[0]}://", adapter)
            session.headers.update({"User-Agent": "idrstream", "Accept-Encoding": "identity"})  # gzip shifts ranges
        return _sessions[server]


def _range(start, stop):
    """Header that asks for the bytes from start to before stop, cut as Python cuts: (-8, None) is the end."""
    if start is None:
        return {}
    if start < 0:
        return {"Range": f"bytes={start}"}
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}


def _total(response):
    """Bytes of the whole file, from `Content-Range: bytes 0-9/1000` or, of an empty one, `bytes */0`."""
    total = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
    if total is None:
        raise Broken("the server does not say which part of the file it sends")
    return int(total[1])


def _version(response):
    """What changes with the file. The date first: twin servers behind one name may disagree on a file's ETag."""
    return response.headers.get("Last-Modified") or response.headers.get("ETag")


def _asked_wait(response):
    seconds = response.headers.get("Retry-After", "")
    return min(int(seconds), LONGEST_WAIT_S) if seconds.isdecimal() else 0


def _reason(error):
    """What went wrong, as part of a sentence."""
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
