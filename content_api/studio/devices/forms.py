"""Forms of the fleet, held to the schemas of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError

from content_api.messages import gettext as _


def load(schema: Schema, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a schema of the API makes of a form, and what to say beside each field."""
    try:
        return schema.load(given), {}
    except ValidationError as error:
        said = {
            "name": _("Give a name of up to 200 characters, on one line."),
            "languages": _("Choose at least one language."),
            "settings": _("This is not a JSON object, or it is too large."),
        }
        wrong = error.messages_dict
        return {}, {name: said.get(name, _("Choose one of the list.")) for name in wrong}


def settings_of_form() -> Any:
    """The settings somebody typed: an object, or the text when it is no JSON at all."""
    text = request.form.get("settings", "").strip()
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def settings_text(settings: Any) -> str:
    """Settings as text to edit; what was no JSON stays as it was typed."""
    if isinstance(settings, str):
        return settings
    return json.dumps(settings, ensure_ascii=False, indent=2) if settings else ""


def version_of_form() -> int | None:
    """The version that a form was made from; None when it has none."""
    text = request.form.get("version", "")
    return int(text[:9]) if text.isdecimal() and text.isascii() else None


def out_of_date() -> str:
    """What to say of a form without a version."""
    return _("This page is out of date. Reload it and try again.")
