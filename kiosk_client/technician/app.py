"""The WSGI half of the technician's page, below `/technician/`.

Anyone at the screen may load the page; it holds nothing. Everything it shows or
does is asked for with a POST that carries the token of a session, which the PIN
opens. A PIN is never in an address, an answer or a log line.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk_client.config import DataDir, load_device, save_device
from kiosk_client.errors import KioskError, NotEnrolled, PinThrottled, from_os_error
from kiosk_client.facts import device_facts, stale_days
from kiosk_client.pin import check_pin, kept_hash
from kiosk_client.server import LOOPBACK, refuse_foreign
from kiosk_client.shell import Shell
from kiosk_client.technician.lines import status_lines
from kiosk_client.technician.sessions import Sessions
from kiosk_client.technician.sticks import Mount, sticks_here
from kiosk_client.technician.work import Note, Work
from package_format.canonical import parse_json

PAGE = Path(__file__).parent / "page"
LARGEST_BODY = 4096
LONGEST_NAME = 80
TOKEN_HEADER = "HTTP_X_TECHNICIAN"  # noqa: S105  (the header's name, no secret)

CSP = (
    "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
}
_STATUS = {
    200: "OK",
    308: "Permanent Redirect",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
}

log = logging.getLogger("kiosk_client.technician")

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Do = Callable[[Note], None]


class Refused(Exception):
    """A request that is not answered: its status and a word the page knows."""

    def __init__(self, status: int, error: str, **values: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **values}


class Technician:
    """The application; safe for several threads. Mounted below `/technician/`."""

    def __init__(
        self,
        data: DataDir,
        *,
        sync: Do | None = None,
        find_shell: Callable[[], Shell | None] = lambda: None,
        sticks: Callable[[], list[Mount]] = sticks_here,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sessions: Sessions | None = None,
    ) -> None:
        """Answer for `data`.

        `sync` brings the device up to date and tells a `Note` how far it is;
        `find_shell` gives what watches the browser, if anything does.
        """
        self._data = data
        self._sync = sync or self._sync_here
        self._find_shell = find_shell
        self._sticks = sticks
        self._now = now
        self._sessions = sessions or Sessions()
        self._work = Work()
        self._files = _page_files()
        self._does: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "sync": lambda asked: self._begin("sync", self._sync),
            "network": lambda asked: self._begin("network", self._try_network),
            "sticks": lambda asked: {"sticks": [dataclasses.asdict(s) for s in self._sticks()]},
            "stick": self._take_stick,
            "name": self._rename,
            "restart": self._restart,
            "leave": self._leave,
        }

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request for what is at or below `/technician/`."""
        method = environ.get("REQUEST_METHOD", "GET")
        root, slash, path = str(environ.get("PATH_INFO", "")).lstrip("/").partition("/")
        if not slash:
            # The page's own addresses are relative to the folder.
            start_response(_status(308), [("Location", f"/{root}/"), ("Content-Length", "0")])
            return ()
        if method == "POST":
            return self._post(environ, start_response, path)
        if method not in ("GET", "HEAD"):
            return _answer(start_response, 405, {"error": "method"})
        found = self._files.get(path or "index.html")
        if found is None:
            return _answer(start_response, 404, {"error": "not-found"})
        kind, raw = found
        start_response(_status(200), _headers(kind, len(raw)))
        return (raw,) if method == "GET" else ()

    def _post(
        self, environ: Mapping[str, Any], start_response: StartResponse, path: str
    ) -> Iterable[bytes]:
        try:
            if refuse_foreign(environ, LOOPBACK) is not None:
                raise Refused(403, "foreign-page")
            asked = _body(environ)
            if path == "enter":
                return _answer(start_response, 200, self._enter(asked))
            token = str(environ.get(TOKEN_HEADER, ""))
            # The page looks by itself; only what a person does makes the session last.
            idle = path == "state" and not self._work.running
            if not self._sessions.use(token, prolong=not idle):
                raise Refused(403, "signed-out")
            if path not in self._does:
                raise Refused(404, "not-found")
            return _answer(start_response, 200, self._does[path](asked))
        except Refused as refused:
            return _answer(start_response, refused.status, refused.body)
        except KioskError as error:
            return _answer(start_response, 400, {"error": error.code, "detail": str(error)})
        except OSError as error:
            found = from_os_error(error)
            return _answer(start_response, 400, {"error": found.code, "detail": str(found)})

    def _enter(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        pin = asked.get("pin")
        if not isinstance(pin, str):
            raise Refused(400, "bad-request")
        if kept_hash(self._data) is None:
            raise Refused(403, "no-pin")
        try:
            known = check_pin(self._data, pin, self._now())
        except PinThrottled as error:
            raise Refused(429, "pin-throttled", seconds=round(error.seconds)) from error
        if not known:
            raise Refused(403, "pin-wrong")
        log.info("the technician's page was opened")
        return {"token": self._sessions.begin()}

    def _state(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        now = self._now()
        shell = self._find_shell()
        try:
            device = load_device(self._data)
            named = {"name": device.name, "server": device.server}
        except NotEnrolled:
            named = {"name": "", "server": ""}
        return {
            **named,
            "lines": status_lines(
                device_facts(self._data, now),
                stale_days=stale_days(self._data, now),
                shell=shell.facts() if shell else None,
            ),
            "work": self._work.to_json(),
        }

    def _begin(self, kind: str, do: Do) -> dict[str, Any]:
        self._work.start(kind, do)
        return {"work": self._work.to_json()}

    def _sync_here(self, note: Note) -> None:
        from kiosk_client.discovery import find_relays

        self._bring_up_to_date(note, discovery=find_relays, trigger="person")

    def _bring_up_to_date(self, note: Note, **options: Any) -> None:
        from kiosk_client.network import load_network
        from kiosk_client.sync import sync
        from kiosk_client.wire import Wire

        wire = Wire(network=load_network(self._data), now=self._now)
        try:
            result = sync(self._data, wire, watcher=note, now=self._now, **options)
        finally:
            wire.close()
        if options["trigger"] == "stick" and result.fetched_bytes:
            note.line("done.imported", "ok", bytes=result.fetched_bytes)
        note.line(f"done.{result.outcome}", "ok", package=result.package, release=result.release)

    def _try_network(self, note: Note) -> None:
        from kiosk_client.network import load_network
        from kiosk_client.technician.reach import try_network

        try_network(self._data, note, load_network(self._data), now=self._now)

    def _take_stick(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Import from a stick that is mounted; any other folder is none of this page's business."""
        from kiosk_client.sources import GivenStick

        folder, pin = asked.get("folder"), asked.get("pin")
        if folder not in [stick.folder for stick in self._sticks()]:
            raise Refused(400, "stick-trouble")
        if pin is not None and not isinstance(pin, str):
            raise Refused(400, "bad-request")
        stick = GivenStick(Path(str(folder)), pin)
        return self._begin(
            "stick", lambda note: self._bring_up_to_date(note, stick=stick, trigger="stick")
        )

    def _rename(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked.get("name")
        name = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise Refused(400, "bad-name")
        device = dataclasses.replace(load_device(self._data), name=name)
        save_device(self._data, device)
        return {"name": name}

    def _restart(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        shell = self._find_shell()
        if shell is not None:
            self._sessions.end()
            shell.restart("technician")
        return {"shell": shell is not None}

    def _leave(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._sessions.end()
        return {}


def _body(environ: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Refused(400, "bad-request") from None
    if not 0 <= size <= LARGEST_BODY:
        raise Refused(413, "bad-request")
    try:
        found = parse_json(environ["wsgi.input"].read(size))
    except ValueError:
        raise Refused(400, "bad-request") from None
    if not isinstance(found, dict):
        raise Refused(400, "bad-request")
    return found


def _page_files() -> dict[str, tuple[str, bytes]]:
    """The page's files by their path, read once: they are small and never change."""
    return {
        path.relative_to(PAGE).as_posix(): (_TYPES[path.suffix], path.read_bytes())
        for path in sorted(PAGE.rglob("*"))
        if path.suffix in _TYPES
    }


def _headers(kind: str, size: int) -> list[tuple[str, str]]:
    return [
        ("Content-Type", kind),
        ("Content-Length", str(size)),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CSP),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]


def _answer(
    start_response: StartResponse, status: int, value: Mapping[str, Any]
) -> Iterable[bytes]:
    raw = json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8")
    start_response(_status(status), _headers("application/json", len(raw)))
    return (raw,)


def _status(status: int) -> str:
    return f"{status} {_STATUS[status]}"
