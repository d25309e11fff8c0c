"""Pages on which packages are put together.

/studio/packages/               the list
/studio/packages/new            a new one
/studio/packages/<slug>/        its contents and settings; saved as JSON with its version
/studio/packages/<slug>/body    what is stored now, for somebody whose save met another one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.rules import allows
from content_api.api import WireSchema
from content_api.database import session
from content_api.messages import gettext as _
from content_api.packages.models import Package, Release
from content_api.packages.schemas import LAYER_STYLES, VIEWS
from content_api.packages.service import (
    get_package,
    last_approvals,
    list_packages,
    save_package,
)
from content_api.packages.source import listed_assets, listed_entries
from content_api.problems import Conflict, PreconditionFailed, PreconditionRequired, Refused
from content_api.studio import formats
from content_api.studio.pages import Pages, json_body, redirect_to, render
from content_api.studio.publish.routes import package_tabs, profile_names
from content_api.studio.widgets.choices import MOST_DESCRIBED, Choice, describe, preload
from package_format.layout import is_slug
from package_format.manifest import PROFILES

pages = Pages("packages", __name__, url_prefix="/studio/packages")


# -- The list --------------------------------------------------------------------------------


@pages.get("/")
@pages.requires("package.read")
def list_page() -> ResponseReturnValue:
    """Every package, and what displays have of it."""
    after = request.args.get("after")
    rows = list_packages(session(), after=after, limit=51)
    shown = rows[:50]
    slugs = [row.slug for row in shown]
    live = _live(slugs)
    return render(
        "packages/list.html",
        packages=shown,
        live=live,
        planned=_planned(slugs),
        changed=_changed(shown, live),
        profile_names=profile_names(),
        after=shown[-1].slug if len(rows) > 50 else None,
        first=after is None,
    )


def _live(slugs: Iterable[str]) -> dict[str, Release]:
    rows = session().scalars(
        select(Release).where(
            Release.package.in_(slugs), Release.channel == "live", Release.state == "live"
        )
    )
    return {row.package: row for row in rows}


def _planned(slugs: Iterable[str]) -> dict[str, datetime]:
    rows = session().execute(
        select(Release.package, Release.publish_at)
        .where(
            Release.package.in_(slugs),
            Release.channel == "live",
            Release.state == "scheduled",
        )
        .order_by(Release.publish_at.desc())
    )
    # The soonest is written last.
    return {slug: at for slug, at in rows if at is not None}


def _changed(packages: Iterable[Package], live: Mapping[str, Release]) -> set[str]:
    """Slugs of packages that were saved, or had something approved, since their release.

    What is approved may be what was approved before: the publish page compares exactly.
    """
    own = {row.slug: listed_entries(row.body) for row in packages if row.slug in live}
    moments = last_approvals(session(), {entry for ids in own.values() for entry in ids})
    found = set()
    for row in packages:
        release = live.get(row.slug)
        if release is None or release.published_at is None:
            continue
        since = [row.updated_at, *(moments[e] for e in own[row.slug] if e in moments)]
        # A release's time is of whole seconds: what was done in its second may be in it.
        if max(since) >= release.published_at + timedelta(seconds=1):
            found.add(row.slug)
    return found


# -- A new one -------------------------------------------------------------------------------


@pages.get("/new")
@pages.requires("package.write")
def new_page() -> ResponseReturnValue:
    """Ask for what a package needs to begin."""
    return _new_page({})


def _new_page(given: Mapping[str, Any], status: int = 200, **errors: str) -> Response:
    return render(
        "packages/new.html",
        status,
        given=given,
        errors=errors,
        profile_names=profile_names(),
        profiles=PROFILES,
        zones=sorted(available_timezones()),
    )


@pages.post("/new")
@pages.requires("package.write")
def create() -> ResponseReturnValue:
    """Make an empty package."""
    form = request.form
    slug = form.get("slug", "").strip()
    languages = [tag for tag in form.getlist("languages") if tag in formats.content_languages()]
    first = form.get("default_language", "")
    title, zone = form.get("title", "").strip(), form.get("timezone", "").strip()
    given = {**form.to_dict(), "languages": languages, "profiles": form.getlist("profiles")}
    errors = {}
    if not is_slug(slug) or slug == "new":
        errors["slug"] = _("Use small letters a to z, digits and hyphens, such as meiji-tablet.")
    if not title:
        errors["title"] = _("Give it a title.")
    if not languages:
        errors["languages"] = _("Choose at least one language.")
    elif first not in languages:
        errors["default_language"] = _("Choose one of the languages ticked.")
    if not given["profiles"]:
        errors["profiles"] = _("Choose at least one kind of display.")
    if zone not in available_timezones():
        errors["timezone"] = _("Choose a time zone of the list, such as Asia/Tokyo.")
    if errors:
        return _new_page(given, 422, **errors)
    body = {
        "title": {first: title},
        "languages": languages,
        "default_language": first,
        "profiles": [name for name in PROFILES if name in given["profiles"]],
        "timezone": zone,
        "sections": [],
    }
    try:
        save_package(session(), current_actor(), slug, body, expected=None)
    except PreconditionRequired:
        return _new_page(given, 422, slug=_("Another package has this address: choose another."))
    return redirect_to(f"/studio/packages/{slug}/", _("The package is made. Now fill it."))


# -- One package -----------------------------------------------------------------------------


class SaveSchema(WireSchema):
    """A package's whole body, and the version it was made from."""

    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))
    body = fields.Dict(required=True)


@pages.get("/<slug>/")
@pages.requires("package.read")
def edit_page(slug: str) -> ResponseReturnValue:
    """The package's tree and settings."""
    package = get_package(session(), slug)
    actor = current_actor()
    body = package.body
    preload(session(), actor, listed_assets(body))
    return render(
        "packages/edit.html",
        package=package,
        package_title=formats.label_of(body.get("title"), slug),
        package_tabs=package_tabs(slug, "contents"),
        names=_names(listed_entries(body)),
        views=view_names(),
        styles=style_names(),
        profile_names=profile_names(),
        profiles=PROFILES,
        zones=sorted(available_timezones()),
        language_facts=[
            {
                "tag": tag,
                "name": row.name,
                "words": formats.language_name(tag),
                "dir": row.dir,
            }
            for tag, row in formats.content_languages().items()
        ],
        may_write=allows(actor, "package.write"),
    )


@pages.get("/<slug>/body")
@pages.requires("package.read")
def body_of(slug: str) -> ResponseReturnValue:
    """The package as it is stored now."""
    package = get_package(session(), slug)
    return jsonify(version=package.version, body=package.body)


@pages.post("/<slug>/")
@pages.requires("package.write")
def save(slug: str) -> ResponseReturnValue:
    """Save the package, unless somebody else did since; keys we do not know are kept."""
    get_package(session(), slug)
    given = json_body(SaveSchema)
    try:
        package = save_package(
            session(), current_actor(), slug, given["body"], expected=given["version"]
        )
    except PreconditionFailed as error:
        text = _("Somebody else saved this package while you were working.")
        raise Conflict(text) from error
    except Refused as error:
        raise Refused(
            _("The package cannot be saved like this."),
            errors=[{**dict(found), "message": _mistake(dict(found))} for found in error.errors],
        ) from error
    return jsonify(version=package.version)


def _mistake(error: Mapping[str, Any]) -> str:
    step = str(error["pointer"]).strip("/").split("/", 1)[0]
    names = {
        "title": _("Title"),
        "summary": _("Summary"),
        "credits": _("Credits"),
        "languages": _("Languages"),
        "default_language": _("Languages"),
        "profiles": _("Kinds of display"),
        "theme": _("Look"),
        "settings": _("Idle times"),
        "timezone": _("Time zone"),
        "map": _("Map"),
        "sections": _("Contents"),
        "shown": _("Days on which displays show it"),
    }
    return _("%(part)s: look at what was entered there.", part=names.get(step, step))


def view_names() -> dict[str, str]:
    """How a section can be shown, in words."""
    words = {
        "map": _("Map"),
        "list": _("List"),
        "stories": _("Stories"),
        "gallery": _("Gallery"),
        "timeline": _("Timeline"),
        "glossary": _("Glossary"),
        "events": _("Events"),
        "tours": _("Tours"),
        "scenes": _("Galaxy scenes"),
    }
    return {name: words.get(name, name) for name in VIEWS}


def style_names() -> dict[str, str]:
    """How a map layer can be drawn, in words."""
    words = {
        "region": _("Region"),
        "department": _("Departments"),
        "commune": _("Towns"),
        "country": _("Countries"),
        "coast": _("Coast"),
        "component": _("Listed sites"),
        "heap": _("Spoil heaps"),
        "railway": _("Railways"),
        "water": _("Water"),
    }
    return {name: words.get(name, name) for name in LAYER_STYLES}


def _names(ids: list[str]) -> dict[str, Any]:
    found: dict[str, Choice] = {}
    for start in range(0, len(ids), MOST_DESCRIBED):
        found.update(describe(session(), current_actor(), ids[start : start + MOST_DESCRIBED]))
    return {name: choice.as_json() for name, choice in found.items()}
