"""Files on an FTP server, read anonymously; only the ranges that are read are downloaded, if the server can resume.

A range is a transfer from its first byte on, aborted after its last: six round trips, where HTTP needs one.
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
from idrstream.sources.retry import DownloadedFile, TemporaryFailure, check_rate, with_retries

CONNECT_S = 10
READ_S = 60  # without a byte, after which a connection is given up
ENDING_S = 5  # for a server to notice that a transfer was aborted; after that a new connection is cheaper
IDLE_S = 60  # after which a connection may have been closed by the server
WAITS_S = (1, 2, 4, 8)  # between five tries
BLOCK = 64 * 1024  # bytes taken from the network at once
SMALL = 1024 * 1024  # bytes; a smaller range gets a receive buffer of an eighth of it: what the server sends in vain
LEAST_BUFFER = 8 * 1024  # bytes of such a buffer; a smaller one costs more round trips
ANONYMOUS = (None, "anonymous", "ftp")

FULL = re.compile(r"too many|maximum|limit|busy|later|full", re.I)  # a refused login that may be let in later
ABSENT = re.compile(r"no such|not found|cannot find|not exist", re.I)
REFUSED = re.compile(r"denied|permi|allowed|is a directory|not a (plain|regular) file", re.I)

_idle = {}  # (host, port) -> [(connection, time of its last use)]: those that no thread is using


def open_location(location, root=None, cache=None):
    """Open the file at a URL, see `idrstream.sources`."""
    link = _Link(location)
    facts = link.facts()
    if facts.size is None or not facts.restarts:
        return DownloadedFile(link, cache, lambda part: link.copy(part, facts))
    return FtpFile(link, facts)


def probe(location, root=None):
    """Raise Unreachable unless an FTP server accepts a login there; whether the file exists does not matter."""
    with suppress(NotReadable):
        _Link(location).run(lambda connection: None)


class FtpFile(RangedFile):
    """A file on a server that can start a transfer in the middle of it."""

    def __init__(self, link, facts):
        super().__init__(link)
        self._facts = facts
        self.size = facts.size
        if self.size:
            self._keep(0, self.fetch(0, min(FIRST_READ, self.size)))

    def fetch(self, start, stop):
        return self._link.get(start, stop, self._facts)


class _Facts(NamedTuple):
    """What a server states of a file and of itself."""

    size: int | None  # bytes
    date: str | None  # of the last change
    restarts: bool  # can it start a transfer in the middle?


class _Link:
    """Commands and transfers for one URL: retried where that may help, and counted."""

    def __init__(self, url):
        address = urlsplit(url)
        if not address.hostname or address.username not in ANONYMOUS:
            raise ValueError(f"ftp://{address.hostname or ''}: an address without a login is needed: ftp://server/path")
        self.url = url
        self.server = (address.hostname, address.port or 21)
        self.bytes = self.requests = 0
        self._path = _latin_1(unquote(address.path))
        if re.search(r"[\0-\37]", self._path):
            raise NotReadable(f"{url}: no file has such a name.")

    def facts(self):
        """The _Facts, before anything is downloaded. That a file is missing, only its transfer tells for certain."""

        def attempt(connection):
            size = connection.facts("SIZE", self._path)
            date = connection.facts("MDTM", self._path)
            return _Facts(int(size) if (size or "").isdecimal() else None, date, connection.restarts())

        return self.run(attempt)

    def get(self, start, stop, facts):
        """The bytes from start to before stop of the file, which must still have these facts."""

        def attempt(connection):
            payload = b"".join(check_rate(connection.pieces(self._path, start, stop), READ_S))
            if len(payload) != stop - start:
                self._check(connection, facts)
                raise TemporaryFailure(f"the server sent {len(payload):,} instead of {stop - start:,} bytes")
            return payload

        payload = self.run(attempt)
        self.run(lambda connection: self._check(connection, facts))  # the connection of the transfer may be closed
        return payload

    def copy(self, part, facts):
        """Write the whole file to a path. A try resumes the last one, if it is still the same file."""
        resumes = facts.restarts and (facts.size, facts.date) != (None, None)
        with open(part, "wb") as file:

            def attempt(connection):
                if not resumes:
                    file.seek(0)
                    file.truncate()
                for piece in check_rate(connection.pieces(self._path, file.tell()), READ_S):
                    file.write(piece)
                self._check(connection, facts)
                if facts.size not in (None, file.tell()):
                    raise TemporaryFailure(f"the server sent {file.tell():,} instead of {facts.size:,} bytes")

            self.run(attempt)

    def run(self, attempt):
        """What attempt(connection) returns; Unreachable if it fails each time."""

        def counted():
            with _connection(self.server) as connection:
                before = connection.received, connection.requests
                try:
                    return attempt(connection)
                except error_perm as error:
                    raise self._refusal(_reply_of(error)) from None
                finally:
                    self.bytes += connection.received - before[0]
                    self.requests += connection.requests - before[1]

        return with_retries(self.url, counted, WAITS_S)

    def _check(self, connection, facts):
        """Raise Unreachable if the file has changed. Called after a transfer, to notice a change during it."""
        command, before = ("MDTM", facts.date) if facts.date else ("SIZE", facts.size and str(facts.size))
        if before and connection.facts(command, self._path) != before:
            raise Unreachable(f"{self.url}: the file changed while it was read; the next run reads it anew.")

    def _refusal(self, reply):
        """The failure that a 5xx reply to a transfer means: servers differ in wording, and some give no reason."""
        if reply.startswith("53"):
            return _login_refused(self.url, reply)
        if ABSENT.search(reply) or (reply.startswith("550") and not REFUSED.search(reply)):
            return MissingWell(f"{self.url}: the server has no such file ({reply}).")
        return NotReadable(f"{self.url}: the server refuses access to this file ({reply}).")


class _Connection(FTP):
    """A control connection, logged in. Raises TemporaryFailure for network errors, error_perm for permanent replies."""

    def __init__(self, server):
        super().__init__(encoding="latin-1")  # every byte is a character, so no name and no greeting is an error
        self.received = self.requests = 0  # payload bytes, with those sent in vain; commands about files
        self.usable = True
        try:
            with _network(f"the server did not answer within {CONNECT_S} s"):
                self.connect(*server, timeout=CONNECT_S)
                self.sock.settimeout(READ_S)
                self.login()
                self.voidcmd("TYPE I")
        except error_perm as error:
            self.close()
            reply = _reply_of(error)
            if FULL.search(reply):
                raise TemporaryFailure(f"the server accepts no more logins ({reply})") from None
            raise _login_refused(f"ftp://{server[0]}", reply) from None
        except BaseException:
            self.close()
            raise

    def facts(self, command, path):
        """The server's reply to SIZE or MDTM; None if it has none."""
        self.requests += 1
        with _network(), suppress(error_perm):
            reply = self.sendcmd(f"{command} {path}")
            if not reply.startswith("213"):  # the reply to an earlier command: this connection is out of step
                raise error_reply(reply)
            return reply[3:].strip()
        return None

    def restarts(self):
        """Whether the server can start a transfer in the middle of a file."""
        with _network(), suppress(error_perm):
            return self.sendcmd("REST 0").startswith("350")
        return False

    def pieces(self, path, start, stop=None):
        """The file from start on, as it arrives; with `stop`, aborted there."""
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
                self.voidresp()  # the server ended it, and replies whether it was complete
            else:
                self._abort()

    @contextmanager
    def _transfer(self, path, start, wanted):
        """The data connection of a transfer."""
        host, port = self.makepasv()
        with socket.socket(self.af) as data:
            if wanted < SMALL:
                data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(wanted // 8, LEAST_BUFFER))
            data.settimeout(CONNECT_S)
            try:
                data.connect((host, port))
            except OSError:
                raise TemporaryFailure(
                    f"the server's port {port}, for data, is out of reach; is there a firewall?"
                ) from None
            data.settimeout(READ_S)
            if start:
                try:
                    self.sendcmd(f"REST {start}")
                except error_perm:
                    raise TemporaryFailure("the server stopped sending parts of the file") from None
            reply = self.sendcmd(f"RETR {path}")
            if reply.startswith("2"):  # some servers send an OK first
                reply = self.getresp()
            if not reply.startswith("1"):
                raise error_reply(reply)
            yield data

    def _abort(self):
        """Read the server's reply to an aborted transfer: failed (426, 451, 550) or complete (226).

        Without a reply the connection is given up; the bytes received are kept.
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
    """A connection that no other thread is using: an idle one, if it is still open, or a new one."""
    connection = _free(server) or _Connection(server)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    if connection.usable:
        _idle.setdefault(server, []).append((connection, time.monotonic()))
    else:
        connection.close()


def _free(server):
    idle = _idle.get(server, [])
    while idle:
        with suppress(IndexError):  # another thread took it
            connection, since = idle.pop()
            quiet = not select.select([connection.sock], [], [], 0)[
                0
            ]  # else it hung up, or sends what was not requested
            if quiet and time.monotonic() < since + IDLE_S:
                return connection
            connection.close()
    return None


@atexit.register
def hang_up():
    """Close the idle connections."""
    for idle in _idle.values():
        while idle:
            connection, _ = idle.pop()
            with suppress(OSError):
                connection.putcmd("QUIT")
            connection.close()


@contextmanager
def _network(timeout_message=None):
    """Raise TemporaryFailure, after a time-out with this message, for errors of the network and of a busy server."""
    try:
        yield
    except error_perm:
        raise
    except TimeoutError:
        raise TemporaryFailure(timeout_message or f"the server sent nothing for {READ_S} s") from None
    except (OSError, EOFError, Error) as error:
        raise TemporaryFailure(_reason(error)) from error


def _reason(error):
    """What went wrong, as part of a sentence."""
    if isinstance(error, error_temp):
        return f"the server is busy or has an error ({_reply_of(error)})"
    if isinstance(error, Error):
        return f"the server's reply does not fit the command ({_reply_of(error)})"
    if isinstance(error, socket.gaierror):
        return "no server has this name; check the address and this machine's network"
    if isinstance(error, ConnectionRefusedError):
        return "the server refused the connection"
    return f"the connection broke off ({type(error).__name__})"


def _login_refused(place, reply):
    return Unreachable(
        f"{place}: the server requires an account ({reply}); "
        "use its https:// address if it has one, or download the files and name their folder."
    )


def _reply_of(error):
    """The server's reply, on one line."""
    return " ".join(str(error).encode("latin-1", "replace").decode(errors="replace").split())[:200]


def _latin_1(text):
    """The bytes of a text in UTF-8, as characters of Latin-1."""
    return text.encode().decode("latin-1")


def _unread(data):
    """How many bytes have arrived at a socket and were not read."""
    return struct.unpack("i", fcntl.ioctl(data, termios.FIONREAD, b"\0" * 4))[0]
