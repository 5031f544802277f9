"""Files on a web server: only the byte ranges that are read are downloaded, and every response is checked."""

import re
import threading
import zlib
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from idrstream import sources
from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, RangedFile
from idrstream.sources.retry import DownloadedFile, TemporaryFailure, check_rate, with_retries
from idrstream.sources.store import LARGEST, Store
from idrstream.sources.web_errors import (
    CONNECT_S,
    READ_S,
    check_certificates,
    failure_of,
    login_at_proxy,
    retry_after,
)

WAITS_S = (1, 2, 4, 8)  # between five tries
BLOCK = 64 * 1024  # bytes read from the network at once
GZIP = zlib.MAX_WBITS | 16  # zlib's name of the gzip format

_sessions = {}
_sessions_lock = threading.Lock()


def open_location(location, root=None, cache=None):
    """Open the file at a URL, see `idrstream.sources`."""
    link = _Link(location)

    def opened(response):
        return _opened(link, response, cache)

    file = link.get(0, FIRST_READ, opened)
    if file is None and link.measure():
        file = link.get(0, FIRST_READ, opened)
    return file or link.get(None, None, lambda response: _whole(link, response, cache))


def open_folder(location, root=None):
    """What lies below a URL, see `idrstream.sources`."""
    return HttpStore(location)


def probe(location, root=None):
    """Raise Unreachable if no web server answers there; whether it has this file does not matter."""
    try:
        _Link(location).get(0, 1, None)
    except (MissingWell, NotReadable):
        return


def check_parts(location):
    """Raise NotReadable unless parts of the file at a URL can be had: others are downloaded whole to be opened."""
    link = _Link(location)

    def usable(response):
        empty = response.status_code == 416
        part = response.status_code == 206 and not link.packing(response)
        return empty or (part and link.total(response) is not None)

    if not link.get(0, 1, usable) and not link.measure():
        raise NotReadable(f"{location}: the server sends this file whole only, not parts of it; copy it to a disk.")


def _opened(link, response, cache):
    """The file of a response: the server sends ranges (206), or whole files only (200).

    None where its ranges cannot be used: of a compressed file, or one of unknown size.
    """
    if response.status_code == 200:
        return _whole(link, response, cache)
    if response.status_code == 416 and "Content-Range" not in response.headers:
        raise NotReadable(f"{link.url}: the server has no byte of this file (416); it may be empty.")
    if link.packing(response) or link.total(response) is None:
        return None
    return HttpFile(link, response)


def _whole(link, response, cache):
    if response.status_code != 200:
        raise TemporaryFailure("the server sent a part of the file in response to a request for all of it")
    return DownloadedFile(link, cache, lambda part: _download(link, response, part))


class HttpFile(RangedFile):
    """A file on a server that sends ranges."""

    def __init__(self, link, response):
        super().__init__(link)
        self.size = link.total(response)
        self.version = _version(response)
        self._keep(0, self._checked(response, 0, min(FIRST_READ, self.size)))

    def fetch(self, start, stop):
        return self._link.get(start, stop, lambda response: self._checked(response, start, stop))

    def _checked(self, response, start, stop):
        """The payload, if it is the requested range of the file that was opened."""
        if response.status_code == 416 and stop == 0:  # how servers respond for an empty file
            return b""
        if response.status_code == 200:
            raise TemporaryFailure("the server stopped sending parts of the file")
        if (self._link.total(response), _version(response)) != (self.size, self.version):
            raise Unreachable(f"{self._link.url}: the file changed while it was read; the next run reads it anew.")
        if (sent := _content_range(response))[:2] != (start, stop):
            raise TemporaryFailure(f"the server sent {sent} for bytes {start}-{stop - 1}")
        payload = b"".join(self._link.body(response))
        if len(payload) != stop - start:
            raise TemporaryFailure(f"the server sent {len(payload):,} instead of {stop - start:,} bytes")
        return payload


class HttpStore(Store):
    """The objects below an address, whole or in parts; its version is that of the object that was read first."""

    version = None

    def fetch(self, key, start, stop):
        address = urlsplit(self.place)
        link = _Link(address._replace(path=f"{address.path.rstrip('/')}/{quote(key)}").geturl())
        try:
            payload = link.get(start, stop, lambda response: self._checked(link, key, response, start, stop))
        except MissingWell:
            payload = None
        self.unsure = self.unsure or link.unsure
        return payload, link.bytes, link.requests

    def _checked(self, link, key, response, start, stop):
        """The payload, if it is what was requested; a server without ranges sends the whole object."""
        if response.status_code == 416:  # the range lies behind the object's end
            return b""
        part = response.status_code == 206
        self.version = self.version or _version(response)
        if part:
            if packing := link.packing(response):
                raise NotReadable(
                    f"{link.url}: the server stores this object compressed ({packing}), so no part of it can be read; "
                    "store it without Content-Encoding, or copy it to a disk."
                )
            sent = _content_range(response)
            first, end, _ = slice(start, stop).indices(sent.stop if sent.total is None else sent.total)
            if sent[:2] != (first, end):
                raise TemporaryFailure(f"the server sent {sent} for bytes {first}-{end - 1}")
            self._bound(key, end - first)
        payload = bytearray()
        for piece in link.body(response):
            payload += piece
            self._bound(key, len(payload))
        if part and len(payload) != end - first:
            raise TemporaryFailure(f"the server sent {len(payload):,} instead of {end - first:,} bytes")
        return bytes(payload if part else payload[start:stop])

    def _bound(self, key, size):
        if size > LARGEST:
            raise self.too_large(key, size)


def _download(link, response, part):
    """Write the payload to a file."""
    with open(part, "wb") as file:
        for piece in link.body(response):
            file.write(piece)


class _Link:
    """GET requests for one URL or ranges of it: retried where that may help, and counted.

    unsure  the server did not state the length of a body, so it may have been cut off, though two had the same length
    """

    def __init__(self, url):
        self.url = url
        self.bytes = self.requests = 0
        self.unsure = False
        self._size = self._length = None  # of the file; of the last body of unstated length

    def get(self, start, stop, take):
        """take(response) of the first complete response; Unreachable if there is none.

        Without `take` any response will do, one that asks to wait too.
        """

        def attempt():
            try:
                return self._try(start, stop, take)
            except (requests.RequestException, HTTPError) as error:
                raise failure_of(error, self.url) from error

        return with_retries(self.url, attempt, WAITS_S)

    def total(self, response):
        """Bytes of the whole file, by a response with a part of it or by `measure`; None if neither states them."""
        total = _content_range(response).total
        return self._size if total is None else total

    def measure(self):
        """Request the last byte alone, to learn its place. Returns whether the size of the file is known now."""

        def size(response):
            if response.status_code == 206 and not self.packing(response):
                return _content_range(response).stop
            return None

        self._size = self.get(-1, None, size)
        return self._size is not None

    def packing(self, response):
        """How a body is compressed: "gzip", or None. Raises NotReadable for any other way."""
        packing = response.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
        if packing in ("", "identity"):
            return None
        if packing != "gzip":
            raise NotReadable(
                f"{self.url}: the server sends this file compressed ({packing}), though uncompressed was requested; "
                "download it and name its folder."
            )
        return packing

    def body(self, response):
        """The payload in pieces as it arrives, decompressed; TemporaryFailure if it is incomplete."""
        return self._unpacked(self._travelling(response)) if self.packing(response) else self._travelling(response)

    def _travelling(self, response):
        promised = response.headers.get("Content-Length")
        if promised is not None and not promised.isdecimal():
            raise TemporaryFailure(f"the server states no valid length of the file (Content-Length: {promised[:80]!r})")
        count = 0
        for piece in check_rate(response.raw.stream(BLOCK, decode_content=False), READ_S):
            count += len(piece)
            self.bytes += len(piece)
            yield piece
        if promised is not None and count != int(promised):
            raise TemporaryFailure(f"the server sent {count:,} instead of {int(promised):,} bytes")
        ends = promised is not None or response.raw.chunked or response.status_code == 206 or self.packing(response)
        if not ends:
            self.unsure, before, self._length = True, self._length, count
            if before != count:
                raise TemporaryFailure(
                    "the server does not state the length of the file, and no two responses had the same length"
                )

    def _unpacked(self, pieces):
        unpack = zlib.decompressobj(GZIP)
        try:
            for piece in pieces:
                while piece:
                    if unpack.eof:  # several compressed streams may follow each other
                        unpack = zlib.decompressobj(GZIP)
                    yield unpack.decompress(piece)
                    piece = unpack.unused_data
        except zlib.error as error:
            raise NotReadable(
                f"{self.url}: the server states that this is compressed by gzip, and it is not ({error})."
            ) from error
        if not unpack.eof:
            raise TemporaryFailure("the connection broke off before the end of the compressed file")

    def _try(self, start, stop, take):
        self.requests += 1
        check_certificates()
        headers = _range(start, stop)
        with _session(self.url).get(self.url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as response:
            status = response.status_code
            if take is None and status == 202:
                return None
            if status == 206 and response.headers.get("Content-Type", "").lower().startswith("multipart/"):
                raise NotReadable(
                    f"{self.url}: the server sends parts of a file as multipart/byteranges, which are not read; "
                    "download the file and name its folder."
                )
            if status in (200, 206, 416):
                return take and take(response)
            if status in (404, 410):
                raise MissingWell(f"{self.url}: the server has no such file ({status}).")
            throttled = status == 403 and "Retry-After" in response.headers
            if status in (401, 403) and not throttled:
                raise NotReadable(
                    f"{self.url}: the server refuses access to this file ({status}); "
                    "it needs a login, or does not exist (some archives respond so)."
                )
            if status == 407:
                raise login_at_proxy(self.url)
            wait = retry_after(response.headers)
            if status == 202:
                raise TemporaryFailure("the server is still preparing the file (202), as archives on tape do", wait)
            if throttled or status in (408, 425, 429) or (status >= 500 and status not in (501, 505)):
                raise TemporaryFailure(f"the server is busy or has an error ({status})", wait)
            raise NotReadable(f"{self.url}: the server did not send the file ({status} {response.reason}).")


def _session(url):
    """The session of a server, which keeps connections open, so that a request costs one round trip."""
    server = *urlsplit(url)[:2], sources.connections
    with _sessions_lock:
        if server not in _sessions:
            session = _sessions[server] = requests.Session()
            adapter = requests.adapters.HTTPAdapter(pool_maxsize=sources.connections, pool_block=True)
            session.mount(f"{server[0]}://", adapter)
            session.headers.update({"User-Agent": "idrstream", "Accept-Encoding": "identity"})  # gzip shifts ranges
        return _sessions[server]


def _range(start, stop):
    """The header that requests the bytes from start to before stop, as in a Python slice: (-8, None) is the end."""
    if start is None:
        return {}
    if start < 0:
        return {"Range": f"bytes={start}"}
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}


class _ContentRange(NamedTuple):
    """Which part of a file a response has."""

    start: int | None  # None, with stop: no part
    stop: int | None
    total: int | None  # bytes of the whole file; None: not stated

    def __str__(self):
        return f"bytes {self.start}-{self.stop and self.stop - 1}"


def _content_range(response):
    """Content-Range of a response: `bytes 0-9/1000`, `bytes */0` of an empty file, `bytes 0-9/*` of unknown size."""
    header = response.headers.get("Content-Range", "")
    part = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(?:(\d+)|\*)", header, re.I)
    if part is None:
        raise TemporaryFailure(
            f"the server does not state which part of the file it sends (Content-Range: {header[:80]!r})"
        )
    start, last, total = (number and int(number) for number in part.groups())
    return _ContentRange(start, last if last is None else last + 1, total)


def _version(response):
    """What changes with the file: its date first, since mirrors behind one name may differ in a file's ETag."""
    return response.headers.get("Last-Modified") or response.headers.get("ETag")
