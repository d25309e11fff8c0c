"""What editing widgets ask of the server: previews, things to choose, outlines for a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify, make_response, request
from marshmallow import fields, validate

from content_api.accounts.access import current_actor
from content_api.api import WireSchema, decode_cursor, encode_cursor
from content_api.content.richtext import inline_nodes, to_html, to_nodes
from content_api.content.types import ContentType, content_types
from content_api.content.values import MAX_TEXT
from content_api.database import session
from content_api.media.service import get_asset, original_file
from content_api.problems import NotFound
from content_api.settings import current_settings
from content_api.studio.formats import label_of
from content_api.studio.pages import Pages, json_body
from content_api.studio.widgets import choices

pages = Pages("widgets", __name__, url_prefix="/studio/widgets")

GEOJSON = "application/geo+json"


class PreviewSchema(WireSchema):
    """A text being written."""

    text = fields.String(required=True, validate=validate.Length(max=MAX_TEXT))
    kind = fields.String(required=True, validate=validate.OneOf(["inline", "markdown"]))


@pages.post("/preview")
@pages.requires("entry.read")
def preview() -> Response:
    """A text as the player will show it: our own HTML, in which nothing of a text can run."""
    given = json_body(PreviewSchema)
    if given["kind"] == "inline":
        return jsonify(html=to_html(inline_nodes(given["text"])))
    return jsonify(html=to_html(to_nodes(given["text"])))


@pages.get("/assets")
@pages.requires("asset.read")
def assets() -> Response:
    """Assets to choose from, newest first: `q`, `accept` (kinds), `cursor`."""
    found = choices.find_assets(
        session(),
        current_actor(),
        q=request.args.get("q", ""),
        accept=_listed("accept"),
        after=decode_cursor(request.args.get("cursor"), 2),
    )
    return _answer(found)


@pages.get("/entries")
@pages.requires("entry.read")
def entries() -> Response:
    """Entries to choose from, newest first: `q`, `types`, `cursor`."""
    found = choices.find_entries(
        session(),
        current_actor(),
        q=request.args.get("q", ""),
        types=_listed("types"),
        after=decode_cursor(request.args.get("cursor"), 2),
    )
    return _answer(found)


@pages.get("/described")
@pages.requires("entry.read")
def described() -> Response:
    """What is chosen on a page, by `ids`; what is gone or hidden is left out."""
    found = choices.describe(session(), current_actor(), _listed("ids"))
    return jsonify(items={choice_id: choice.as_json() for choice_id, choice in found.items()})


@pages.get("/layers")
@pages.requires("asset.read")
def layers() -> Response:
    """The outlines to draw under a map, and the frame they are drawn in."""
    return jsonify(choices.map_background(session(), current_actor()))


@pages.get("/layers/<string:asset_id>")
@pages.requires("asset.read")
def layer(asset_id: str) -> Response:
    """One outline: an asset that is GeoJSON, and nothing else."""
    asset = get_asset(session(), asset_id)
    if asset.media_type != GEOJSON or asset.sha256 is None:
        raise NotFound(f"The asset {asset_id} is no map layer.")
    path = original_file(current_settings(), asset.sha256)
    if not path.is_file():
        raise NotFound("The file is no longer stored.")
    response = make_response(path.read_bytes())
    response.mimetype = GEOJSON
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(asset.sha256)
    response.make_conditional(request)
    return response


@pages.app_template_global("chosen_of")
def chosen_of(value: Any) -> list[tuple[str, choices.Choice | None]]:
    """What a picker's value names, each with its description where the page has read it."""
    if not value:
        return []
    if isinstance(value, str):
        return choices.preloaded(_split(value))
    return choices.preloaded(str(found) for found in value)


@pages.app_template_global("type_choices")
def type_choices(types: str) -> list[ContentType]:
    """The content types a picker filters by: those named, or all but assets."""
    named = _split(types)
    return [kind for kind in content_types() if (kind.id in named if named else kind.id != "asset")]


@pages.app_template_global("label_of_type")
def label_of_type(kind: ContentType) -> str:
    """A content type in the reader's language."""
    return label_of(kind.label, kind.id)


def _answer(found: choices.Page) -> Response:
    return jsonify(
        items=[choice.as_json() for choice in found.choices],
        next=encode_cursor(found.last) if found.last else None,
    )


def _listed(name: str) -> Sequence[str]:
    return _split(request.args.get(name, ""))


def _split(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]
