"""The player over the web: `/play/<package>/`, its static files and the live release's files.

The same static files that a device serves, found beside the device's code without running
any of it.
"""

from __future__ import annotations

import hashlib
import mimetypes
from datetime import date
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from content_api.delivery.reader import LiveRelease
from package_format.serving import StaticFile

CSP = (
    "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""Nothing from elsewhere, nothing inline, in no other site's frame."""

WEB_PROFILES = ("tablet", "guide", "wall", "galaxy")
"""Display profiles for a browser of unknown size, best first."""

# What a build needs and a screen does not.
_HIDDEN = frozenset(("package.json", "package-lock.json", "node_modules"))
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
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}


@lru_cache(maxsize=1)
def player_dir() -> Path | None:
    """Where the player's static files lie, or None if the kiosk part is not installed."""
    spec = find_spec("kiosk_client")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "player" / "index.html").is_file():
            return Path(place) / "player"
    return None


def find_static(path: str) -> tuple[Path, StaticFile] | None:
    """The player's file at `path`, "" being its page; None if there is none for the public."""
    root = player_dir()
    parts = (path or "index.html").split("/")
    if root is None or not all(_is_public(part) for part in parts):
        return None
    found = root.joinpath(*parts)
    if not found.is_file():
        return None
    status = found.stat()
    tag = _tag(found, status.st_mtime_ns, status.st_size)
    guessed = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    return found, StaticFile(status.st_size, tag, _TYPES.get(found.suffix, guessed), "no-cache")


def release_document(release: LiveRelease, today: date) -> dict[str, Any]:
    """What the player is told of the release it plays (`./release.json`), on a day at the venue."""
    manifest = release.manifest
    profile = next((name for name in WEB_PROFILES if name in manifest.profiles), "tablet")
    return {
        "package": manifest.package,
        "channel": manifest.channel,
        "release": manifest.release,
        "published_at": manifest.published_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "default_language": manifest.default_language,
        "languages": [language.to_json() for language in manifest.languages],
        "profile": profile,
        "shell": "web",
        "device": None,
        "stale_days": None,
        "today": today.isoformat(),
    }


def _is_public(part: str) -> bool:
    return (
        bool(part)
        and not part.startswith(".")
        and part not in _HIDDEN
        and "\\" not in part
        and "\0" not in part
    )


@lru_cache(maxsize=1024)
def _tag(path: Path, _mtime: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
