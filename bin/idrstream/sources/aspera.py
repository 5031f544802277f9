"""Files on an Aspera server, downloaded whole by the user's own `ascp`, which transfers no parts.

`ascp` is IBM's and may not be redistributed; environment variables name it and its key.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from idrstream.base import processes
from idrstream.base.failures import MissingWell, NotReadable, Unreachable
from idrstream.sources.retry import DownloadedFile, TemporaryFailure, with_retries

PROGRAM = "IDRSTREAM_ASCP"  # environment variable: path of the program, if it is not on PATH
KEY = "IDRSTREAM_ASPERA_KEY"  # environment variable: path of the private key that the server accepts

PORT = 33001  # of Aspera servers; some listen on the port of SSH
SSH_PORT = 22
RATE = "300m"  # bits per second at most; with -Q it gives way to other traffic
RESUME = "2"  # resumes a file if checksums of parts of it are equal
CONNECT_S = 10
STALL_S = 120  # without a byte, after which a transfer is given up
POLL_S = 0.5
WAITS_S = (2, 8, 30)  # between four tries

GET_PROGRAM = (
    "IBM's `ascp` is needed and may not be shipped with idrstream; `gem install aspera-cli && ascli config transferd "
    "install` brings it without root. Put it on PATH, or name it (--ascp)."
)
GET_KEY = (
    "Archives such as IDR take the key that comes with Aspera: etc/asperaweb_id_dsa.openssh of Aspera Connect, or "
    "~/.aspera/sdk/aspera_bypass_rsa.pem beside aspera-cli's ascp."
)

# In the last line of ascp, "Session Stop  (Error: Server aborted session: No such file or directory)" and the like.
ABSENT = re.compile(r"no such file|(file|path)\b.*\bnot (exist|found)", re.I)
UNAUTHENTICATED = re.compile(r"authenticat|passphrase|publickey", re.I)
REFUSED = re.compile(r"denied|not permitted|not allowed", re.I)


def use(program=None, key=None):
    """Use this `ascp` and this key in this process; None: those that the environment names."""
    os.environ |= {name: str(path) for name, path in ((PROGRAM, program), (KEY, key)) if path}


def open_location(location, root=None, cache=None):
    """Open the file at a URL, aspera://user@host/path, see `idrstream.sources`."""
    transfer = _Transfer(location)
    return DownloadedFile(transfer, cache, transfer.fetch)


def probe(location, root=None):
    """Raise Unreachable unless the program and its key exist and something listens at the server."""
    server = _Transfer(location)
    with_retries(location, server.check_listening, WAITS_S)


class _Transfer:
    """One file, fetched by ascp, tried again where that may help, counted."""

    def __init__(self, url):
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or PORT
        user = address.username or ""
        if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", user) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", self._host):
            raise ValueError(f"{url}: not an address of Aspera's, aspera://user@server/path")
        self.url = url
        self.bytes = self.requests = 0
        self._path = unquote(address.path)
        self._source = f"{user}@{self._host}:{self._path}"
        self._program = shutil.which(os.environ.get(PROGRAM) or "ascp")
        if not self._program:
            named = os.environ.get(PROGRAM)
            raise Unreachable(f"{url}: {f'{named} is no program. ' if named else ''}{GET_PROGRAM}")
        self._key = os.path.abspath(os.environ.get(KEY) or "")
        if not os.access(self._key, os.R_OK) or not os.path.isfile(self._key):
            problem = f"{self._key} cannot be read" if os.environ.get(KEY) else "no key is named (--aspera_key)"
            raise Unreachable(f"{url}: {problem}. {GET_KEY}")

    def fetch(self, part):
        """Write the whole file to a path."""
        if re.search(r"[\0-\37*?\[\]]|(^|/)\.\.(/|$)", self._path) or not self._path.strip("/"):
            raise NotReadable(f"{self.url}: ascp would not take this for the name of one file.")
        with tempfile.TemporaryDirectory(dir=os.path.dirname(part), prefix=".ascp-") as folder:
            target = os.path.join(folder, "movie.part")  # beside it, ascp keeps the state of the transfer
            with_retries(self.url, lambda: self._try(folder, target), WAITS_S)
            os.replace(target, part)

    def check_listening(self):
        """Raise TemporaryFailure unless something listens on Aspera's or SSH's port."""
        for port in (self._port, SSH_PORT):
            try:
                socket.create_connection((self._host, port), CONNECT_S).close()
                return
            except socket.gaierror:
                raise TemporaryFailure(
                    "no server has this name; check the address and this machine's network"
                ) from None
            except OSError:
                continue
        raise TemporaryFailure(f"nothing answers on the ports {self._port} and {SSH_PORT}; is there a firewall?")

    def _try(self, folder, target):
        self.requests += 1
        options = ["-T", "-Q", "-l", RATE, "-P", str(self._port), "-i", self._key, "-k", RESUME]
        try:
            status, message = _run([self._program, *options, self._source, target], folder)
        except OSError as error:
            raise Unreachable(f"{self.url}: {self._program} cannot be run ({error.strerror}).") from None
        finally:
            self.bytes = sum(size for _, size, _ in _state(folder))
        if os.path.isdir(target):
            raise NotReadable(f"{self.url}: this is a folder on the server.")
        if status == 0 and os.path.exists(target):
            return
        if status in (126, 127):  # a missing library reads like a missing file
            raise Unreachable(f"{self.url}: {self._program} cannot be run ({message}).")
        if UNAUTHENTICATED.search(message):
            raise Unreachable(f"{self.url}: the server does not accept the key {self._key} ({message}). {GET_KEY}")
        if ABSENT.search(message):
            raise MissingWell(f"{self.url}: the server has no such file ({message}).")
        if REFUSED.search(message):
            raise NotReadable(f"{self.url}: the server refuses access to this file ({message}).")
        raise TemporaryFailure(f"ascp gave up ({message or f'exit status {status}'})")


def _run(command, folder):
    """(exit status, last message) of a program that writes into a folder; TemporaryFailure if nothing arrives there."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(processes.tied(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            _wait(process, folder)
        except BaseException:
            process.kill()
            raise
        log.seek(0)
        lines = log.read().decode(errors="replace").split("\n")
    message = next((line.strip() for line in reversed(lines) if line.strip()), "")
    error = re.search(r"\(Error: (.*)\)", message)
    return process.returncode, (error[1] if error else message)[:200]


def _wait(process, folder):
    last, since = None, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            return
        state = _state(folder)
        if state != last:
            last, since = state, time.monotonic()
        elif time.monotonic() > since + STALL_S:
            raise TemporaryFailure(f"nothing arrived for {STALL_S} s")


def _state(folder):
    """(name, bytes, time of the last change) of the files in a folder, which change while data arrives."""
    state = []
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):  # renamed meanwhile
            state.append((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns))
    return sorted(state)
