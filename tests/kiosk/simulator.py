"""A content server to test devices against: it publishes, expires, rotates, and attacks.

Real TUF metadata with real keys, served over real HTTP on a free port of this
machine by a thread. `origin.hits` is what was asked and how many bytes were sent.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from package_format.canonical import sha256_hex
from package_format.layout import (
    BLOCK_SIZE,
    blob_path,
    manifest_target,
    target_file,
)
from package_format.manifest import Manifest, ManifestFile, ManifestLanguage
from package_format.serving import StaticFile, answer

LOGIN_PAGE = b"<!doctype html><html><title>Hotel Wi-Fi</title><form>Room number?</form></html>"
BOMB = gzip.compress(b" " * 20_000_000)
ROLES = ("root", "targets", "snapshot", "timestamp")
LANGUAGES = (
    ManifestLanguage("fr", "Français", "ltr"),
    ManifestLanguage("en", "English", "ltr", ("fr",)),
    ManifestLanguage("ja", "日本語", "ltr", ("en",)),
)
TOKEN = "token-of-the-test-device"


@dataclass(frozen=True, slots=True)
class Hit:
    """One request answered: what was asked and the body's bytes that were sent."""

    method: str
    path: str
    range: str | None
    status: int
    sent: int


@dataclass(slots=True)
class Attack:
    """What to do to requests whose path matches, `times` times (for ever when None)."""

    path: str
    how: str
    times: int | None = None
    argument: Any = None


@dataclass(slots=True)
class Content:
    """A file to publish."""

    raw: bytes
    type: str = "application/json"
    languages: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    expires: date | None = None
    blocks: tuple[str, ...] | None = None


def noise(size: int, seed: str = "harbour") -> bytes:
    """`size` bytes that compress badly and are the same for the same seed."""
    out = bytearray()
    block = hashlib.sha256(seed.encode()).digest()
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block * 32 if size > 1_000_000 else block
    return bytes(out[:size])


def harbour(*, edition: int = 1, film: int = 9_000_000) -> dict[str, Content]:
    """The files of the package `harbour`: documents in three languages, pictures, a film."""
    files = {
        "package.json": Content(json.dumps({"format": 1, "package": "harbour"}).encode()),
        "media/crane/640.webp": Content(noise(40_000, "crane"), "image/webp", (), ("tablet",)),
        "media/crane/1920.webp": Content(noise(90_000, "wide"), "image/webp", (), ("wall",)),
        "media/film/720.mp4": Content(noise(film, "film"), "video/mp4", (), ("tablet",)),
    }
    for tag in ("fr", "en", "ja"):
        text = {"format": 1, "language": tag, "entries": {"crane": {"edition": edition}}}
        files[f"lang/{tag}/shard-0.json"] = Content(
            json.dumps(text).encode() + b" " * 3000, "application/json", (tag,)
        )
    return files


def file_entry(path: str, content: Content) -> ManifestFile:
    """The manifest's line for `content` at `path`."""
    blocks = content.blocks
    if blocks is None:
        size = len(content.raw)
        starts = range(0, size, BLOCK_SIZE) if size > BLOCK_SIZE else ()
        blocks = tuple(sha256_hex(content.raw[at : at + BLOCK_SIZE]) for at in starts)
    return ManifestFile(
        path=path,
        sha256=sha256_hex(content.raw),
        size=len(content.raw),
        type=content.type,
        languages=content.languages,
        profiles=content.profiles,
        blocks=blocks,
        expires=content.expires,
    )


@dataclass
class Origin:
    """The server. `files` are the repository's files by path; change anything between requests."""

    files: dict[str, bytes] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    codes: set[str] = field(default_factory=lambda: {"7GK2MP4XQ9TR"})
    assignment: dict[str, Any] | None = field(
        default_factory=lambda: {
            "package": "harbour",
            "channel": "live",
            "profile": "tablet",
            "languages": ["ja", "en"],
            "timezone": "Asia/Tokyo",
            "settings": {},
            "version": 1,
        }
    )
    heartbeats: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    told: list[tuple[int, str, str | None]] = field(default_factory=list)
    plays: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    revoked: bool = False
    url: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.busy = 0
        self.signers = {role: CryptoSigner.generate_ed25519() for role in ROLES}
        self.root = Root(consistent_snapshot=True, expires=_later(3650))
        for role in ROLES:
            self.root.add_key(self.signers[role].public_key, role)
        self.targets = Targets(expires=_later(365))
        self.snapshot = Snapshot(expires=_later(365))
        self.timestamp = Timestamp(expires=_later(30))
        self.published_at = datetime.now(UTC).replace(microsecond=0)
        self._releases: dict[str, int] = {}
        self._sign_root([self.signers["root"]])
        self.sign()

    # Publishing

    def publish(
        self,
        files: dict[str, Content] | None = None,
        *,
        package: str = "harbour",
        channel: str = "live",
        release: int | None = None,
        languages: tuple[ManifestLanguage, ...] = LANGUAGES,
        extra: dict[str, Any] | None = None,
    ) -> Manifest:
        """Publish `files` as the package's next release (or as number `release`)."""
        files = harbour() if files is None else files
        target = manifest_target(package, channel)
        number = release or self._releases.get(target, 0) + 1
        self._releases[target] = number
        manifest = Manifest(
            package=package,
            channel=channel,
            release=number,
            published_at=self.published_at,
            default_language=languages[0].tag,
            languages=languages,
            profiles=("tablet", "wall"),
            files=tuple(file_entry(path, content) for path, content in sorted(files.items())),
            extra=extra or {},
        )
        for content in files.values():
            self.files[blob_path(sha256_hex(content.raw))] = content.raw
        self.publish_manifest(target, manifest.to_bytes())
        return manifest

    def publish_manifest(self, target: str, raw: bytes) -> None:
        """Sign `raw` as the manifest of `target`, whatever it is."""
        self.files[target_file(target, sha256_hex(raw))] = raw
        self.targets.targets[target] = TargetFile.from_data(target, raw, ["sha256"])
        self.targets.version += 1
        self.snapshot.version += 1
        self.timestamp.version += 1
        self.sign()

    def sign(self) -> None:
        """Sign and place targets, snapshot and timestamp as they are now."""
        self.snapshot.meta["targets.json"] = MetaFile(self.targets.version)
        self.timestamp.snapshot_meta = MetaFile(self.snapshot.version)
        self.timestamp.unrecognized_fields["published_at"] = self.published_at.strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        names = {
            "targets": f"{self.targets.version}.targets.json",
            "snapshot": f"{self.snapshot.version}.snapshot.json",
            "timestamp": "timestamp.json",
        }
        for role, name in names.items():
            metadata = Metadata(getattr(self, role))
            metadata.sign(self.signers[role])
            self.files[f"metadata/{name}"] = metadata.to_bytes()

    def refresh(self, *, days: int = 30) -> None:
        """Sign the timestamp anew, one version on, for `days` (negative: expired already)."""
        self.timestamp.version += 1
        self.timestamp.expires = _later(days)
        self.sign()

    def rotate_root(self, *, role: str = "root") -> None:
        """Replace the key of `role`; the new root is signed by old and new root keys."""
        before = self.signers["root"]
        self.root.version += 1
        self.root.revoke_key(self.signers[role].public_key.keyid, role)
        self.signers[role] = CryptoSigner.generate_ed25519()
        self.root.add_key(self.signers[role].public_key, role)
        self._sign_root({before.public_key.keyid: before, **self._root_signer()}.values())
        if role != "root":
            self.timestamp.version += 1
            self.sign()

    def sign_with_strange_key(self, role: str) -> None:
        """Sign `role`'s newest metadata with a key nobody trusts."""
        mine = self.signers[role]
        stranger = CryptoSigner.generate_ed25519()
        stranger.public_key.keyid = mine.public_key.keyid
        self.signers[role] = stranger
        self.timestamp.version += 1
        self.sign()
        self.signers[role] = mine

    def root_bytes(self) -> bytes:
        """The newest root."""
        return self.files[f"metadata/{self.root.version}.root.json"]

    def save(self) -> tuple[dict[str, bytes], int]:
        """The repository as it is now, for `restore`."""
        return dict(self.files), self.timestamp.version

    def restore(self, saved: tuple[dict[str, bytes], int]) -> None:
        """Serve an older state again, as a mirror restored from a backup would."""
        self.files = dict(saved[0])

    # Serving

    @contextlib.contextmanager
    def serving(self) -> Iterator[Origin]:
        """Serve on a free port until the block ends."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def attack(self, path: str, how: str, times: int | None = None, argument: Any = None) -> None:
        """Misbehave for requests whose path matches the regular expression `path`."""
        self.attacks.append(Attack(path, how, times, argument))

    def asked(self, pattern: str = "") -> list[Hit]:
        """The hits whose path matches. A client may know its answer before we have counted it."""
        deadline = time.monotonic() + 0.2
        while self.busy and time.monotonic() < deadline:
            time.sleep(0.002)
        return [hit for hit in self.hits if re.search(pattern, hit.path)]

    def forget_hits(self) -> None:
        """Begin counting anew."""
        with self.lock:
            self.hits.clear()

    def find_attack(self, path: str) -> Attack | None:
        """The attack on `path`, one of its times used up."""
        with self.lock:
            for attack in self.attacks:
                if re.search(attack.path, path) and attack.times != 0:
                    if attack.times is not None:
                        attack.times -= 1
                    return attack
        return None

    def _root_signer(self) -> dict[str, CryptoSigner]:
        return {self.signers["root"].public_key.keyid: self.signers["root"]}

    def _sign_root(self, signers: Any) -> None:
        metadata = Metadata(self.root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self.files[f"metadata/{self.root.version}.root.json"] = metadata.to_bytes()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error of the server's."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _later(days: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def _handler(origin: Origin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self.handle_request(self.path)

        do_POST = do_GET

        def handle_request(self, path: str) -> None:
            with origin.lock:
                origin.busy += 1
            self.sent = 0
            self.status = 0
            length = int(self.headers.get("Content-Length") or 0)
            self.body = self.rfile.read(length)
            attack = origin.find_attack(path)
            try:
                if attack is not None:
                    self.misbehave(attack, path)
                elif path.startswith("/repository/"):
                    self.static(path.removeprefix("/repository/"))
                else:
                    self.api(path)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                hit = Hit(self.command, path, self.headers.get("Range"), self.status, self.sent)
                with origin.lock:
                    origin.hits.append(hit)
                    origin.busy -= 1

        def begin(self, status: int, headers: dict[str, str]) -> None:
            self.status = status
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()

        def put(self, raw: bytes) -> None:
            view = memoryview(raw)
            while view:
                self.sent += self.connection.send(view[:65536])
                view = view[min(65536, len(view)) :]

        def static(self, path: str, raw: bytes | None = None) -> None:
            raw = origin.files.get(path) if raw is None else raw
            if raw is None:
                self.begin(404, {"Content-Length": "0", "Cache-Control": "no-store"})
                return
            name = path.rpartition("/")[2]
            zipped = gzip.compress(raw, 6) if raw[:1] == b"{" and "blobs/" in path else None
            file = StaticFile(
                size=len(raw),
                tag=name if "blobs/" in path else sha256_hex(raw),
                media_type="application/json" if raw[:1] == b"{" else "application/octet-stream",
                gzip_size=len(zipped) if zipped else None,
            )
            request = {key.lower(): text for key, text in self.headers.items()}
            decided = answer("GET", request, file)
            self.begin(decided.status, dict(decided.headers))
            if decided.body:
                body = zipped if decided.use_gzip and zipped else raw
                self.put(body[decided.start : decided.stop])

        def json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
            raw = json.dumps(value).encode()
            self.begin(
                status,
                {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(raw)),
                    **(headers or {}),
                },
            )
            self.put(raw)

        def problem(self, status: int, code: str, detail: str) -> None:
            self.json(status, {"code": code, "detail": detail, "status": status})

        def api(self, path: str) -> None:
            if path == "/api/v1/enrolments":
                asked = json.loads(self.body)
                code = asked["code"].replace("-", "").upper()
                if code not in origin.codes:
                    self.problem(403, "enrolment-code-invalid", "No such code.")
                    return
                origin.codes.discard(code)
                self.json(
                    201,
                    {
                        "device": {"id": "d1", "name": asked.get("name") or "Harbour 1"},
                        "token": TOKEN,
                        "root": base64.b64encode(origin.root_bytes()).decode(),
                        "repository": "/repository/",
                        "assignment": origin.assignment,
                    },
                )
                return
            if self.headers.get("Authorization") != f"Bearer {TOKEN}" or origin.revoked:
                self.problem(401, "device-revoked", "This device was revoked.")
            elif path == "/api/v1/device":
                version = origin.assignment["version"] if origin.assignment else 0
                etag = f'"a{version}"'
                if self.headers.get("If-None-Match") == etag:
                    self.begin(304, {"ETag": etag})
                    return
                value = {
                    "device": {"id": "d1", "name": "Harbour 1"},
                    "assignment": origin.assignment,
                    "server_time": datetime.now(UTC).isoformat(),
                }
                self.json(200, value, {"ETag": etag})
            elif path == "/api/v1/device/heartbeats":
                origin.heartbeats.append(json.loads(self.body))
                version = origin.assignment["version"] if origin.assignment else 0
                self.json(202, {"assignment_version": version, "orders": origin.orders})
            elif found := re.fullmatch(r"/api/v1/device/orders/(\d+)/acknowledgement", path):
                asked = json.loads(self.body)
                origin.told.append((int(found[1]), asked["state"], asked["message"]))
                # As the server has it: an order that was taken is told no more.
                origin.orders = [one for one in origin.orders if one["id"] != int(found[1])]
                self.json(200, {"id": int(found[1])})
            elif path == "/api/v1/device/plays":
                asked = json.loads(self.body)
                if asked["batch"] not in {batch for batch, _ in origin.plays}:
                    origin.plays.append((asked["batch"], asked["rows"]))
                self.json(202, {"added": True})
            else:
                self.problem(404, "not-found", "No such page.")

        def misbehave(self, attack: Attack, path: str) -> None:
            raw = origin.files.get(path.removeprefix("/repository/"), b"")
            kind = {"Content-Type": "application/octet-stream"}
            match attack.how:
                case "html":
                    page = {"Content-Type": "text/html", "Content-Length": str(len(LOGIN_PAGE))}
                    self.begin(200, page)
                    self.put(LOGIN_PAGE)
                case "html-as-octets":
                    self.begin(200, {**kind, "Content-Length": str(len(LOGIN_PAGE))})
                    self.put(LOGIN_PAGE)
                case "status":
                    self.begin(attack.argument, {"Content-Length": "0"})
                case "busy":
                    self.begin(503, {"Content-Length": "0", "Retry-After": str(attack.argument)})
                case "redirect":
                    self.begin(302, {"Location": attack.argument, "Content-Length": "0"})
                case "cut":
                    self.begin(200, {**kind, "Content-Length": str(len(raw))})
                    self.put(raw[: attack.argument])
                    self.close_connection = True
                case "short":
                    part = raw[: len(raw) // 2]
                    self.begin(200, {**kind, "Content-Length": str(len(part))})
                    self.put(part)
                case "flip":
                    bad = bytearray(raw)
                    for at in attack.argument:
                        bad[at] ^= 1
                    self.static(path.removeprefix("/repository/"), bytes(bad))
                case "wrong-range":
                    headers = {"Content-Range": f"bytes 0-99/{len(raw)}", "Content-Length": "100"}
                    self.begin(206, {**kind, **headers})
                    self.put(raw[:100])
                case "ignore-range":
                    self.begin(200, {**kind, "Content-Length": str(len(raw))})
                    self.put(raw)
                case "endless":
                    self.begin(200, {**kind, "Connection": "close"})
                    self.close_connection = True
                    while True:
                        self.put(b"x" * 65536)
                case "bomb":
                    bomb = BOMB
                    self.begin(
                        200,
                        {**kind, "Content-Encoding": "gzip", "Content-Length": str(len(bomb))},
                    )
                    self.put(bomb)
                case "stall":
                    self.begin(200, {**kind, "Content-Length": str(max(len(raw), 1))})
                    self.put(raw[:100])
                    self.wait_closed(attack.argument)
                case "drip":
                    self.begin(200, {**kind, "Content-Length": str(len(raw))})
                    for at in range(len(raw)):
                        self.put(raw[at : at + 1])
                        time.sleep(attack.argument)
                case "drip-head":
                    for letter in b"HTTP/1.1 200 OK\r\nX-Patience: " + b"x" * 100_000:
                        self.put(bytes([letter]))
                        time.sleep(attack.argument)
                case "garbage":
                    self.put(b"\x00\x01SSH-2.0-hotel\r\n" * 100)
                    self.close_connection = True
                case "slow":
                    time.sleep(attack.argument)
                    self.static(path.removeprefix("/repository/"))
                case "drop":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                case _:
                    raise AssertionError(f"no attack called {attack.how}")

        def wait_closed(self, seconds: float) -> None:
            self.connection.settimeout(seconds)
            with contextlib.suppress(TimeoutError, OSError):
                self.connection.recv(1)
            self.close_connection = True

    return Handler


__all__ = ["LOGIN_PAGE", "TOKEN", "Attack", "Content", "Hit", "Origin", "Role", "harbour", "noise"]
