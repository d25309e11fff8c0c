"""HTTP by literal bytes: what is taken, what is refused, and within what time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kiosk_client.errors import DamagedTransfer, ForeignAnswer, KioskError, NoNetwork
from kiosk_client.wire import Reply, Wire
from tests.kiosk.conftest import PATIENCE
from tests.kiosk.middlemen import listening, read_head

QUICK = replace(PATIENCE, gap_seconds=0.3)


class Scripted:
    """Answers each request with the next of the raw answers; `None` closes instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.connections = 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        while self.answers:
            self.heads.append(read_head(connection))
            raw = self.answers.pop(0)
            if raw is None:
                return
            connection.sendall(raw)
            if b"Connection: close" in raw or b"HTTP/1.0" in raw:
                return
        connection.recv(1)


def ask(script: Scripted, times: int = 1, path: str = "a?b=c", **options: object) -> list[Reply]:
    """Ask a scripted server, and hang up."""
    with listening(script) as port:
        wire = Wire(limits=QUICK)
        try:
            url = f"http://127.0.0.1:{port}/{path}"
            return [
                wire.ask("GET", url, limit=1_000_000, attempts=1, **options)  # type: ignore[arg-type]
                for _ in range(times)
            ]
        finally:
            wire.close()


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncrane"


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (PLAIN, 200, b"crane"),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\ncrane", 200, b"crane"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\ncrane", 200, b"crane"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, 200, b"crane"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ncrane", 200, b"crane"),
        (b"HTTP/1.0 200 OK\r\n\r\ncrane", 200, b"crane"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\ncrane", 200, b"crane"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\ncra\r\n002\r\nne\r\n0\r\nTrailer: a\r\n\r\n",
            200,
            b"crane",
        ),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, b""),
    ],
)
def test_an_answer_as_servers_write_it(raw: bytes, status: int, body: bytes) -> None:
    (reply,) = ask(Scripted(raw))
    assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", ForeignAnswer),
        (b"HTTP/2 200\r\n\r\n", ForeignAnswer),
        (b"\x16\x03\x01\x02\x00\n", ForeignAnswer),
        (b"x" * 70_000, ForeignAnswer),
        (b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 200 + b"\r\n", ForeignAnswer),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 70_000 + b"\r\n\r\n", ForeignAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", ForeignAnswer),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", DamagedTransfer),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncrane\r\n0\r\n\r\n",
            DamagedTransfer,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\ncrane",
            DamagedTransfer,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncra",
            DamagedTransfer,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncrane", NoNetwork),
        (b"HTTP/1.1 200 OK\r\nContent-Le", NoNetwork),
        (None, NoNetwork),
    ],
)
def test_what_is_no_answer_is_told_apart(raw: bytes | None, kind: type[KioskError]) -> None:
    with pytest.raises(kind) as failed:
        ask(Scripted(raw))
    assert type(failed.value) is kind
    assert "\n" not in str(failed.value)


def test_a_connection_is_used_again_after_each_whole_answer() -> None:
    script = Scripted(
        PLAIN,
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        PLAIN,
    )
    assert [reply.status for reply in ask(script, 4)] == [200, 404, 304, 200]
    assert script.connections == 1
    assert script.heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_connection_at_rest_that_the_server_closed_costs_nothing() -> None:
    script = Scripted(PLAIN, None, PLAIN)
    assert [reply.body for reply in ask(script, 2)] == [b"crane", b"crane"]
    assert script.connections == 2


def test_an_answer_in_an_encoding_nobody_asked_for_is_refused_and_hung_up_on() -> None:
    script = Scripted(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx", PLAIN
    )
    with pytest.raises(DamagedTransfer, match="plain or gzip, got br"):
        ask(script)
    assert script.answers == [PLAIN]


def test_a_post_is_not_sent_twice() -> None:
    script = Scripted(PLAIN, None, PLAIN)
    with listening(script) as port:
        wire = Wire(limits=QUICK)
        url = f"http://127.0.0.1:{port}/"
        wire.ask("GET", url, limit=9)
        with pytest.raises(NoNetwork):
            wire.ask("POST", url, limit=9, body=b"{}", attempts=1)
        wire.close()
    assert len(script.heads) == 2


@pytest.fixture
def dripping() -> Iterator[int]:
    def drip(connection: socket.socket) -> None:
        read_head(connection)
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
            connection.sendall(bytes([letter]))
            time.sleep(0.05)

    with listening(drip) as port:
        yield port


def test_a_head_that_drips_ends_in_its_time(dripping: int) -> None:
    wire = Wire(limits=QUICK)
    began = time.monotonic()
    with pytest.raises(NoNetwork, match="silence"):
        wire.ask("GET", f"http://127.0.0.1:{dripping}/", limit=9, attempts=1)
    assert time.monotonic() - began < 3
    wire.close()


@pytest.mark.parametrize("path", ["a b", "é", "a\u2028b", "%zz", "a#b"])
def test_any_path_makes_one_request_line(path: str) -> None:
    script = Scripted(PLAIN)
    ask(script, path=path)
    line = script.heads[0].split(b"\r\n")[0]
    assert line.count(b" ") == 2
    assert line.isascii()


def test_a_line_break_in_a_header_is_never_sent() -> None:
    with pytest.raises(KioskError):
        ask(Scripted(PLAIN), headers={"X": "a\r\nEvil: b"})


@pytest.mark.parametrize("url", ["ftp://host/", "http://", "http://host:99999/", "nothing"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    wire = Wire(limits=QUICK)
    with pytest.raises(ForeignAnswer, match="web address"):
        wire.ask("GET", url, limit=9)
