"""A release that the real player can show, for the simulated content server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from package_format.manifest import ManifestLanguage
from tests.kiosk.simulator import Content
from tests.player.collection import LANGUAGES, TAGS
from tests.player.release import write_release

TYPES = {
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".vtt": "text/vtt",
}

MANIFEST_LANGUAGES = tuple(
    ManifestLanguage(one["tag"], one["name"], one["dir"], tuple(one.get("fallback", ())))
    for one in LANGUAGES
)


def playable(folder: Path, wording: Callable[[str], str] | None = None) -> dict[str, Content]:
    """The files of the package `harbour` as the player reads them, every text through `wording`."""
    content = write_release(folder, wording=wording) / "content"
    found = {}
    for path in sorted(path for path in content.rglob("*") if path.is_file()):
        name = path.relative_to(content).as_posix()
        tag = next((tag for tag in TAGS if name.startswith(f"lang/{tag.lower()}/")), None)
        kind = TYPES.get(path.suffix, "application/octet-stream")
        found[name] = Content(path.read_bytes(), kind, (tag,) if tag else ())
    return found
