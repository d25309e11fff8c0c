"""A screen with a technician's page, served as `run` serves it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from waitress.server import create_server

from kiosk_client.agent import listen
from kiosk_client.server import Kiosk as Application
from kiosk_client.technician import Technician
from kiosk_client.technician.sticks import Mount
from tests.kiosk.conftest import Kiosk


class Shell:
    """What the page needs of a shell."""

    def __init__(self) -> None:
        self.restarted: list[str] = []

    def facts(self) -> dict[str, Any]:
        return {"browser": "running", "restarts": 3}

    def restart(self, reason: str) -> None:
        self.restarted.append(reason)


@dataclass
class Screen:
    """A served screen, and how to ask it."""

    port: int
    shell: Shell = field(default_factory=Shell)
    sticks: list[Mount] = field(default_factory=list)
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items() if text}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def ask(self, what: str, asked: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """A question as the page asks it; `headers` replace its own, '' leaves one out."""
        own = {
            "Origin": self.url,
            "Content_Type": "application/json",
            "X_Technician": self.token,
        }
        raw = json.dumps({} if asked is None else asked).encode()
        status, _, body = self.send("POST", f"/technician/{what}", raw, **{**own, **headers})
        return status, json.loads(body)

    def enter(self, pin: str = "4711") -> None:
        status, answer = self.ask("enter", {"pin": pin})
        assert status == 200, answer
        self.token = answer["token"]


@contextmanager
def serving(kiosk: Kiosk, **options: Any) -> Iterator[Screen]:
    """Serve `kiosk` with a technician's page."""
    listening = listen("127.0.0.1", 0)
    screen = Screen(listening.getsockname()[1])
    technician = Technician(
        kiosk.data,
        find_shell=lambda: screen.shell,  # type: ignore[arg-type,return-value]
        sticks=lambda: screen.sticks,
        **{"now": kiosk.now, **options},
    )
    server = create_server(
        Application(kiosk.data, now=kiosk.now, technician=technician),
        sockets=[listening],
        threads=4,
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield screen
    finally:
        with suppress(OSError):
            server.trigger.pull_trigger(server.close)
        thread.join(5)
        server.task_dispatcher.shutdown()
