"""Start-up: the content types of this server, compiled once."""

from __future__ import annotations

from flask import Flask

from content_api.content.type_schemas import compile_schemas
from content_api.content.types import ContentTypes, load_types
from content_api.settings import Settings


def init_app(app: Flask) -> None:
    """Load the content types of `app`'s data directory.

    Raises:
        TypesRefused: a file is broken; one line names file, field and what was expected.
    """
    settings: Settings = app.extensions["lampisterie_settings"]
    use_types(app, load_types(settings.types_dir))


def use_types(app: Flask, types: ContentTypes) -> None:
    """Make `types` the content types of `app`."""
    app.extensions["lampisterie_types"] = types
    app.extensions["lampisterie_type_schemas"] = {
        kind.id: compile_schemas(types, kind) for kind in types
    }
