"""HTTP of partner reading (/api/v1/live/…) and of the web player (/play/<package>/…)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import flask
from flask import Response, request, url_for
from marshmallow import Schema

from content_api.api import Blueprint, decode_cursor, encode_cursor
from content_api.content.types import content_types
from content_api.database import session, utc_now
from content_api.delivery import kml, maps
from content_api.delivery.choosing import (
    Wanted,
    after,
    choose_entries,
    choose_language,
    parse_box,
    search_words,
)
from content_api.delivery.player import CSP, find_static, release_document
from content_api.delivery.reader import (
    LiveRelease,
    live_packages,
    live_release,
    section_entries,
    sections_of,
)
from content_api.delivery.schemas import (
    EntriesQuery,
    EntryQuery,
    LanguageQuery,
    LiveEntriesSchema,
    LiveEntryAnswerSchema,
    LivePackageSchema,
    LivePackagesSchema,
)
from content_api.delivery.shaping import Shape
from content_api.media.sending import read_range, request_headers
from content_api.packages.models import Package
from content_api.problems import BadRequest, NotFound
from content_api.settings import current_settings
from package_format.canonical import canonical_json, sha256_hex
from package_format.layout import blob_path
from package_format.serving import StaticFile, answer

MAX_AGE = "public, max-age=60"
"""A partner's page is at most a minute behind the release; then a tag comparison is enough."""

GEOJSON_TYPE = "application/geo+json"
JSON_TYPE = "application/json"
_PUBLIC = "what is live is meant for everybody"

live = Blueprint("live", __name__, url_prefix="/live", description="Partner reading")
play = flask.Blueprint("play", __name__, url_prefix="/play")
blueprints = [live]
site_blueprints = [play]


@live.after_request
def allow_every_origin(response: Response) -> Response:
    """Let any site's page read; the preflight of a page that sends If-None-Match too."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "If-None-Match"
        response.headers["Access-Control-Max-Age"] = "86400"
    return response


@live.route("/packages", endpoint="packages")
@live.public(_PUBLIC)
@live.response(200, LivePackagesSchema)
@live.versioned
def get_packages() -> Response:
    """Every live package."""
    found = [_package(release) for release in live_packages(current_settings())]
    return _answer({"items": found}, LivePackagesSchema())


@live.route("/packages/<string:slug>", endpoint="package")
@live.public(_PUBLIC)
@live.response(200, LivePackageSchema)
@live.versioned
def get_package(slug: str) -> Response:
    """A live package: its languages, sections and addresses."""
    return _answer(_package(_release(slug)), LivePackageSchema())


@live.route("/packages/<string:slug>/entries", endpoint="entries")
@live.public(_PUBLIC)
@live.arguments(EntriesQuery, location="query")
@live.response(200, LiveEntriesSchema)
@live.fails(422)
@live.versioned
def get_entries(query: Mapping[str, Any], slug: str) -> Response:
    """A package's entries in one language, in the editors' order, without their stories."""
    release = _release(slug)
    shape = _shape(release, query)
    among = None
    if query.get("section"):
        members = section_entries(release.package, query["section"])
        if members is None:
            raise NotFound(f"The package {slug} has no section {query['section']!r}.")
        among = frozenset(members)
    wanted = Wanted(
        query.get("type"), query.get("kind"), among, parse_box(query.get("bbox")), query.get("q")
    )
    entries = shape.documents.entries
    words = {}
    if wanted.question:
        words = {entry_id: search_words(entry) for entry_id, entry in entries.items()}
    ids = choose_entries(entries, words, wanted)
    cursor = decode_cursor(query.get("cursor"), 2)
    last, position = _place(cursor)
    rest = after(ids, last, position)
    page = rest[: query["limit"]]
    following = None
    if len(rest) > len(page):
        following = encode_cursor([page[-1], len(ids) - len(rest) + len(page)])
    return _answer(
        {
            "items": [_entry(release, shape, entry_id, whole=False) for entry_id in page],
            "next": following,
            "language": shape.documents.tag,
            "release": release.manifest.release,
            "total": len(ids),
            "credits": _credits(release, shape.documents.tag),
        },
        LiveEntriesSchema(),
    )


@live.route("/packages/<string:slug>/entries/<string:entry_id>", endpoint="entry")
@live.public(_PUBLIC)
@live.arguments(EntryQuery, location="query")
@live.response(200, LiveEntryAnswerSchema)
@live.fails(422)
@live.versioned
def get_entry(query: Mapping[str, Any], slug: str, entry_id: str) -> Response:
    """One entry, whole, in one language; `_meta` tells the language each text is really in."""
    release = _release(slug)
    shape = _shape(release, query)
    if entry_id not in shape.documents.entries:
        raise NotFound(
            f"The package {slug} shows no entry {entry_id[:64]!r} in {shape.documents.tag}."
        )
    found = _entry(release, shape, entry_id, whole=True)
    found["release"] = release.manifest.release
    found["package_credits"] = _credits(release, shape.documents.tag)
    return _answer(found, LiveEntryAnswerSchema())


def _map_route(rule: str, endpoint: str, media_type: str) -> Callable[..., Any]:
    def decorate(function: Callable[..., Response]) -> Any:
        text = {"type": "string"} if media_type == kml.KML_TYPE else {"type": "object"}
        for wrap in (
            live.versioned,
            live.fails(422),
            live.response(200, text, content_type=media_type),
            live.arguments(LanguageQuery, location="query"),
            live.public(_PUBLIC),
            live.route(rule, endpoint=endpoint),
        ):
            function = wrap(function)
        return function

    return decorate


@_map_route("/packages/<string:slug>/places.geojson", "places_geojson", GEOJSON_TYPE)
def get_places_geojson(query: Mapping[str, Any], slug: str) -> Response:
    """The places of a package as GeoJSON (RFC 7946)."""
    release = _release(slug)
    shape = _shape(release, query)
    tag = shape.documents.tag
    points = maps.places(release, shape, _entry_url(release, tag))
    found = maps.places_geojson(
        points, language=tag, release=release, credit=_credits(release, tag)
    )
    return _answer_bytes(canonical_json(found), GEOJSON_TYPE)


@_map_route("/packages/<string:slug>/places.kml", "places_kml", kml.KML_TYPE)
def get_places_kml(query: Mapping[str, Any], slug: str) -> Response:
    """The places of a package as KML 2.2."""
    release = _release(slug)
    shape = _shape(release, query)
    tag = shape.documents.tag
    points = maps.places(release, shape, _entry_url(release, tag))
    name = release.package.get("title", {}).get(tag, slug)
    return _answer_bytes(
        kml.places_kml(points, name=name, credit=_credits(release, tag)), kml.KML_TYPE
    )


@_map_route("/packages/<string:slug>/tours/<string:tour_id>.geojson", "tour_geojson", GEOJSON_TYPE)
def get_tour_geojson(query: Mapping[str, Any], slug: str, tour_id: str) -> Response:
    """A tour as GeoJSON: the line through its stops, and each stop."""
    release = _release(slug)
    shape = _shape(release, query)
    tag = shape.documents.tag
    found = maps.tour(release, shape, tour_id, _entry_url(release, tag))
    collection = maps.tour_geojson(
        found, language=tag, release=release, credit=_credits(release, tag)
    )
    return _answer_bytes(canonical_json(collection), GEOJSON_TYPE)


@_map_route("/packages/<string:slug>/tours/<string:tour_id>.kml", "tour_kml", kml.KML_TYPE)
def get_tour_kml(query: Mapping[str, Any], slug: str, tour_id: str) -> Response:
    """A tour as KML 2.2: the line through its stops, and each stop."""
    release = _release(slug)
    shape = _shape(release, query)
    tag = shape.documents.tag
    found = maps.tour(release, shape, tour_id, _entry_url(release, tag))
    return _answer_bytes(kml.tour_kml(found, credit=_credits(release, tag)), kml.KML_TYPE)


@play.get("/<string:slug>/")
@play.get("/<string:slug>/<path:path>")
def get_player_file(slug: str, path: str = "") -> Response:
    """A file of the player, the live release's files below content/, or release.json."""
    release = _release(slug)
    if path == "release.json":
        response = flask.jsonify(release_document(release, _venue_day(slug)))
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
    if path.startswith("content/"):
        return _content(release, path.removeprefix("content/"))
    found = find_static(path)
    if found is None:
        raise NotFound("The player has no such file.")
    source, file = found
    decided = answer(request.method, request_headers(), file)
    response = _decided(source, decided)
    response.headers["Content-Security-Policy"] = CSP
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _content(release: LiveRelease, path: str) -> Response:
    entry = release.files.get(path)
    if entry is None or not release.is_shown(path, _venue_day(release.manifest.package)):
        raise NotFound("The live release shows no such file.")
    # A path keeps its name from one release to the next, so a browser must ask. With the
    # beginning of the hash beside it the address never means other bytes.
    version = request.args.get("v", "")
    kept = len(version) >= 8 and entry.sha256.startswith(version)
    cache = "public, max-age=31536000, immutable" if kept else "no-cache"
    file = StaticFile(entry.size, entry.sha256, entry.type, cache)
    decided = answer(request.method, request_headers(), file)
    return _decided(current_settings().repository_dir / blob_path(entry.sha256), decided)


def _decided(path: Any, decided: Any) -> Response:
    body: Any = read_range(path, decided.start, decided.stop) if decided.body else b""
    response = Response(body, status=decided.status, direct_passthrough=True)
    response.headers.clear()
    response.headers.extend(decided.headers)
    return response


def _release(slug: str) -> LiveRelease:
    return live_release(current_settings(), slug)


def _shape(release: LiveRelease, query: Mapping[str, Any]) -> Shape:
    manifest = release.manifest
    tag = choose_language(query.get("lang"), manifest.tags, manifest.default_language)
    today = _venue_day(manifest.package)
    base = _base()

    def url(path: str) -> str | None:
        if not release.is_shown(path, today):
            return None
        version = release.files[path].sha256[:12]
        return f"{base}/play/{manifest.package}/content/{quote(path)}?v={version}"

    return Shape(
        release.documents_on(tag, today), content_types(), url, query.get("fallback") != "none"
    )


def _entry(release: LiveRelease, shape: Shape, entry_id: str, *, whole: bool) -> dict[str, Any]:
    found = shape.entry(entry_id, whole=whole)
    slug, tag = release.manifest.package, shape.documents.tag
    found["sections"] = sections_of(release.package, entry_id)
    found["links"] = {
        "self": _entry_url(release, tag)(entry_id),
        "player": f"{_base()}/play/{slug}/#/{tag}/entry/{entry_id}",
    }
    if found["type"] == "tour":
        address = f"{_base()}{url_for('live.package', slug=slug)}/tours/{entry_id}"
        found["links"]["geojson"] = f"{address}.geojson?lang={tag}"
        found["links"]["kml"] = f"{address}.kml?lang={tag}"
    return found


def _package(release: LiveRelease) -> dict[str, Any]:
    manifest, package = release.manifest, release.package
    address = f"{_base()}{url_for('live.package', slug=manifest.package)}"
    counts: dict[str, int] = {}
    today = _venue_day(manifest.package)
    for entry in release.documents_on(manifest.default_language, today).entries.values():
        counts[entry["type"]] = counts.get(entry["type"], 0) + 1
    return {
        "package": manifest.package,
        "release": manifest.release,
        "published_at": manifest.published_at,
        "default_language": manifest.default_language,
        "languages": [language.to_json() for language in manifest.languages],
        "profiles": list(manifest.profiles),
        "title": package.get("title", {}),
        "summary": package.get("summary", {}),
        "credits": package.get("credits", {}),
        "sections": release.sections_on(today),
        "types": dict(sorted(counts.items())),
        "links": {
            "self": address,
            "entries": f"{address}/entries",
            "places_geojson": f"{address}/places.geojson",
            "places_kml": f"{address}/places.kml",
            "player": f"{_base()}/play/{manifest.package}/",
        },
    }


def _entry_url(release: LiveRelease, tag: str) -> Callable[[str], str]:
    address = f"{_base()}{url_for('live.package', slug=release.manifest.package)}/entries"
    return lambda entry_id: f"{address}/{entry_id}?lang={tag}"


def _credits(release: LiveRelease, tag: str) -> str:
    found: str = release.package.get("credits", {}).get(tag, "")
    return found


def _base() -> str:
    return current_settings().public_url or request.url_root.rstrip("/")


def _venue_day(slug: str) -> date:
    package = session().get(Package, slug)
    zone = ZoneInfo(package.body.get("timezone", "UTC")) if package else UTC
    return utc_now().astimezone(zone).date()


def _place(cursor: list[Any] | None) -> tuple[str | None, int]:
    if cursor is None:
        return None, 0
    last, position = cursor
    if not isinstance(last, str) or not isinstance(position, int) or position < 0:
        raise BadRequest("cursor: expected the `next` of an earlier page")
    return last, position


def _answer(value: Any, schema: Schema) -> Response:
    body = flask.json.dumps(schema.dump(value), ensure_ascii=False, sort_keys=True)
    return _answer_bytes(body.encode("utf-8"), JSON_TYPE)


def _answer_bytes(raw: bytes, media_type: str) -> Response:
    file = StaticFile(len(raw), sha256_hex(raw)[:32], media_type, MAX_AGE)
    headers = {name: value for name, value in request_headers().items() if name == "if-none-match"}
    decided = answer(request.method, headers, file)
    response = Response(raw if decided.body else b"", status=decided.status)
    for name, value in decided.headers:
        if name != "Accept-Ranges":
            response.headers[name] = value
    return response
