"""Uploads through the server that operators run, over a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from content_api.repository.service import init_repository
from content_api.serving import environment_of
from content_api.settings import Settings
from tests.media.conftest import stored_files
from tests.media.test_sniff import JPEG

SERVE = "from content_api.cli import main; main()"


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One engine is enough: what is tested here is how bytes arrive."""
    path = tmp_path / "server" / "content.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def port(settings: Settings, app: Flask) -> Iterator[int]:
    """The port of a running server."""
    init_repository(settings, settings.data_dir / "offline", datetime.now(UTC))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--host", "127.0.0.1", "--port", str(found)],
        env={**os.environ, **environment_of(settings)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", found), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    process.kill()
                    said = process.communicate()[0].decode()
                    pytest.fail(f"the server did not start: {said}")
                time.sleep(0.1)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def exchange(
    port: int,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    method: str = "PUT",
    breaks_off: bool = False,
) -> tuple[int, Any]:
    """Send these very bytes and read the answer; a closed connection is (0, None).

    `breaks_off` ends the sending side, as a phone that leaves the network does.
    """
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        if breaks_off:
            connection.shutdown(socket.SHUT_WR)
        raw = b""
        try:
            while chunk := connection.recv(65_536):
                raw += chunk
        except ConnectionError:
            pass
    head, _, rest = raw.partition(b"\r\n\r\n")
    if not head:
        return 0, None
    status = int(head.split()[1])
    return status, json.loads(rest[rest.index(b"{") : rest.rindex(b"}") + 1]) if rest else None


def test_whole_lying_and_endless_bodies_end_as_they_should(
    port: int, settings: Settings, sign_in: Callable[..., Mapping[str, str]]
) -> None:
    headers = {**sign_in("media"), "Content-Type": "application/json"}
    made = json.dumps({"id": "crane-photo"}).encode()
    status, _ = exchange(
        port,
        "/api/v1/assets",
        {**headers, "Content-Length": str(len(made))},
        made,
        method="POST",
    )
    assert status == 201
    path = "/api/v1/assets/crane-photo/file"
    headers["Content-Type"] = "application/octet-stream"

    # Announced with ten gigabytes: refused at once, though no more than a line was sent.
    status, body = exchange(port, path, {**headers, "Content-Length": str(10 * 1024**3)}, b"x")
    assert (status, body and body["code"]) == (413, "too-large")
    # Announced with more than comes.
    longer = {**headers, "Content-Length": str(len(JPEG) + 9)}
    status, _ = exchange(port, path, longer, JPEG, breaks_off=True)
    assert status in (0, 400)
    # The connection may be gone before the server has taken its part file away.
    deadline = time.monotonic() + 20
    while stored_files(settings) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored_files(settings) == []
    # Announced with less than comes: the picture is cut where its length was told.
    status, body = exchange(port, path, {**headers, "Content-Length": str(len(JPEG) - 9)}, JPEG)
    assert (status, body and body["code"]) == (422, "file-damaged")
    assert stored_files(settings) == []
    # Not announced at all, in chunks.
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (JPEG[:1000], JPEG[1000:]))
    status, body = exchange(
        port, path, {**headers, "Transfer-Encoding": "chunked"}, chunked + b"0\r\n\r\n"
    )
    assert (status, body and body["media_type"]) == (200, "image/jpeg")
    status, body = exchange(port, path, {**headers, "Content-Length": str(len(JPEG))}, JPEG)
    assert (status, body and body["size"]) == (200, len(JPEG))
