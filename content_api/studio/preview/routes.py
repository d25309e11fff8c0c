"""Pages that show the player on what displays do not show yet, and links to them.

/studio/packages/<slug>/preview, /studio/entries/<id>/preview     the frame and its switches
/studio/preview/<subject>/<perspective>/<profile>/<day>/…         the player inside the frame
/preview/<secret>/…                                               the player for a link's holder
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flask
from flask import Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.models import User
from content_api.accounts.rules import allows, visible_types
from content_api.content.service import get_entry
from content_api.content.types import content_types
from content_api.database import session, utc_now
from content_api.messages import (
    available_languages,
    current_language,
    negotiate,
    ngettext,
    set_language,
)
from content_api.messages import gettext as _
from content_api.packages.models import Package, PreviewLink
from content_api.packages.preview import (
    PERSPECTIVES,
    Shown,
    Wanted,
    package_body,
    packages_listing,
    planned_hours,
    show,
)
from content_api.packages.preview_links import (
    LIVES,
    create_link,
    is_open,
    list_links,
    open_link,
    revoke_link,
    wanted_of,
)
from content_api.packages.schemas import zone_of
from content_api.packages.service import get_package, live_number
from content_api.packages.source import ASSET_TYPE
from content_api.problems import NotFound, Refused
from content_api.settings import current_settings
from content_api.studio import formats
from content_api.studio.pages import Pages, is_partial, redirect_to, render
from content_api.studio.preview.choices import (
    SIZES,
    TODAY,
    Choice,
    entry_route,
    entry_subject,
    player_hash,
    read_choice,
    read_day,
)
from content_api.studio.preview.serving import KEPT_BY_NOBODY, player_file
from content_api.studio.sessions import flash
from package_format.manifest import PROFILES

pages = Pages("preview", __name__, url_prefix="/studio")
shared = flask.Blueprint("preview-link", __name__, url_prefix="/preview")
all_pages = (pages, shared)

ALONE = ("draft", "approved")
"""Perspectives of an entry that no package lists: displays never show it by itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is previewed, and the page it is previewed on."""

    title: str
    href: str
    package: Package | None
    entry_id: str | None
    entry_type: str | None


# -- The pages -------------------------------------------------------------------------------


@pages.get("/packages/<slug>/preview")
@pages.requires("package.read")
def package_page(slug: str) -> ResponseReturnValue:
    """A package on the screens it is made for."""
    package = get_package(session(), slug)
    choice = read_choice(
        slug,
        request.args,
        languages=_languages_for(package.body),
        language=package.body["default_language"],
    )
    return _page(_package_place(package), choice)


@pages.get("/entries/<entry_id>/preview")
@pages.requires("entry.read")
def entry_page(entry_id: str) -> ResponseReturnValue:
    """An entry in a package that lists it, or by itself."""
    entry = get_entry(session(), current_actor(), entry_id)
    if entry.type == ASSET_TYPE:
        return redirect_to(f"/studio/media/{entry.id}/")
    found = packages_listing(session(), entry.id)
    wanted = request.args.get("package")
    package = next((row for row in found if row.slug == wanted), None)
    if package is None and found and wanted != "":
        # One that has the language asked for, if any does.
        language = request.args.get("language")
        package = next((row for row in found if language in row.body["languages"]), found[0])
    subject = package.slug if package else entry_subject(entry.id)
    body = package.body if package else package_body(session(), content_types(), subject)
    choice = read_choice(
        subject,
        request.args,
        languages=_languages_for(body),
        perspectives=PERSPECTIVES if package else ALONE,
        route=entry_route(entry.id),
        language=request.args.get("language") or body["default_language"],
    )
    place = Place(
        title=_entry_title(entry.id),
        href=f"/studio/entries/{entry.id}/",
        package=package,
        entry_id=entry.id,
        entry_type=entry.type,
    )
    return _page(place, choice, packages=found)


def _page(place: Place, choice: Choice, packages: list[Package] | None = None) -> Response:
    if is_partial():
        return render("preview/stage.html", **_stage(place, choice))
    return render(
        "preview/page.html",
        packages=packages,
        package_options=[
            *(
                (row.slug, formats.label_of(row.body.get("title"), row.slug))
                for row in packages or ()
            ),
            ("", _("No package: the entry by itself")),
        ],
        sizes=SIZES,
        size_names=_size_names(),
        perspective_options=[
            (name, _perspective_names()[name])
            for name in (PERSPECTIVES if place.package else ALONE)
        ],
        own_languages=place.package.body["languages"] if place.package else None,
        all_languages=_languages_for(place.package.body if place.package else {}),
        **{**_stage(place, choice), **_links(choice)},
    )


def _stage(place: Place, choice: Choice) -> dict[str, Any]:
    made_for = tuple(place.package.body["profiles"]) if place.package else PROFILES
    said, shows = _said(place, choice)
    return {
        "place": place,
        "choice": choice,
        "said": said,
        "shows": shows,
        "other_profile": choice.size.profile not in made_for,
        "not_listed": place.package is None and choice.perspective == "draft",
        "other_language": (
            place.package is not None and choice.language not in place.package.body["languages"]
        ),
    }


def _said(place: Place, choice: Choice) -> tuple[str, bool]:
    # Which of the two displays will show on a day is worth a sentence: it is the question.
    if place.package is None or choice.perspective != "live":
        return "", True
    slug, body = place.package.slug, place.package.body
    zone = zone_of(body)
    today = utc_now().astimezone(zone).date()
    day = choice.day or today
    number = live_number(session(), slug)
    hours = planned_hours(session(), slug)
    due = [hour for hour in hours if hour.astimezone(zone).date() <= day]
    shown_day = formats.format_date(day)
    if due:
        said = _(
            "On %(day)s displays show what is approved now: a release is planned for %(hour)s.",
            day=shown_day,
            hour=formats.format_datetime(due[-1], zone=zone),
        )
        return said, True
    if number is None:
        said = _("On %(day)s displays show nothing of this package: it is not live.", day=shown_day)
        return said, False
    return _("On %(day)s displays show release %(number)s.", day=shown_day, number=number), True


def _perspective_names() -> dict[str, str]:
    return {
        "draft": _("The draft"),
        "approved": _("What is approved"),
        "live": _("What displays show"),
    }


def _size_names() -> dict[str, str]:
    return {
        "tablet": _("Tablet"),
        "wall": _("4K wall"),
        "phone": _("Phone"),
        "galaxy": _("Galaxy panel"),
    }


def _languages_for(body: Any) -> list[str]:
    known = list(formats.content_languages())
    own = [tag for tag in body.get("languages", ()) if tag in known]
    return own + [tag for tag in known if tag not in own]


def _package_place(package: Package) -> Place:
    title = formats.label_of(package.body.get("title"), package.slug)
    return Place(title, f"/studio/packages/{package.slug}/", package, None, None)


def _entry_title(entry_id: str) -> str:
    from content_api.content.models import Entry, Revision

    body = session().scalar(
        select(Revision.body)
        .join(Entry, (Entry.id == Revision.entry_id) & (Entry.head_rev == Revision.rev))
        .where(Entry.id == entry_id)
    )
    fields = (body or {}).get("fields", {})
    texts = fields.get("title") or fields.get("term") or {}
    kept = {tag: text for tag, text in texts.items() if isinstance(text, str) and text}
    return formats.label_of(kept, entry_id)


# -- The player inside the frame -------------------------------------------------------------


@pages.get("/preview/<subject>/<perspective>/<profile>/<day>/")
@pages.get("/preview/<subject>/<perspective>/<profile>/<day>/<path:path>")
@pages.requires("package.read")
def play(subject: str, perspective: str, profile: str, day: str, path: str = "") -> Response:
    """A file of the player on a preview."""
    actor = current_actor()
    kind, _plus, language = perspective.partition("+")
    chosen = None if day == TODAY else read_day(day)
    if (chosen is None and day != TODAY) or profile not in PROFILES:
        raise NotFound("There is no such preview.")
    wanted = Wanted(
        subject=subject,
        perspective=kind,
        day=chosen,
        viewer=actor.id,
        types=visible_types(actor),
        language=language or None,
    )
    return player_file(path, lambda: _show(wanted), profile=profile)


def _show(wanted: Wanted) -> Shown:
    return show(session(), current_settings(), content_types(), wanted, utc_now())


# -- Links -----------------------------------------------------------------------------------


@pages.post("/preview-links")
@pages.requires("package.write")
def make_link() -> ResponseReturnValue:
    """A link for a colleague without an account; its address is shown this once."""
    subject = request.form.get("subject", "")
    body = package_body(session(), content_types(), subject)
    choice = read_choice(subject, request.form, languages=_languages_for(body))
    days = request.form.get("days", "")
    if not days.isdigit():
        raise Refused(_("Choose how long the link is to work."))
    link, secret = create_link(
        session(),
        content_types(),
        current_actor(),
        Wanted(
            subject=subject,
            perspective=choice.perspective,
            day=choice.day,
            language=choice.language,
        ),
        days=int(days),
        profile=choice.size.profile,
        now=utc_now(),
    )
    base = current_settings().public_url or request.url_root.rstrip("/")
    address = f"{base}{url_for('preview-link.open_file', secret=secret)}"
    address += player_hash(choice.language, choice.route)
    return render("preview/links.html", new_link=link, new_address=address, **_links(choice))


@pages.post("/preview-links/<int:link_id>/end")
@pages.requires("package.write")
def end_link(link_id: int) -> ResponseReturnValue:
    """End a link before its time."""
    link = revoke_link(session(), current_actor(), link_id, utc_now())
    subject = str(link.options.get("subject", ""))
    if is_partial():
        return render("preview/links.html", **_links(_choice_of(link)))
    flash(_("The link no longer works."))
    if link.package:
        return redirect_to(f"/studio/packages/{link.package}/preview")
    return redirect_to(f"/studio/entries/{subject.partition(':')[2]}/preview")


def _links(choice: Choice) -> dict[str, Any]:
    rows = list_links(session(), choice.subject)
    now = utc_now()
    makers = select(User.id, User.display_name).where(User.id.in_({row.created_by for row in rows}))
    names = dict(session().execute(makers).all())
    return {
        "choice": choice,
        "life_options": [(days, ngettext("%(n)s day", "%(n)s days", days)) for days in LIVES],
        "perspective_names": _perspective_names(),
        "may_share": allows(current_actor(), "package.write"),
        "links": [
            {
                "id": row.id,
                "perspective": row.options.get("perspective"),
                "day": read_day(row.options.get("day") or ""),
                "language": row.options.get("language"),
                "by": names.get(row.created_by) or row.created_by,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "open": is_open(row, now),
                "revoked": row.revoked_at is not None,
            }
            for row in rows
        ],
    }


def _choice_of(link: PreviewLink) -> Choice:
    given = {name: str(value) for name, value in link.options.items() if value}
    return read_choice(given.get("subject", ""), given, languages=_languages_for({}))


# -- For a link's holder ---------------------------------------------------------------------


@shared.get("/<secret>/")
@shared.get("/<secret>/<path:path>")
def open_file(secret: str, path: str = "") -> Response:
    """A file of the player on what a link shows; the link is all that is asked for."""
    try:
        link = open_link(session(), secret, utc_now())
        wanted = wanted_of(link)
        return player_file(
            path,
            lambda: _show(wanted),
            profile=str(link.options.get("profile", "tablet")),
            cache=KEPT_BY_NOBODY,
        )
    except NotFound:
        if path:
            raise
        return _ended()


def _ended() -> Response:
    set_language(
        negotiate(request.headers.get("Accept-Language", ""), available_languages()) or "fr"
    )
    response = make_response(
        render_template("preview/ended.html", language=current_language()), 404
    )
    response.headers["Cache-Control"] = KEPT_BY_NOBODY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
