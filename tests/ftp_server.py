"""An FTP server that fails in the ways that servers do."""

import logging
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

from idrstream.sources import ftp


@dataclass
class Faults:
    """Switches; they may be turned while the server runs."""

    unknown: tuple = ()  # commands that the server does not have
    answers: dict = field(default_factory=dict)  # command: [answers that it gets first, 421 hangs up]
    cut_after: int | None = None  # bytes of a transfer after which both connections are cut ...
    cuts: int = 1_000_000  # ... in so many transfers
    silent: tuple = ()  # commands that are not answered at all
    mute_ends: bool = False  # does not say how a transfer ended
    chatty_ends: bool = False  # says it twice


@dataclass
class Server:
    """What a test sees of it."""

    url: str
    faults: Faults
    commands: list = field(default_factory=list)
    sent: int = 0  # bytes of files that left it
    logins: int = 0


class _Data(DTPHandler):
    def __init__(self, sock, control):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)  # so that what is sent has travelled
        super().__init__(sock, control)

    def send(self, payload):
        faults = self.cmd_channel.seen.faults
        if faults.cut_after is not None and faults.cuts > 0:
            payload = payload[: max(faults.cut_after - self.tot_bytes_sent, 0)]
            if not payload:
                faults.cuts -= 1
                self.cmd_channel.close()
                return 0
        count = super().send(payload)
        self.cmd_channel.seen.sent += count
        return count


class _Control(FTPHandler):
    dtp_handler = _Data
    use_sendfile = False
    auth_failed_timeout = 0

    def on_login(self, _):
        self.seen.logins += 1

    def pre_process_command(self, line, command, argument):
        self.seen.commands.append(command)
        faults = self.seen.faults
        if command in faults.silent:
            return
        if command in faults.unknown:
            self.respond(f"502 {command} not implemented.")
        elif faults.answers.get(command):
            answer = faults.answers[command].pop(0)
            self.respond(answer)
            if answer.startswith("421"):
                self.close_when_done()
        else:
            super().pre_process_command(line, command, argument)

    def respond(self, answer, logfun=None):
        ending = answer[:3] in ("226", "426")
        if not (ending and self.seen.faults.mute_ends):
            super().respond(answer, logfun or logging.debug)
        if ending and self.seen.faults.chatty_ends:
            super().respond(answer, logfun or logging.debug)


@contextmanager
def ftp_server(folder, **faults):
    """Serve a folder to anybody; yields a Server."""
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(str(folder))
    handler = type("Handler", (_Control,), {"authorizer": authorizer})
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    handler.seen = Server(f"ftp://127.0.0.1:{server.address[1]}", Faults(**faults))
    stopped = threading.Event()

    def serve():
        while not stopped.is_set():
            server.serve_forever(timeout=0.01, blocking=False)

    log = logging.getLogger("pyftpdlib")
    log.setLevel(logging.CRITICAL)
    log.addHandler(logging.NullHandler())  # without any it adds one of its own, and sets the level back
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield handler.seen
    finally:
        ftp.hang_up()
        stopped.set()
        thread.join()
        server.close_all()
