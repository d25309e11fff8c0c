"""Serving this device's store to the kiosks next to it: read-only, public content alone.

A relay is trusted for nothing: whoever asks verifies all of it. So this hands
out the signed repository as far as it is here (docs/package-format.md, section
7) and answers one question, which blobs it has. It has its own port, knows no
token, and reads nothing but metadata, manifests and proven blobs.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from kiosk_client.config import DataDir, load_assignment, load_device
from kiosk_client.errors import KioskError
from kiosk_client.holdings import Metadata, anchor_name, kept_manifest, read_metadata
from kiosk_client.sources import MOST_ASKED, RELAY_PORT, local_setting
from kiosk_client.store import STAMP_NS, Store
from package_format.canonical import is_sha256, parse_json, sha256_hex
from package_format.layout import CHANNELS, blob_path, manifest_target, target_file
from package_format.serving import IMMUTABLE, StaticFile, answer

LARGEST_QUESTION = 1024 * 1024
THREADS = 2
CONNECTIONS = 32
SILENCE_SECONDS = 20
LOOK_SECONDS = 30.0
"""Between two looks at the settings and at this machine's addresses."""

_TARGET = re.compile(
    rf"targets/packages/([a-z0-9-]{{1,64}})/([0-9a-f]{{64}})\.({'|'.join(CHANNELS)})\.json"
)
_BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})")
_READ = 64 * 1024

log = logging.getLogger("kiosk_client.relay")

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Relay:
    """The WSGI application over one data directory; safe for several threads."""

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._store = Store(data.root)
        self._lock = threading.Lock()
        self._seen: tuple[Any, ...] = ()
        self._states: tuple[Metadata, ...] = ()

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request; nothing a request says can change anything here."""
        method = str(environ.get("REQUEST_METHOD", "GET"))
        path = str(environ.get("PATH_INFO", "/"))
        if not path.startswith("/repository/"):
            return _words(start_response, method, 404)
        name = path.removeprefix("/repository/")
        if name == "have":
            if method != "POST":
                return _words(start_response, method, 405, ("Allow", "POST"))
            return self._have(environ, start_response)
        if method not in ("GET", "HEAD"):
            return _words(start_response, method, 405, ("Allow", "GET, HEAD"))
        blob = _BLOB.fullmatch(name)
        if blob and name == blob_path(blob[1]):
            return self._blob(environ, start_response, method, blob[1])
        raw = self._document(name)
        if raw is None:
            return _words(start_response, method, 404)
        control = "no-cache" if name == "metadata/timestamp.json" else IMMUTABLE
        file = StaticFile(len(raw), sha256_hex(raw), "application/json", control)
        decided = answer(method, _request(environ), file)
        start_response(_status(decided.status), list(decided.headers))
        return (raw[decided.start : decided.stop],) if decided.body else ()

    def _document(self, name: str) -> bytes | None:
        if name.startswith("metadata/"):
            for state in self._metadata():
                raw = state.files.get(name.removeprefix("metadata/"))
                if raw is not None:
                    return raw
            return None
        target = _TARGET.fullmatch(name)
        if target is None:
            return None
        package, sha256, channel = target.groups()
        raw = kept_manifest(self._data, sha256)
        if raw is None:
            return None
        try:
            found = parse_json(raw)
            right = target_file(manifest_target(found["package"], found["channel"]), sha256)
        except (ValueError, TypeError, KeyError):
            return None
        return raw if (name, channel, package) == (right, found["channel"], package) else None

    def _metadata(self) -> tuple[Metadata, ...]:
        """The newest coherent state first, then the one before: a reader may be in its middle."""
        seen = _look(self._data)
        with self._lock:
            if seen != self._seen:
                try:
                    found = read_metadata(self._data)
                except OSError as error:
                    log.warning("the disk does not give its metadata: %s", error)
                    return self._states
                if found is not None:
                    before = [one for one in self._states if one.versions != found.versions]
                    self._states, self._seen = (found, *before[:1]), seen
            return self._states

    def _blob(
        self, environ: Mapping[str, Any], start_response: StartResponse, method: str, sha256: str
    ) -> Iterable[bytes]:
        opened = self._open(sha256)
        if opened is None:
            return _words(start_response, method, 404)
        file, size = opened
        decided = answer(
            method, _request(environ), StaticFile(size, sha256, "application/octet-stream")
        )
        start_response(_status(decided.status), list(decided.headers))
        if not decided.body:
            file.close()
            return ()
        file.seek(decided.start)
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None:
            # waitress sends from the file's position as the socket takes it: flat memory.
            return wrapper(file, _READ)  # type: ignore[no-any-return]
        return _pieces(file, decided.stop - decided.start)

    def _open(self, sha256: str) -> tuple[IO[bytes], int] | None:
        """A blob that was proven and not touched since, and its size; None otherwise."""
        try:
            file = self._store.path(sha256).open("rb")
        except OSError:
            return None
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode) and found.st_mtime_ns == STAMP_NS:
            return file, found.st_size
        file.close()
        return None

    def _have(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raw = _body(environ)
        asked = _hashes(raw) if raw is not None else None
        if raw is None or asked is None:
            return _words(start_response, "POST", 413 if raw is None else 400)
        mask = bytearray((len(asked) + 7) // 8)
        for at, sha256 in enumerate(asked):
            if self._is_here(sha256):
                mask[at // 8] |= 1 << (at % 8)
        out = b'{"have":"' + base64.b64encode(mask) + b'"}'
        start_response(
            _status(200),
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(out))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        return (out,)

    def _is_here(self, sha256: str) -> bool:
        try:
            found = self._store.path(sha256).stat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_mtime_ns == STAMP_NS


class RelayServer:
    """A relay that listens, in a thread of its own, until it is closed."""

    def __init__(self, data: DataDir, host: str, port: int) -> None:
        """Listen at `host`, all addresses when empty; port 0 picks a free one.

        Raises:
            KioskError: the port is taken or not allowed.
        """
        from waitress import wasyncore
        from waitress.server import create_server

        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, port), family=family, backlog=CONNECTIONS)
        except OSError as error:
            raise KioskError(
                f"expected to serve other kiosks at port {port}, got: {error.strerror}: "
                "choose another with --relay"
            ) from error
        self.port: int = listening.getsockname()[1]
        self._map: dict[int, Any] = {}
        self._server = create_server(
            Relay(data),
            map=self._map,
            sockets=[listening],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=SILENCE_SECONDS,
            cleanup_interval=SILENCE_SECONDS,
            max_request_body_size=LARGEST_QUESTION,
            inbuf_overflow=LARGEST_QUESTION + 1,
            max_request_header_size=8192,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._loop = wasyncore.loop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; who is being answered is cut off."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._loop(timeout=0.5, use_poll=True, map=self._map, count=1)
        self._server.task_dispatcher.shutdown()
        for held in list(self._map.values()):
            with contextlib.suppress(OSError):
                held.close()
        self._server.close()


class Keeper:
    """Has a relay served and announced while the settings want one; looks at them now and then."""

    def __init__(self, data: DataDir, *, port: int | None, host: str = "") -> None:
        """`port` serves whatever the settings say; None leaves it to them."""
        self._data = data
        self._forced = port
        self._host = host
        self._stop = threading.Event()
        self._server: RelayServer | None = None
        self._announced: Any = None
        self._complained = ""
        self._thread = threading.Thread(target=self._loop, name="relay-keeper", daemon=True)

    @property
    def port(self) -> int | None:
        """The port that is served, or None."""
        return self._server.port if self._server else None

    def start(self) -> None:
        """Begin.

        Raises:
            KioskError: a port was asked for, and cannot be had.
        """
        if self._forced is not None:
            self._server = RelayServer(self._data, self._host, self._forced)
        self._thread.start()

    def stop(self) -> None:
        """End serving and announcing."""
        self._stop.set()
        self._thread.join(timeout=5)
        self._quiet()
        if self._server is not None:
            self._server.close()

    def look(self) -> None:
        """Serve or not, announce or not, as the settings and the machine are now."""
        wanted = self._forced is not None or (
            local_setting(self._data, load_assignment(self._data), "relay") is True
        )
        if not wanted:
            self._quiet()
            if self._server is not None:
                self._server.close()
                self._server = None
            return
        if self._server is None:
            try:
                self._server = RelayServer(self._data, self._host, RELAY_PORT)
            except KioskError as error:
                if str(error) != self._complained:
                    log.warning("%s", error)
                self._complained = str(error)
                return
        self._announce(self._server.port)

    def _announce(self, port: int) -> None:
        from kiosk_client.discovery import Announcement, machine_addresses, service_name

        addresses = machine_addresses()
        if self._announced is not None and self._announced.addresses == addresses:
            return
        # Another network, or the cable came back: what was announced is no longer true.
        self._quiet()
        device = load_device(self._data)
        self._announced = Announcement(
            name=service_name(device.id),
            anchor=anchor_name(self._data, device),
            port=port,
            addresses=addresses,
        )

    def _quiet(self) -> None:
        if self._announced is not None:
            self._announced.close()
            self._announced = None

    def _loop(self) -> None:
        while True:
            try:
                self.look()
            except (KioskError, OSError, ValueError) as error:
                # A neighbour's convenience must not disturb this device's own screen.
                log.warning("the relay: %s", error)
            if self._stop.wait(LOOK_SECONDS):
                return


@contextlib.contextmanager
def relaying(data: DataDir, *, port: int | None) -> Iterator[Keeper]:
    """While the block runs, serve other kiosks if `port` or the settings say so.

    Raises:
        KioskError: a port was asked for, and cannot be had.
    """
    keeper = Keeper(data, port=port)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def _look(data: DataDir) -> tuple[Any, ...]:
    seen: list[Any] = []
    names = ("timestamp.json", "snapshot.json", "targets.json", "root_history")
    for path in (data.metadata / name for name in names):
        with contextlib.suppress(OSError):
            found = path.stat()
            seen.append((found.st_mtime_ns, found.st_ino, found.st_size))
    return tuple(seen)


def _body(environ: Mapping[str, Any]) -> bytes | None:
    """The request's body; None when it has no length, or is too long."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or -1)
    except ValueError:
        return None
    if not 0 <= length <= LARGEST_QUESTION:
        return None
    return bytes(environ["wsgi.input"].read(length))


def _hashes(raw: bytes) -> list[str] | None:
    try:
        found = parse_json(raw)["sha256"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(found, list) or len(found) > MOST_ASKED:
        return None
    return found if all(is_sha256(one) for one in found) else None


def _request(environ: Mapping[str, Any]) -> dict[str, str]:
    names = ("range", "if-range", "if-none-match", "accept-encoding")
    keys = {name: "HTTP_" + name.upper().replace("-", "_") for name in names}
    return {name: str(environ[key]) for name, key in keys.items() if key in environ}


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    with file:
        while size > 0 and (chunk := file.read(min(_READ, size))):
            size -= len(chunk)
            yield chunk


def _words(
    start_response: StartResponse, method: str, status: int, *extra: tuple[str, str]
) -> Iterable[bytes]:
    """A short answer without content; not to be kept by any cache."""
    raw = _status(status).encode("ascii") + b"\n"
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
    return () if method == "HEAD" else (raw,)


def _status(status: int) -> str:
    names = {
        200: "OK",
        206: "Partial Content",
        304: "Not Modified",
        400: "Bad Request",
        404: "Not Found",
        405: "Method Not Allowed",
        413: "Content Too Large",
        416: "Range Not Satisfiable",
    }
    return f"{status} {names[status]}"


__all__ = ["Keeper", "Relay", "RelayServer", "relaying"]
