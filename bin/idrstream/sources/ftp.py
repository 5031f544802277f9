"""Files on an FTP server, anonymously: where it can start in the middle, only the bytes that are looked at travel.

A range is a transfer that starts at its first byte and is broken off after its last, which costs six round trips where
the web needs one.
"""

import atexit
import fcntl
import re
import select
import socket
import struct
import termios
import time
from contextlib import contextmanager, suppress
from ftplib import FTP, Error, error_perm, error_reply, error_temp
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources import FIRST_READ, RangedFile
from idrstream.sources.retry import Broken, DownloadedFile, persist, steady

CONNECT_S = 10
READ_S = 60  # silence after which a connection counts as dead
ENDING_S = 5  # given to a server to notice that a transfer was broken off; after that a new connection is cheaper
IDLE_S = 60  # after which a connection is not trusted to be still there
WAITS_S = (1, 2, 4, 8)  # between five tries
BLOCK = 64 * 1024  # bytes taken from the network at once
SMALL = 1024 * 1024  # bytes; a range below this gets a receive buffer of an eighth of it, for when it is broken off ...
LEAST_BUFFER = 8 * 1024  # ... the server has that much on the way in vain; the price is up to eight round trips
ANONYMOUS = (None, "anonymous", "ftp")

FULL = re.compile(r"too many|maximum|limit|busy|later|full", re.I)  # a refused login that may be let in later
ABSENT = re.compile(r"no such|not found|cannot find|not exist", re.I)
REFUSED = re.compile(r"denied|permi|allowed|is a directory|not a (plain|regular) file", re.I)

_kept = {}  # (host, port) -> [(connection, when it was last used)]: those that no thread is using


def open_location(location, root=None, cache=None):
    """Open the file at a URL, see `idrstream.sources`."""
    link = _Link(location)
    known = link.look()
    if known.size is None or not known.restarts:
        return DownloadedFile(link, cache, lambda part: link.copy(part, known))
    return FtpFile(link, known)


def probe(location, root=None):
    """Raise Unreachable unless an FTP server lets us in there; that no file can have this very name does not matter."""
    with suppress(NotReadable):
        _Link(location).ask(lambda connection: None)


class FtpFile(RangedFile):
    """A file on a server that can start in the middle of it."""

    def __init__(self, link, known):
        super().__init__(link)
        self._known = known
        self.size = known.size
        if self.size:
            self._keep(0, self.fetch(0, min(FIRST_READ, self.size)))

    def fetch(self, start, stop):
        return self._link.get(start, stop, self._known)


class _Known(NamedTuple):
    """What a server says of a file and of itself."""

    size: int | None  # bytes
    date: str | None  # of the last change
    restarts: bool  # can it start a transfer in the middle?


class _Link:
    """Questions and transfers of one URL, tried again where that may help, counted."""

    def __init__(self, url):
        address = urlsplit(url)
        if not address.hostname or address.username not in ANONYMOUS:
            raise ValueError(f"ftp://{address.hostname or ''}: an address without a login is needed: ftp://server/path")
        self.url = url
        self.server = (address.hostname, address.port or 21)
        self.bytes = self.requests = 0
        self._path = _as_latin(unquote(address.path))
        if re.search(r"[\0-\37]", self._path):
            raise NotReadable(f"{url}: no file has such a name.")

    def look(self):
        """What there is to know before anything travels. That a file is missing only its transfer says for certain."""

        def attempt(connection):
            size = connection.facts("SIZE", self._path)
            date = connection.facts("MDTM", self._path)
            return _Known(int(size) if (size or "").isdecimal() else None, date, connection.restarts())

        return self.ask(attempt)

    def get(self, start, stop, known):
        """The bytes from start to before stop, of the file that is known."""

        def attempt(connection):
            payload = b"".join(steady(connection.pieces(self._path, start, stop), READ_S))
            if len(payload) != stop - start:
                self._check(connection, known)
                raise Broken(f"the server sent {len(payload):,} instead of {stop - start:,} bytes")
            return payload

        payload = self.ask(attempt)
        self.ask(lambda connection: self._check(connection, known))  # not of the one above: it may be given up
        return payload

    def copy(self, part, known):
        """Write the whole file to a path. A try goes on where the last one broke off, if it is still the same file."""
        resumes = known.restarts and (known.size, known.date) != (None, None)
        with open(part, "wb") as file:

            def attempt(connection):
                if not resumes:
                    file.seek(0)
                    file.truncate()
                for piece in steady(connection.pieces(self._path, file.tell()), READ_S):
                    file.write(piece)
                self._check(connection, known)
                if known.size not in (None, file.tell()):
                    raise Broken(f"the server sent {file.tell():,} instead of {known.size:,} bytes")

            self.ask(attempt)

    def ask(self, attempt):
        """What attempt(connection) returns; Unreachable if it fails each time."""

        def counted():
            with _connection(self.server) as connection:
                before = connection.received, connection.requests
                try:
                    return attempt(connection)
                except error_perm as error:
                    raise self._refusal(_said(error)) from None
                finally:
                    self.bytes += connection.received - before[0]
                    self.requests += connection.requests - before[1]

        return persist(self.url, counted, WAITS_S)

    def _check(self, connection, known):
        """Asked after a transfer, so that a change during it is noticed too."""
        command, before = ("MDTM", known.date) if known.date else ("SIZE", known.size and str(known.size))
        if before and connection.facts(command, self._path) != before:
            raise Unreachable(f"{self.url}: the file changed while it was read; the next run reads it anew.")

    def _refusal(self, said):
        """What a 5xx answer to a transfer means. Servers differ in their words only, and some do not tell why."""
        if said.startswith("53"):
            return _no_entry(self.url, said)
        if ABSENT.search(said) or (said.startswith("550") and not REFUSED.search(said)):
            return MissingWell(f"{self.url}: the server has no such file ({said}).")
        return NotReadable(f"{self.url}: the server refuses to give this file ({said}).")


class _Connection(FTP):
    """A control connection, logged in. What a network does to it is raised as Broken, a clear no as error_perm."""

    def __init__(self, server):
        super().__init__(encoding="latin-1")  # every byte is a character, so no name and no greeting is an error
        self.received = self.requests = 0  # payload bytes, whether wanted or not; questions about files
        self.usable = True
        try:
            with _network(f"the server did not answer within {CONNECT_S} s"):
                self.connect(*server, timeout=CONNECT_S)
                self.sock.settimeout(READ_S)
                self.login()
                self.voidcmd("TYPE I")
        except error_perm as error:
            self.close()
            said = _said(error)
            if FULL.search(said):
                raise Broken(f"the server lets nobody else in ({said})") from None
            raise _no_entry(f"ftp://{server[0]}", said) from None
        except BaseException:
            self.close()
            raise

    def facts(self, command, path):
        """What the server answers to SIZE or MDTM; None if it does not say."""
        self.requests += 1
        with _network(), suppress(error_perm):
            reply = self.sendcmd(f"{command} {path}")
            if not reply.startswith("213"):  # the end of something before: this connection is out of step
                raise error_reply(reply)
            return reply[3:].strip()
        return None

    def restarts(self):
        """Can the server start a transfer in the middle?"""
        with _network(), suppress(error_perm):
            return self.sendcmd("REST 0").startswith("350")
        return False

    def pieces(self, path, start, stop=None):
        """The file from start on, as it arrives; with `stop`, broken off there."""
        self.requests += 1
        wanted = float("inf") if stop is None else stop - start
        with _network():
            with self._transfer(path, start, wanted) as data:
                while wanted > 0 and (piece := data.recv(min(BLOCK, wanted))):
                    wanted -= len(piece)
                    self.received += len(piece)
                    yield piece
                self.received += _unread(data)
            if wanted > 0:
                self.voidresp()  # the server ended it, and says whether that was the whole
            else:
                self._break_off()

    @contextmanager
    def _transfer(self, path, start, wanted):
        """A data connection on which the file arrives."""
        host, port = self.makepasv()
        with socket.socket(self.af) as data:
            if wanted < SMALL:
                data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(wanted // 8, LEAST_BUFFER))
            data.settimeout(CONNECT_S)
            try:
                data.connect((host, port))
            except OSError:
                raise Broken(f"the server's port {port}, for data, is out of reach; is there a firewall?") from None
            data.settimeout(READ_S)
            if start:
                try:
                    self.sendcmd(f"REST {start}")
                except error_perm:
                    raise Broken("the server stopped giving parts of the file") from None
            reply = self.sendcmd(f"RETR {path}")
            if reply.startswith("2"):  # some send an OK before they begin
                reply = self.getresp()
            if not reply.startswith("1"):
                raise error_reply(reply)
            yield data

    def _break_off(self):
        """Hear what the server says to a transfer that we ended: that it failed (426, 451, 550) or is done (226).

        If it says nothing the connection is given up, not the bytes that have come.
        """
        self.sock.settimeout(ENDING_S)
        try:
            with suppress(error_temp, error_perm):
                self.voidresp()
        except (OSError, EOFError, Error):
            self.usable = False
        self.sock.settimeout(READ_S)


@contextmanager
def _connection(server):
    """A connection that no other thread is using: one that was kept, if it is still there, or a new one."""
    connection = _free(server) or _Connection(server)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    if connection.usable:
        _kept.setdefault(server, []).append((connection, time.monotonic()))
    else:
        connection.close()


def _free(server):
    kept = _kept.get(server, [])
    while kept:
        with suppress(IndexError):  # another thread took it
            connection, since = kept.pop()
            silent = not select.select([connection.sock], [], [], 0)[0]  # else it hung up, or says what nobody asked
            if silent and time.monotonic() < since + IDLE_S:
                return connection
            connection.close()
    return None


@atexit.register
def hang_up():
    """Close the connections that were kept."""
    for kept in _kept.values():
        while kept:
            connection, _ = kept.pop()
            with suppress(OSError):
                connection.putcmd("QUIT")
            connection.close()


@contextmanager
def _network(silent=None):
    """Raise as Broken what a network or a busy server does; `silent` says it of a server that does not answer."""
    try:
        yield
    except error_perm:
        raise
    except TimeoutError:
        raise Broken(silent or f"the server was silent for {READ_S} s") from None
    except (OSError, EOFError, Error) as error:
        raise Broken(_reason(error)) from error


def _reason(error):
    """What went wrong, as part of a sentence."""
    if isinstance(error, error_temp):
        return f"the server is busy or out of order ({_said(error)})"
    if isinstance(error, Error):
        return f"the server answers what it was not asked ({_said(error)})"
    if isinstance(error, socket.gaierror):
        return "no server of this name is known; check the address and this machine's network"
    if isinstance(error, ConnectionRefusedError):
        return "the server refused the connection"
    return f"the connection broke off ({type(error).__name__})"


def _no_entry(place, said):
    return Unreachable(
        f"{place}: the server gives nothing without an account ({said}); "
        "if it has an https:// address give that, or fetch the files yourself and name their folder."
    )


def _said(error):
    """The server's own words, on one line."""
    return " ".join(str(error).encode("latin-1", "replace").decode(errors="replace").split())[:200]


def _as_latin(text):
    """Text whose characters are the bytes that `text` is in UTF-8."""
    return text.encode().decode("latin-1")


def _unread(data):
    """Bytes that have arrived at a socket and that nobody looked at."""
    return struct.unpack("i", fcntl.ioctl(data, termios.FIONREAD, b"\0" * 4))[0]
