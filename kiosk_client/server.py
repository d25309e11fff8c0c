"""The page the screen shows, from this machine alone: player, content, release.

A WSGI application. It reads the active pointer when that file changes, asks
`package_format.serving` how to answer, and looks at a blob's stamp before it
sends a byte: what was touched since it was hashed is hashed again first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

from kiosk_client.activation import ActiveSet, LoadedSet, Slot, load_set, main_slot, read_slots
from kiosk_client.config import DataDir, load_device, zone
from kiosk_client.errors import KioskError, NotEnrolled
from kiosk_client.facts import clock, completeness, stale_days, stamp
from kiosk_client.programme import Stage
from kiosk_client.store import Store, is_proven, rehash
from package_format.manifest import ManifestFile
from package_format.serving import Answer, StaticFile, answer

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


@dataclass(frozen=True, slots=True)
class Playing:
    """The set that plays and what played before, by path. A page begun in the older still loads."""

    current: LoadedSet
    files: Mapping[str, ManifestFile]
    previous: Mapping[str, ManifestFile]

    def find(self, path: str) -> ManifestFile | None:
        """The file at `path`, from the playing set if it has one."""
        return self.files.get(path) or self.previous.get(path)


def is_expired(entry: ManifestFile, today: date) -> bool:
    """Whether a file must not be shown on `today`, a day in the venue's time zone."""
    return entry.expires is not None and today >= entry.expires


def venue_day(now: datetime, timezone: str) -> date:
    """The day at the venue."""
    return now.astimezone(zone(timezone)).date()


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
    }


class Kiosk:
    """The WSGI application over one data directory; safe for several threads."""

    def __init__(
        self,
        data: DataDir,
        *,
        player: Path = PLAYER,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        idle: Callable[[], bool] = lambda: True,
    ) -> None:
        """`idle` tells whether nobody uses the screen: it changes to another package only then."""
        self._data = data
        self._store = Store(data.root)
        self._player = player
        self._now = now
        self._lock = threading.Lock()
        self._stage = Stage(data, now)
        self._idle = idle
        self._seen: tuple[int, int] | None = None
        self._slots: dict[str, Slot] = {}
        self._loaded: dict[str, Playing] = {}
        self._playing: Playing | None = None
        self._shown: str | None = None
        self._tags: dict[str, tuple[int, int, str]] = {}

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request; nothing a request says can change anything here."""
        method = environ.get("REQUEST_METHOD", "GET")
        path = str(environ.get("PATH_INFO", "/")).lstrip("/")
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
        """What plays now: the slot its programme names, read anew when the pointer was swapped."""
        with self._lock:
            self._read_pointer()
            chosen = self._choose()
            if chosen is None:
                return self._playing
            key, found = chosen
            if self._shown is not None and key != self._shown and self._playing is not None:
                found = replace(found, previous={**found.previous, **self._playing.files})
                self._loaded[key] = found
            self._playing, self._shown = found, key
            return found

    def _read_pointer(self) -> None:
        try:
            found = self._data.active.stat()
        except OSError:
            return
        seen = (found.st_mtime_ns, found.st_ino)
        if seen == self._seen:
            return
        slots = read_slots(self._data)
        # A pointer that does not read leaves on the screen what was there.
        if slots:
            self._slots, self._loaded, self._seen = slots, {}, seen

    def _choose(self) -> tuple[str, Playing] | None:
        """The slot to show and what it plays; slots that do not load are as good as absent."""
        ready = [key for key, slot in self._slots.items() if slot.current is not None]
        while ready:
            key = self._stage.slot(ready, idle=self._idle())
            if key is None:
                main = main_slot({name: self._slots[name] for name in ready})
                key = main.key if main else ready[0]
            loaded = self._loaded.get(key) or self._load(self._slots[key])
            if loaded is not None:
                self._loaded[key] = loaded
                return key, loaded
            ready.remove(key)
        return None

    def _load(self, slot: Slot) -> Playing | None:
        current, before = self._load_set(slot.current), self._load_set(slot.previous)
        if current is None:
            # Rather yesterday's release than a dark screen.
            current, before = before, None
        if current is None:
            return None
        return Playing(
            current,
            {entry.path: entry for entry in current.files},
            {entry.path: entry for entry in before.files} if before else {},
        )

    def _load_set(self, chosen: ActiveSet | None) -> LoadedSet | None:
        try:
            return load_set(self._data, chosen) if chosen else None
        except (KioskError, OSError) as error:
            log.error("the set of release %s does not load: %s", chosen and chosen.release, error)
            return None

    def _release(self, start_response: StartResponse, method: str) -> Iterable[bytes]:
        playing = self.playing()
        if playing is None:
            return _text(start_response, 404, "nothing to play yet")
        document = release_document(
            playing,
            device=self._device_name(),
            stale=stale_days(self._data, self._now()),
            today=self._today(playing),
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
        playing = self.playing()
        entry = playing.find(path) if playing else None
        if entry is None or playing is None:
            return _text(start_response, 404, "not in the release that plays")
        if entry.expires is not None and is_expired(entry, self._today(playing)):
            return _text(start_response, 404, "no longer to be shown")
        if not is_proven(self._store, entry.sha256, entry.size) and not self._is_whole(entry):
            log.error("%s is missing or damaged on the disk; the next sync heals it", path)
            return _text(start_response, 404, "damaged on the disk")
        # Paths keep their name from one release to the next: the browser must ask, at no cost.
        file = StaticFile(entry.size, entry.sha256, entry.type, "no-cache")
        decided = answer(method, _request(environ), file)
        return _send(environ, start_response, decided, self._store.path(entry.sha256), ())

    def _today(self, playing: Playing) -> date:
        now = self._now()
        _, floor = clock(self._data, now)
        # A clock behind what surely has passed brings no picture back whose rights have ended.
        return venue_day(max(now, floor or now), playing.current.set.timezone)

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
        elif path == "default_page.css":
            file = HERE / "default_page.css"
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
        404: "Not Found",
        405: "Method Not Allowed",
        416: "Range Not Satisfiable",
    }
    return f"{status} {names[status]}"
