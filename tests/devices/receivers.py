"""Real receivers of alerts on this machine: a web server and a mail server, a few lines each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """A web server that keeps what is posted to it, and answers as it is told."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?key=1"


@contextmanager
def web_server() -> Iterator[Hook]:
    """A receiver of webhooks until the block ends."""
    hook = Hook()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            hook.taken.append((self.path, dict(self.headers), raw))
            if hook.drip:
                over.wait(hook.drip)
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Mailbox:
    """A mail server that keeps what it is given. `refuse` is what it answers to a recipient."""

    port: int = 0
    refuse: str = ""
    passwords: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A receiver of e-mail (RFC 5321, without TLS) until the block ends."""
    box = Mailbox()
    listener = socket.create_server(("127.0.0.1", 0))
    box.port = listener.getsockname()[1]

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as talk:
                _converse(talk, box)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield box
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _converse(talk: Any, box: Mailbox) -> None:
    def say(line: str) -> None:
        talk.write(f"{line}\r\n".encode())
        talk.flush()

    say("220 mail.test")
    while line := talk.readline().decode().strip():
        word = line.upper()
        if word.startswith("EHLO"):
            say("250-mail.test")
            say("250 AUTH PLAIN")
        elif word.startswith("AUTH"):
            box.passwords.append(line)
            say("235 welcome" if "wrong" not in _plain(line) else "535 no: " + line)
        elif word.startswith("RCPT"):
            box.recipients.append(line)
            say(box.refuse or "250 ok")
        elif word == "DATA":
            say("354 go on")
            lines = []
            while (part := talk.readline().decode().rstrip("\r\n")) != ".":
                lines.append(part)
            box.letters.append("\n".join(lines))
            say("250 taken")
        elif word == "QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")


def _plain(line: str) -> str:
    import base64

    return base64.b64decode(line.split()[-1]).decode()
