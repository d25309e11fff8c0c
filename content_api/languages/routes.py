"""HTTP of languages."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from content_api.accounts.access import current_actor
from content_api.api import Blueprint
from content_api.database import session
from content_api.languages import schemas, service

languages = Blueprint(
    "languages", __name__, url_prefix="/languages", description="The languages of the content"
)

blueprints = [languages]


@languages.route("")
class Languages(MethodView):
    """All languages."""

    @languages.requires("language.read")
    @languages.response(200, schemas.LanguageListSchema)
    def get(self) -> dict[str, Any]:
        """List the languages in the editors' order."""
        return {"items": list(service.languages(session()).values())}


@languages.route("/<tag>")
class OneLanguage(MethodView):
    """One language."""

    @languages.requires("language.read")
    @languages.response(200, schemas.LanguageSchema)
    def get(self, tag: str) -> Any:
        """The language."""
        return service.get_language(session(), tag)

    @languages.requires("language.write")
    @languages.arguments(schemas.LanguageChangeSchema)
    @languages.response(200, schemas.LanguageSchema)
    @languages.alt_response(201, schema=schemas.LanguageSchema, description="made")
    def put(self, body: dict[str, Any], tag: str) -> Any:
        """Make or change a language; the path holds its tag in canonical form."""
        row, created = service.put_language(session(), current_actor(), tag, body)
        return row, 201 if created else 200

    @languages.requires("language.write")
    @languages.response(204)
    def delete(self, tag: str) -> tuple[str, int]:
        """Remove a language that nothing uses."""
        service.delete_language(session(), current_actor(), tag)
        return "", 204
