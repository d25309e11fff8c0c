"""The whole path with the real parts: an operator's processes and the sample collection."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.conftest import missing

PATIENCE = 180.0
"""Seconds after which something that should happen will not; never a measure of speed."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A data directory that `content-api demo --once` has filled."""

    data: Path
    port: int
    kiosk_port: int
    output: str

    @property
    def kiosk(self) -> Path:
        """The demo device's data directory."""
        return self.data / "demo-kiosk"

    @property
    def url(self) -> str:
        """Address at which the device was enrolled."""
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def content_api(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the server's command as a process of its own."""
    return _run("content_api.cli", arguments, **options)


def kiosk_client(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the device's command as a process of its own."""
    return _run("kiosk_client.cli", arguments, **options)


def demo_arguments(data: Path, port: int, kiosk_port: int) -> list[str]:
    """Arguments of the demo over one data directory."""
    return [
        *("demo", "--data-dir", str(data)),
        *("--port", str(port), "--kiosk-port", str(kiosk_port)),
    ]


@contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs until the end of the block, then is asked to stop and must."""
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                pytest.fail(f"{module} did not stop on SIGTERM")


def wait_for(url: str, child: subprocess.Popen[bytes]) -> None:
    """Wait until `url` answers, failing when the process behind it ends."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if child.poll() is not None:
            pytest.fail(f"the process behind {url} ended with {child.returncode}")
        try:
            with urlopen(url, timeout=2):
                return
        except HTTPError:
            return
        except (URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"nothing answered at {url}")


def call(
    method: str, url: str, token: str = "", body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """One JSON request: status and parsed answer."""
    request = Request(url, method=method, headers={"Accept": "application/json", **(headers or {})})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    raw = None
    if body is not None:
        raw = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urlopen(request, raw, timeout=PATIENCE) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else None


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A first `content-api demo --once`, shared by the tests of this process."""
    data = tmp_path_factory.mktemp("demo") / "data"
    port, kiosk_port = free_port(), free_port()
    found = content_api(*demo_arguments(data, port, kiosk_port), "--once")
    assert found.returncode == 0, found.stderr[-3000:]
    return Demo(data, port, kiosk_port, found.stdout)


@pytest.fixture
def chromium() -> str:
    """Path of the browser."""
    for name in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"):
        if Path(name).exists():
            return name
    missing("Chromium")
    raise AssertionError


def _run(module: str, arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
        **options,
    )
