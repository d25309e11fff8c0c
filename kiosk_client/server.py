"""The page the screen shows, from this machine alone: player, content, release.

A WSGI application. `showing` says which set; `package_format.serving` how to
answer. It looks at a blob's stamp before it sends a byte: what was touched since
it was hashed is hashed again first. The page reports back at `POST /page`, from
this machine's own origin alone, and changes nothing by it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from kiosk_client.config import DataDir, load_device
from kiosk_client.errors import NotEnrolled
from kiosk_client.facts import clock, completeness, stale_days, stamp
from kiosk_client.page import LARGEST_REPORT, NotAReport, PageWatch, Report, parse_report
from kiosk_client.showing import Playing, Showing, is_expired, passed_time, venue_day
from kiosk_client.store import Store, is_proven, rehash
from package_format.manifest import ManifestFile
from package_format.serving import Answer, StaticFile, answer

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
"""What this machine calls itself."""

CSP = (
    "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""Nothing from elsewhere, nothing inline."""

HERE = Path(__file__).parent
PLAYER = HERE / "player"
# What a build needs and a screen does not.
_HIDDEN = {"package.json", "package-lock.json", "node_modules"}
# Not left to the machine's own table: a wrong type here stops a module or a subtitle.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
_READ = 64 * 1024

log = logging.getLogger("kiosk_client.server")

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Mapping[str, Any], StartResponse], Iterable[bytes]]


def release_document(
    playing: Playing, *, device: str | None, stale: int | None, today: date
) -> dict[str, Any]:
    """What the player is told of the release that plays (`./release.json`), on a day there."""
    chosen, manifest = playing.current.set, playing.current.manifest
    held = [language for language in manifest.languages if language.tag in chosen.languages]
    tags = [language.tag for language in held]
    default = manifest.default_language
    return {
        "package": manifest.package,
        "channel": manifest.channel,
        "release": manifest.release,
        "published_at": stamp(manifest.published_at),
        "default_language": default if default in tags or not tags else tags[0],
        "languages": [language.to_json() for language in held],
        "profile": chosen.profile,
        "shell": "kiosk",
        "device": {"name": device} if device else None,
        "stale_days": stale,
        "today": today.isoformat(),
        "content": f"content/{chosen.tag}/",
    }


class Kiosk:
    """The WSGI application over one data directory; safe for several threads.

    `watch` takes what the page reports, `plays` counts what it showed. `idle` tells
    whether nobody uses the screen, by default as `watch` has it. `hosts` are names
    this machine is addressed by, besides its loopback ones. `technician` answers
    below `/technician`.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        player: Path = PLAYER,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        idle: Callable[[], bool] | None = None,
        watch: PageWatch | None = None,
        plays: Callable[[Report], None] = lambda report: None,
        hosts: Collection[str] = (),
        technician: Application | None = None,
    ) -> None:
        self._data = data
        self._store = Store(data.root)
        self._player = player
        self._now = now
        self._lock = threading.Lock()
        self._watch = watch or PageWatch()
        self._plays = plays
        self._hosts = LOOPBACK | frozenset(hosts)
        self._technician = technician
        self.showing = Showing(data, now=now, watch=self._watch, idle=idle)
        self._tags: dict[str, tuple[int, int, str]] = {}

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request; nothing a request says can change what is served."""
        method = environ.get("REQUEST_METHOD", "GET")
        path = str(environ.get("PATH_INFO", "/")).lstrip("/")
        if self._technician is not None and (path + "/").startswith("technician/"):
            return self._technician(environ, start_response)
        if path == "page":
            return self._reported(environ, start_response, method)
        if method not in ("GET", "HEAD"):
            return _text(start_response, 405, "GET and HEAD alone", [("Allow", "GET, HEAD")])
        if path == "release.json":
            return self._release(start_response, method)
        if path == "healthz":
            return self._health(start_response, method)
        if path.startswith("content/"):
            return self._content(environ, start_response, method, path.removeprefix("content/"))
        return self._page(environ, start_response, method, path or "index.html")

    def playing(self) -> Playing | None:
        """The set that is shown now."""
        return self.showing.playing()

    def _reported(
        self, environ: Mapping[str, Any], start_response: StartResponse, method: str
    ) -> Iterable[bytes]:
        """Take the page's report; say whether it should load anew, and be dim."""
        if method != "POST":
            return _text(start_response, 405, "POST alone", [("Allow", "POST")])
        refused = refuse_foreign(environ, self._hosts)
        if refused is not None:
            return _text(start_response, *refused)
        try:
            length = int(environ.get("CONTENT_LENGTH") or -1)
        except ValueError:
            length = -1
        if length < 0:
            return _text(start_response, 411, "expected a body of known length")
        if length > LARGEST_REPORT:
            return _text(start_response, 413, f"expected at most {LARGEST_REPORT} bytes")
        try:
            report = parse_report(environ["wsgi.input"].read(length))
        except NotAReport as error:
            return _text(start_response, 400, str(error))
        self._watch.note(report)
        self._plays(report)
        playing = self.playing()
        answered = {
            "reload": playing is not None and report.content != playing.tag,
            "dim": self.showing.is_dim(),
            "message": None,
        }
        return _json(start_response, "GET", answered)

    def _release(self, start_response: StartResponse, method: str) -> Iterable[bytes]:
        playing = self.playing()
        if playing is None:
            return _text(start_response, 404, "nothing to play yet")
        document = release_document(
            playing,
            device=self._device_name(),
            stale=stale_days(self._data, self._now()),
            today=self.showing.today(),
        )
        return _json(start_response, method, document)

    def _health(self, start_response: StartResponse, method: str) -> Iterable[bytes]:
        playing = self.playing()
        if playing is None:
            return _json(start_response, method, {"status": "empty", "release": None})
        found = completeness(self._store, playing.current)
        return _json(
            start_response,
            method,
            {
                "status": "incomplete" if found.missing else "playing",
                "release": playing.current.set.release,
                "missing": found.missing,
                "clock_trusted": clock(self._data, self._now())[0],
            },
        )

    def _device_name(self) -> str | None:
        try:
            return load_device(self._data).name
        except NotEnrolled:
            return None

    def _content(
        self, environ: Mapping[str, Any], start_response: StartResponse, method: str, path: str
    ) -> Iterable[bytes]:
        found = self.showing.find(path)
        if found is None:
            return _text(start_response, 404, "not in the release that plays")
        entry = found.file
        if entry.expires is not None:
            # A clock behind what surely has passed brings no picture back whose rights have ended.
            today = venue_day(passed_time(self._data, self._now()), found.timezone)
            if is_expired(entry, today):
                return _text(start_response, 404, "no longer to be shown")
        if not is_proven(self._store, entry.sha256, entry.size) and not self._is_whole(entry):
            log.error("%s is missing or damaged on the disk; the next sync heals it", path)
            return _text(start_response, 404, "damaged on the disk")
        # Rights may end at any midnight: the browser must ask, at no cost.
        file = StaticFile(entry.size, entry.sha256, entry.type, "no-cache")
        decided = answer(method, _request(environ), file)
        return _send(environ, start_response, decided, self._store.path(entry.sha256), ())

    def _is_whole(self, entry: ManifestFile) -> bool:
        try:
            with self._lock:
                return rehash(self._store, entry.sha256, entry.size)
        except OSError as error:
            log.error("the disk does not give %s: %s", entry.path, error)
            return False

    def _page(
        self, environ: Mapping[str, Any], start_response: StartResponse, method: str, path: str
    ) -> Iterable[bytes]:
        file = None
        if path == "index.html" and self.playing() is None:
            file = HERE / "default_page.html"
        elif path in ("default_page.css", "soon.html"):
            file = HERE / path
        elif _is_public(path):
            file = self._player / path
        if file is None or not file.is_file():
            return _text(start_response, 404, "no such page")
        guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        media_type = _TYPES.get(file.suffix, guessed)
        size, tag = self._tag(file)
        decided = answer(method, _request(environ), StaticFile(size, tag, media_type, "no-cache"))
        extra = (("Content-Security-Policy", CSP), ("Referrer-Policy", "no-referrer"))
        return _send(environ, start_response, decided, file, extra)

    def _tag(self, file: Path) -> tuple[int, str]:
        found = file.stat()
        known = self._tags.get(str(file))
        if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
            known = (found.st_mtime_ns, found.st_size, digest)
            self._tags[str(file)] = known
        return known[1], known[2]


def refuse_foreign(environ: Mapping[str, Any], hosts: Collection[str]) -> tuple[int, str] | None:
    """Why a request that reports or orders something is refused: a status and words, or None.

    A page from elsewhere in the same browser cannot hide its Origin; a name that
    was made to point at this machine (DNS rebinding) shows in Host; a form can
    send no JSON. `hosts` are the names this machine may be addressed by.
    """
    host = str(environ.get("HTTP_HOST", ""))
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in hosts or "@" in host:
        return 403, "expected this machine's own address as Host"
    scheme = environ.get("wsgi.url_scheme", "http")
    if environ.get("HTTP_ORIGIN") != f"{scheme}://{host}":
        return 403, "expected this machine's own page as Origin"
    if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
        return 403, "expected a request of this machine's own page"
    if str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip() != "application/json":
        return 415, "expected application/json"
    return None


def _is_public(path: str) -> bool:
    parts = path.split("/")
    return all(part and not part.startswith(".") and part not in _HIDDEN for part in parts) and (
        "\\" not in path and "\0" not in path
    )


def _request(environ: Mapping[str, Any]) -> dict[str, str]:
    names = ("range", "if-range", "if-none-match", "accept-encoding")
    keys = {name: "HTTP_" + name.upper().replace("-", "_") for name in names}
    return {name: str(environ[key]) for name, key in keys.items() if key in environ}


def _send(
    environ: Mapping[str, Any],
    start_response: StartResponse,
    decided: Answer,
    path: Path,
    extra: Iterable[tuple[str, str]],
) -> Iterable[bytes]:
    # Only this machine's page reads these; other origins have no business here.
    kept = [(name, text) for name, text in decided.headers if not name.startswith("Access-Control")]
    headers = [
        (name, "same-origin" if name == "Cross-Origin-Resource-Policy" else text)
        for name, text in kept
    ]
    if not decided.body:
        start_response(_status(decided.status), [*headers, *extra])
        return ()
    try:
        file = path.open("rb")
    except OSError:
        return _text(start_response, 404, "gone from the disk")
    file.seek(decided.start)
    start_response(_status(decided.status), [*headers, *extra])
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is not None:
        # waitress sends from the file's position up to Content-Length, as the socket takes it;
        # pieces handed over one by one pile up in memory when a browser reads slowly.
        return wrapper(file, _READ)  # type: ignore[no-any-return]
    return _pieces(file, decided.stop - decided.start)


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    with file:
        while size > 0:
            chunk = file.read(min(_READ, size))
            if not chunk:
                return
            size -= len(chunk)
            yield chunk


def _json(start_response: StartResponse, method: str, value: Mapping[str, Any]) -> Iterable[bytes]:
    raw = json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8")
    start_response(
        _status(200),
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(raw))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )
    return (raw,) if method == "GET" else ()


def _text(
    start_response: StartResponse,
    status: int,
    words: str,
    extra: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    raw = words.encode("utf-8") + b"\n"
    start_response(
        _status(status),
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(raw))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *extra,
        ],
    )
    return (raw,)


def _status(status: int) -> str:
    names = {
        200: "OK",
        206: "Partial Content",
        304: "Not Modified",
        400: "Bad Request",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        411: "Length Required",
        413: "Content Too Large",
        415: "Unsupported Media Type",
        416: "Range Not Satisfiable",
    }
    return f"{status} {names[status]}"
