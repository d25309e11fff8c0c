"""Pages of the media library: what there is, adding files, describing one, its subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, request
from marshmallow import fields, validate

from content_api.accounts.access import authorise, current_actor
from content_api.accounts.rules import allowed_scopes, allows
from content_api.api import WireSchema, decode_cursor, encode_cursor
from content_api.content.document import SHARED
from content_api.content.models import Entry, Revision
from content_api.content.service import (
    EditConflict,
    Use,
    get_entry,
    get_revision,
    save_entry,
    where_used,
)
from content_api.content.types import ContentType, content_types
from content_api.database import engine, read_session, session, utc_now
from content_api.languages.service import languages
from content_api.media import library, service, subtitles
from content_api.media.models import KINDS, Asset
from content_api.media.prepare import Prepared, prepare
from content_api.media.sending import read_range, request_headers, send_original
from content_api.media.texts import MAX_SUBTITLES
from content_api.messages import current_language
from content_api.messages import gettext as _
from content_api.problems import BadRequest, Conflict, ContentError, NotFound, Refused
from content_api.settings import current_settings
from content_api.studio.formats import label_of, language_name
from content_api.studio.media.describing import (
    LICENCES,
    OTHER,
    TEXTS,
    operations_of,
    still_described,
    values_of,
)
from content_api.studio.media.picturing import drawing, fitting
from content_api.studio.pages import (
    Pages,
    explain,
    is_partial,
    json_body,
    redirect_to,
    render,
    wants_json,
)
from content_api.studio.widgets.choices import describe, preload
from package_format.serving import StaticFile, answer

pages = Pages("media", __name__, url_prefix="/studio/media")

PAGE = 48
MAX_WIDTH = 4000
DEFAULT_WIDTH = 320
VIEWS = ("grid", "list")
EVERY_KIND = "all"
"""Without it subtitles stay out of sight: there is one for each film and language."""

MOST_ASKED = 200
"""Files asked about at once, whether we hold them."""

_NO_LIMIT = 2**63 - 1
"""None would mean the app's own limit, which is for forms."""


class KnownSchema(WireSchema):
    """Hashes of files that somebody is about to send."""

    sha256 = fields.List(
        fields.String(validate=validate.Regexp(r"\A[0-9a-f]{64}\Z")),
        required=True,
        validate=validate.Length(max=MOST_ASKED),
    )


class SubtitlesSchema(WireSchema):
    """Subtitles as WebVTT, and the hash of those they began from."""

    text = fields.String(required=True, validate=validate.Length(max=MAX_SUBTITLES))
    replaces = fields.String(
        load_default=None, allow_none=True, validate=validate.Regexp(r"\A[0-9a-f]{64}\Z")
    )


@dataclass(frozen=True, slots=True)
class Column:
    """One language of the texts: whether the person may write it, and whether it is shown."""

    tag: str
    writable: bool
    shown: bool


# -- The library -----------------------------------------------------------------------------


@pages.get("/")
@pages.requires("asset.read")
def list_page() -> Response:
    """The library: a grid or a list, filtered by its address."""
    wanted = _wanted()
    view = request.args.get("view", "grid")
    found = library.find_in_library(
        session(),
        current_actor(),
        wanted,
        after=decode_cursor(request.args.get("cursor"), 2),
        limit=PAGE,
    )
    context: dict[str, Any] = {
        "page": found,
        "view": view if view in VIEWS else "grid",
        "wanted": wanted,
        "filtered": wanted != library.Wanted(but_subtitles=wanted.but_subtitles),
        "next_url": _address(cursor=encode_cursor(found.last)) if found.last else None,
        "first_url": _address(cursor=None) if request.args.get("cursor") else None,
        "view_urls": {name: _address(view=name) for name in VIEWS},
        "kind_names": kind_names(),
        "rights_names": rights_names(),
        "alt_of": _alt_of,
    }
    if is_partial() and not request.headers.get("HX-History-Restore-Request"):
        return render("media/_results.html", **context)
    return render(
        "media/list.html",
        kinds=[
            ("", _("All but subtitles")),
            (EVERY_KIND, _("All kinds")),
            *((kind, kind_names()[kind]) for kind in KINDS),
        ],
        kind=request.args.get("kind", ""),
        rights_states=[(state, rights_names()[state]) for state in library.RIGHTS_STATES],
        max_upload=current_settings().max_upload,
        **context,
    )


@pages.post("/known")
@pages.requires("asset.write")
def known() -> Response:
    """Which of these files we hold already, so that nobody waits to send one twice."""
    asked = json_body(KnownSchema)
    held = library.assets_with_bytes(session(), asked["sha256"])
    return jsonify(
        held=[{"id": one.id, "filename": one.filename, "sha256": one.sha256} for one in held]
    )


@pages.put("/upload")
@pages.requires("asset.write")
def upload() -> Response:
    """Take a file as the raw body: an asset is made once all of it has come and been judged."""
    actor = current_actor()
    authorise(actor, "entry.write", entry_type=service.ASSET_TYPE, scopes=(SHARED,))
    ready = _received()
    made = library.add_file(
        session(),
        actor,
        ready,
        request.args.get("filename"),
        again=request.args.get("again") == "yes",
    )
    response = jsonify(_file_answer(made))
    response.status_code = 201
    return response


# -- Bytes -----------------------------------------------------------------------------------


@pages.get("/<string:asset_id>/picture")
@pages.requires("asset.read")
def picture(asset_id: str) -> Response:
    """A small picture of an asset: its own, its poster's, or a drawing that stands for it."""
    asset = service.get_asset(session(), asset_id)
    width = request.args.get("width", DEFAULT_WIDTH, type=int)
    rendition = fitting(_pictures_of(asset), max(1, min(width, MAX_WIDTH)))
    if rendition is None:
        response = make_response(drawing(asset.kind))
        response.mimetype = "image/svg+xml"
        response.headers["Cache-Control"] = "private, max-age=300"
    else:
        response = _rendition(rendition.sha256, rendition.size, rendition.media_type)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@pages.get("/<string:asset_id>/file")
@pages.requires("asset.read")
def original(asset_id: str) -> Response:
    """The file as it came, in ranges: to download, and for the player in the page."""
    asset = service.get_asset(session(), asset_id)
    if asset.sha256 is None:
        raise NotFound(_("This asset has no file yet."))
    return send_original(asset, service.original_file(current_settings(), asset.sha256))


@pages.put("/<string:asset_id>/file")
@pages.requires("asset.write")
def replace(asset_id: str) -> Response:
    """Give an asset its file, or another of the same kind; its id and texts stay."""
    with read_session(engine()) as reading:
        service.get_asset(reading, asset_id)
    ready = _received()
    asset = service.attach_file(
        session(), current_actor(), asset_id, ready, request.args.get("filename")
    )
    return jsonify(_file_answer(asset))


# -- One asset -------------------------------------------------------------------------------


@pages.get("/<string:asset_id>/")
@pages.requires("asset.read")
def asset_page(asset_id: str) -> Response:
    """Everything about one asset."""
    return _asset_page(asset_id)


@pages.post("/<string:asset_id>/save")
@pages.requires("entry.write")
def save(asset_id: str) -> Response:
    """Save what the form says of an asset; refusals come back beside what was typed."""
    actor = current_actor()
    entry = _asset_entry(asset_id)
    rev = request.form.get("rev", type=int) or entry.head_rev
    tags = list(languages(session()))
    operations: list[dict[str, Any]] = []
    try:
        body = get_revision(session(), asset_id, rev).body
        described = still_described(request.form, body, tags)
        if described:
            raise Refused(
                _(
                    "A decorative picture says nothing, so it has no alternative text. Remove the "
                    "text in %(languages)s, or choose that the picture says something.",
                    languages=", ".join(language_name(tag) for tag in described),
                )
            )
        operations = operations_of(request.form, body, tags)
        saved = save_entry(session(), actor, asset_id, rev, operations)
    except ContentError as error:
        if isinstance(error, EditConflict):
            error.details["rev"] = entry.head_rev
            for clash in error.details.get("conflicts", ()):
                clash["label"] = _label(clash["path"], clash["scope"])
        else:
            _name_fields(error, operations)
        if wants_json():
            raise
        session().rollback()
        return _asset_page(asset_id, error=error, typed=request.form)
    if wants_json():
        return jsonify(rev=saved.rev)
    return redirect_to(f"/studio/media/{asset_id}/", _("Saved."))


@pages.post("/<string:asset_id>/delete")
@pages.requires("asset.delete")
def delete(asset_id: str) -> Response:
    """Remove an asset, unless something uses it."""
    name = service.get_asset(session(), asset_id).filename or asset_id
    try:
        service.delete_asset(session(), current_actor(), asset_id)
    except Conflict as error:
        session().rollback()
        used = Conflict(_("This is used: remove it from what is listed below first."))
        used.details.update(error.details)
        return _asset_page(asset_id, error=used)
    return redirect_to("/studio/media/", _("%(name)s was removed.", name=name))


# -- Subtitles -------------------------------------------------------------------------------


@pages.get("/<string:asset_id>/subtitles/<string:tag>")
@pages.requires("asset.read")
def subtitles_page(asset_id: str, tag: str) -> Response:
    """The subtitles of a film or sound in one language, with the film beside them."""
    asset = _timed(asset_id, tag)
    tracks = subtitles.subtitles_of(session(), asset_id)
    present = tracks.get(tag)
    return render(
        "media/subtitles.html",
        asset=asset,
        name=asset.filename or asset.id,
        tag=tag,
        tracks=tracks,
        text=_text_of(present),
        replaces=present.sha256 if present is not None else "",
        sources=[(other, _text_of(track)) for other, track in tracks.items() if other != tag],
        writable=allows(
            current_actor(), "entry.write", entry_type=service.ASSET_TYPE, scopes=(tag,)
        ),
    )


@pages.put("/<string:asset_id>/subtitles/<string:tag>")
@pages.requires("entry.write")
def save_subtitles(asset_id: str, tag: str) -> Response:
    """Save subtitles in one language; they are held to WebVTT as any upload is."""
    given = json_body(SubtitlesSchema)
    _timed(asset_id, tag)
    raw = given["text"].encode("utf-8")
    ready = prepare(current_settings(), BytesIO(raw), declared=len(raw), limit=MAX_SUBTITLES)
    saved = subtitles.save_subtitles(
        session(), current_actor(), asset_id, tag, ready, replaces=given["replaces"]
    )
    return jsonify(id=saved.id, replaces=saved.sha256)


# -- What these share ------------------------------------------------------------------------


def kind_names() -> dict[str, str]:
    """Kinds of assets in words."""
    return {
        "image": _("Picture"),
        "audio": _("Sound"),
        "video": _("Film"),
        "document": _("Map layer"),
        "subtitles": _("Subtitles"),
    }


def rights_names() -> dict[str, str]:
    """States of rights in words."""
    return {
        "expired": _("Rights expired"),
        "soon": _("Rights end soon"),
        "none": _("Rights unknown"),
        "complete": _("Rights known"),
    }


def _wanted() -> library.Wanted:
    given = request.args
    kind = given.get("kind", "")
    return library.Wanted(
        q=given.get("q", "").strip(),
        kind=None if kind in ("", EVERY_KIND) else kind,
        but_subtitles=kind == "",
        rights=given.get("rights") or None,
        missing_alt=given.get("missing") or None,
        unused=given.get("unused") == "1",
        without_file=given.get("nofile") == "1",
    )


def _address(**changed: str | None) -> str:
    given = {name: text for name, text in request.args.items() if text}
    if "cursor" not in changed:
        given.pop("cursor", None)
    given.update({name: text for name, text in changed.items() if text})
    given = {name: text for name, text in given.items() if changed.get(name, text)}
    return "/studio/media/" + (f"?{urlencode(given)}" if given else "")


def _alt_of(texts: Mapping[str, str]) -> tuple[str, str | None]:
    for tag in (current_language(), "fr", "en", *texts):
        if texts.get(tag):
            return texts[tag], tag
    return "", None


def _received() -> Prepared:
    # The app's limit is for forms; a file has its own, asked before a byte is read.
    request.max_content_length = _NO_LIMIT
    declared = request.content_length
    if declared is None and request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise BadRequest("Expected a body with Content-Length or Transfer-Encoding: chunked.")
    return prepare(current_settings(), request.stream, declared=declared)


def _file_answer(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "kind": asset.kind,
        "filename": asset.filename,
        "address": f"/studio/media/{asset.id}/",
        "picture": f"/studio/media/{asset.id}/picture?width=320",
    }


def _pictures_of(asset: Asset) -> list[Any]:
    if asset.kind not in subtitles.TIMED:
        return list(asset.renditions) if asset.kind == "image" else []
    entry = session().get(Entry, asset.id)
    body = get_revision(session(), asset.id, entry.head_rev).body if entry is not None else {}
    poster = body.get("fields", {}).get("poster", {}).get(SHARED)
    found = session().get(Asset, poster) if poster else None
    return list(found.renditions) if found is not None and found.kind == "image" else []


def _rendition(sha256: str, size: int, media_type: str) -> Response:
    file = StaticFile(
        size=size, tag=sha256, media_type=media_type, cache_control="private, max-age=300"
    )
    decided = answer(request.method, request_headers(), file)
    response = Response(status=decided.status)
    for name, value in decided.headers:
        if not name.startswith(("Access-Control-", "Cross-Origin-")):
            response.headers[name] = value
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if decided.body:
        path = service.rendition_file(current_settings(), sha256)
        response.response = read_range(path, decided.start, decided.stop)
    return response


def _asset_entry(asset_id: str) -> Entry:
    service.get_asset(session(), asset_id)
    return get_entry(session(), current_actor(), asset_id)


def _asset_page(
    asset_id: str, *, error: ContentError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    actor = current_actor()
    asset = service.get_asset(session(), asset_id)
    entry = get_entry(session(), actor, asset_id)
    head: Revision = get_revision(session(), asset_id, entry.head_rev)
    tags = list(languages(session()))
    writable = allowed_scopes(actor, "entry.write", [*tags, SHARED], entry_type=service.ASSET_TYPE)
    shown = _shown(tags)
    values = values_of(head.body)
    rights = service.rights_of(head.body)
    preload(session(), actor, [values["poster"]] if values["poster"] else [])
    uses = where_used(session(), asset_id)
    return render(
        "media/asset.html",
        status=int(error.status) if error is not None else 200,
        asset=asset,
        name=asset.filename or asset.id,
        kind_names=kind_names(),
        rev=entry.head_rev,
        values={**values, **(typed or {})},
        kind=_asset_type(),
        texts=_texts_for(asset.kind),
        columns=[Column(tag, tag in writable, tag in shown) for tag in tags],
        shared_writable=SHARED in writable,
        any_writable=bool(writable),
        rights_state=library.rights_state(rights, utc_now().date()),
        rights_names=rights_names(),
        licences=_licences(),
        other_licence=OTHER,
        tracks=subtitles.subtitles_of(session(), asset_id) if asset.kind in subtitles.TIMED else {},
        uses=_grouped(uses),
        max_upload=current_settings().max_upload,
        error=error,
        error_text=explain(error) if error is not None else "",
        conflicts=error.details.get("conflicts", ()) if error is not None else (),
    )


def _licences() -> list[tuple[str, str]]:
    words = {"Domaine public": _("Public domain")}
    return [
        ("", _("Not known")),
        *((name, words.get(name, name)) for name in LICENCES),
        (OTHER, _("Another licence")),
    ]


def _texts_for(kind: str | None) -> tuple[str, ...]:
    if kind == "audio":
        return TEXTS[1:]
    if kind == "video":
        return ("caption", "credit", "transcript", "alt")
    return TEXTS[:3] if kind in ("image", None) else TEXTS[1:3]


def _shown(tags: list[str]) -> set[str]:
    asked = [tag for tag in request.args.get("languages", "").split(",") if tag in tags]
    if asked:
        return set(asked)
    first = [tag for tag in (current_language(), *tags) if tag in tags]
    return set(list(dict.fromkeys([*tags[:1], *first]))[:2])


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that uses an asset, in words: its name, and the fields that show the asset."""

    kind: str
    address: str
    name: str
    places: tuple[str, ...]


def _grouped(uses: list[Use]) -> list[Shown]:
    named = describe(session(), current_actor(), [use.id for use in uses if use.kind == "entry"])
    found: dict[tuple[str, str], list[Use]] = {}
    for use in uses:
        found.setdefault((use.kind, use.id), []).append(use)
    shown = []
    for (kind, used_by), places in found.items():
        area = {"package": "packages"}.get(kind, "entries")
        if places[0].type == service.ASSET_TYPE:
            area = "media"
        choice = named.get(used_by) if kind == "entry" else None
        words = tuple(dict.fromkeys(_place(use) for use in places))
        name = choice.title if choice is not None else used_by
        shown.append(Shown(kind, f"/studio/{area}/{used_by}/", name, words))
    return shown


def _place(use: Use) -> str:
    if use.kind == "package":
        return _("in its theme or on its map") if use.path != "sections" else _("in its order")
    kind = content_types().find_type(use.type or "")
    name = use.path.split(".")[0]
    field = kind.field(name) if kind is not None else None
    return label_of(field.label, name) if field is not None else name


def _asset_type() -> ContentType:
    return content_types().type(service.ASSET_TYPE)


def _label(path: str, scope: str) -> str:
    field = _asset_type().field(path)
    name = label_of(field.label, path) if field is not None else path
    return name if scope == SHARED else f"{name} ({language_name(scope)})"


def _name_fields(error: ContentError, operations: list[dict[str, Any]]) -> None:
    """Say in each refused value's message which field of the form it was."""
    named = []
    for found in error.errors:
        parts = str(found.get("pointer", "")).split("/")
        if len(parts) > 2 and parts[1] == "operations" and parts[2].isdigit():
            operation = operations[int(parts[2])]
            label = _label(operation["path"], operation["scope"])
            found = {**found, "message": f"{label}: {found.get('message', '')}"}
        named.append(found)
    error.errors = named
    if named:
        error.message = " ".join(str(found["message"]) for found in named)


def _timed(asset_id: str, tag: str) -> Asset:
    asset = service.get_asset(session(), asset_id)
    if asset.kind not in subtitles.TIMED:
        raise NotFound(_("Only films and sounds have subtitles."))
    if tag not in languages(session()):
        raise NotFound(_("There is no such language here."))
    return asset


def _text_of(track: Asset | None) -> str:
    if track is None or track.sha256 is None:
        return ""
    path = service.original_file(current_settings(), track.sha256)
    if not path.is_file():
        raise NotFound(_("The file is no longer stored."))
    return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
