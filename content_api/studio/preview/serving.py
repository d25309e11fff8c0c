"""The player's files on what a preview shows, for somebody signed in and for a link's holder.

As a display gets them, but for two things: nothing may be kept by a cache that others read,
and no other site may read or frame it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from content_api.delivery.player import CSP, WEB_PROFILES, find_static
from content_api.media.sending import read_range, request_headers
from content_api.packages.preview import Shown
from content_api.problems import NotFound
from content_api.settings import current_settings
from package_format.manifest import ManifestFile
from package_format.serving import Answer, StaticFile, answer

REVALIDATED = "private, no-cache"
"""For somebody signed in: their own browser may keep it, and asks each time."""

KEPT_BY_NOBODY = "private, no-store"


def player_file(
    path: str, shown: Callable[[], Shown], *, profile: str, cache: str = REVALIDATED
) -> Response:
    """The file of the player at `path`, `release.json`, or a file of what is shown.

    `shown` is called only where it is needed: most files are the player's own.

    Raises:
        NotFound: there is no such file, or nothing to show.
    """
    if path == "release.json":
        response = jsonify(release_document(shown(), profile))
        return _private(response, KEPT_BY_NOBODY)
    if path.startswith("content/"):
        return _private(_content(shown(), path.removeprefix("content/")), cache)
    found = find_static(path)
    if found is None:
        raise NotFound("The player has no such file.")
    source, file = found
    decided = answer(request.method, request_headers(), file)
    body: Any = read_range(source, decided.start, decided.stop) if decided.body else b""
    response = _private(_answered(decided, body), cache)
    if file.media_type.startswith("text/html"):
        response.headers["Cache-Control"] = KEPT_BY_NOBODY
    response.headers["Content-Security-Policy"] = CSP
    return response


def release_document(shown: Shown, profile: str) -> dict[str, Any]:
    """What the player is told of a preview (`./release.json`)."""
    manifest = shown.manifest
    return {
        "package": manifest.package,
        "channel": "preview",
        "release": shown.number,
        "published_at": manifest.published_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "default_language": manifest.default_language,
        "languages": [language.to_json() for language in manifest.languages],
        "profile": profile_for(profile, manifest.profiles),
        "shell": "web",
        "device": None,
        "stale_days": None,
        "today": shown.day.isoformat(),
        "preview": shown.source,
    }


def profile_for(wanted: str, made_for: tuple[str, ...]) -> str:
    """`wanted` if the package is made for it, else the first it is made for."""
    if wanted in made_for:
        return wanted
    return next((name for name in WEB_PROFILES if name in made_for), "tablet")


def _content(shown: Shown, path: str) -> Response:
    entry = shown.find(path)
    if entry is None:
        raise NotFound("The preview shows no such file.")
    file = StaticFile(entry.size, entry.sha256, entry.type, REVALIDATED)
    decided = answer(request.method, request_headers(), file)
    return _answered(decided, _bytes(shown, entry, decided))


def _bytes(shown: Shown, entry: ManifestFile, decided: Answer) -> Any:
    if not decided.body:
        return b""
    document = shown.bytes_of(entry)
    if document is not None:
        return document[decided.start : decided.stop]
    place = shown.place_of(current_settings(), entry)
    return read_range(place, decided.start, decided.stop)


def _answered(decided: Answer, body: Any) -> Response:
    response = Response(body, status=decided.status, direct_passthrough=True)
    response.headers.clear()
    for name, value in decided.headers:
        # What everybody may read of a release is not yet anybody's of a preview.
        if not name.startswith(("Access-Control-", "Cross-Origin-")):
            response.headers.add(name, value)
    return response


def _private(response: Response, cache: str) -> Response:
    response.headers["Cache-Control"] = cache
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
