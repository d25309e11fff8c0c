"""HTTP of assets: /api/v1/assets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from flask.views import MethodView

from content_api.accounts.access import current_actor
from content_api.api import Blueprint, decode_cursor, page_of
from content_api.database import engine, read_session, session
from content_api.media import service
from content_api.media.models import Asset
from content_api.media.prepare import prepare
from content_api.media.schemas import (
    AssetPageSchema,
    AssetQuery,
    AssetSchema,
    NewAssetSchema,
    UploadQuery,
)
from content_api.media.sending import send_original
from content_api.problems import BadRequest, NotFound
from content_api.settings import current_settings

blp = Blueprint("assets", __name__, url_prefix="/assets", description="Pictures, sounds, films")
blueprints = [blp]

_NO_LIMIT = 2**63 - 1
"""None would mean the app's own limit, which is for JSON."""


@blp.route("")
class Assets(MethodView):
    """All assets."""

    @blp.requires("asset.read")
    @blp.arguments(AssetQuery, location="query")
    @blp.response(200, AssetPageSchema)
    @blp.alt_response(400, description="the cursor is of no page of this list")
    def get(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """List assets by id."""
        after = decode_cursor(query.get("cursor"), 1)
        rows = service.list_assets(
            session(),
            kind=query.get("kind"),
            after=str(after[0]) if after else None,
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], lambda asset: [asset.id])

    @blp.requires("asset.write")
    @blp.arguments(NewAssetSchema)
    @blp.response(201, AssetSchema)
    @blp.alt_response(409, description="the id is taken")
    def post(self, body: Mapping[str, Any]) -> Asset:
        """Make an asset and the entry that describes it; its file is sent to `…/file` next."""
        return service.create_asset(
            session(), current_actor(), asset_id=body.get("id"), title=body.get("title")
        )


@blp.route("/<string:asset_id>")
class OneAsset(MethodView):
    """One asset."""

    @blp.requires("asset.read")
    @blp.response(200, AssetSchema)
    @blp.alt_response(404, description="there is no such asset")
    def get(self, asset_id: str) -> Asset:
        """What an asset's bytes are, and its encodings."""
        return service.get_asset(session(), asset_id)

    @blp.requires("asset.delete")
    @blp.response(204)
    @blp.alt_response(404, description="there is no such asset")
    @blp.alt_response(409, description="something uses it")
    def delete(self, asset_id: str) -> None:
        """Remove an asset with its entry, unless an entry or a package uses it."""
        service.delete_asset(session(), current_actor(), asset_id)


@blp.route("/<string:asset_id>/file")
class AssetFile(MethodView):
    """The uploaded file itself."""

    @blp.requires("asset.read")
    @blp.response(
        200, {"type": "string", "format": "binary"}, content_type="application/octet-stream"
    )
    @blp.alt_response(206, description="the range asked for")
    @blp.alt_response(304, description="the client holds it already")
    @blp.alt_response(404, description="there is no such asset, or it has no file yet")
    @blp.alt_response(416, description="the range lies outside the file")
    def get(self, asset_id: str) -> Response:
        """The original file, as a download that no browser will run."""
        asset = service.get_asset(session(), asset_id)
        if asset.sha256 is None:
            raise NotFound(f"The asset {asset_id} has no file yet.")
        return send_original(asset, service.original_file(current_settings(), asset.sha256))

    @blp.requires("asset.write")
    @blp.arguments(UploadQuery, location="query")
    @blp.response(200, AssetSchema)
    @blp.alt_response(404, description="there is no such asset")
    @blp.alt_response(409, description="the asset is of another kind")
    @blp.alt_response(413, description="too many bytes or pixels")
    @blp.alt_response(415, description="a type that is not accepted")
    @blp.doc(
        requestBody={
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    )
    def put(self, query: Mapping[str, Any], asset_id: str) -> Asset:
        """Send the file as the raw body. Its content says what it is; replacing keeps the id."""
        # The app's limit is for JSON; a file has its own, asked before a byte is read.
        request.max_content_length = _NO_LIMIT
        declared = request.content_length
        if declared is None and request.headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise BadRequest("Expected a body with Content-Length or Transfer-Encoding: chunked.")
        with read_session(engine()) as reading:
            service.get_asset(reading, asset_id)
        ready = prepare(current_settings(), request.stream, declared=declared)
        return service.attach_file(
            session(), current_actor(), asset_id, ready, query.get("filename")
        )
