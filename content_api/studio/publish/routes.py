"""Pages on which packages are published.

/studio/packages/<slug>/publish                     problems, comparison, publish, releases
/studio/packages/<slug>/publish/{problems,changes}  the slow parts, loaded after the page
/studio/packages/<slug>/publish/releases/<id>       how far one release is, asked every second
/studio/packages/<slug>/publish/compare             what differs between two releases
/studio/packages/<slug>/publish/item/<id>           one item before and after
/studio/packages/<slug>/publish/restore/<number>    what an old release would change, and do it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import dates as babel_dates
from flask import Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.models import User
from content_api.accounts.rules import allows
from content_api.content.types import content_types
from content_api.database import engine, session, utc_now
from content_api.messages import gettext as _
from content_api.packages.background import (
    ReleasedMeanwhile,
    find_running,
    newest_release,
    request_release,
    start_publishing,
)
from content_api.packages.changes import Changes
from content_api.packages.items import ReadPath, item_parts, read_item
from content_api.packages.models import Package, Release
from content_api.packages.progress import read_progress
from content_api.packages.publish import (
    LiveMeanwhile,
    PackageHasProblems,
    diff_releases,
    make_draft,
    plan_changes,
    release_reader,
    restore_release,
)
from content_api.packages.schedule import (
    HourPast,
    HourSkipped,
    cancel_release,
    parse_hour,
    schedule_release,
)
from content_api.packages.schemas import zone_of
from content_api.packages.service import (
    get_package,
    get_release,
    list_releases,
    live_number,
    package_problems,
)
from content_api.problems import Conflict, ContentError, NotFound, Refused
from content_api.settings import current_settings
from content_api.studio import formats
from content_api.studio.pages import Pages, is_partial, redirect_to, render
from content_api.studio.publish.comparing import counts_of, is_same, rows_of, sizes_of
from content_api.studio.publish.words import group_problems, named_ids, problem_words
from content_api.studio.widgets.choices import MOST_DESCRIBED, Choice, describe
from package_format.layout import is_slug

pages = Pages("publish", __name__, url_prefix="/studio/packages")

RELEASES_SHOWN = 20
COMPARED = 100
"""Releases that can be chosen to compare, the newest."""

ROWS_SHOWN = 300
"""Rows of a comparison; a first release may have thousands, and nobody reads those."""


# -- The page --------------------------------------------------------------------------------


@pages.get("/<slug>/publish")
@pages.requires("release.read")
def publish_page(slug: str) -> ResponseReturnValue:
    """Everything about publishing one package."""
    return _page(get_package(session(), slug))


def _page(package: Package, status: int = 200, **more: Any) -> Response:
    now, zone = utc_now(), zone_of(package.body)
    shown = request.args.get("release", "")
    watched = _row(package.slug, int(shown)) if shown.isdecimal() else None
    running = watched or find_running(session(), package.slug, now)
    newest = newest_release(session(), package.slug)
    return render(
        "publish/page.html",
        status,
        **_head(package),
        **_releases(package),
        running=_state(running) if running else None,
        seen=newest.id if newest else 0,
        zone_name=_zone_name(zone),
        **{"at": "", "at_error": "", "refused": None, **more},
    )


@pages.get("/<slug>/publish/problems")
@pages.requires("release.read")
def problems_part(slug: str) -> ResponseReturnValue:
    """What keeps the package from being published, by entry."""
    package = get_package(session(), slug)
    found = [p.to_json() for p in package_problems(session(), content_types(), slug, utc_now())]
    return _show("publish/problems.html", package, **_problems(package, found))


def _problems(package: Package, found: list[dict[str, str]]) -> dict[str, Any]:
    language = request.args.get("language", "")
    if language not in package.body["languages"]:
        language = ""
    names = _names(named_ids(found))
    groups = group_problems(found, names, content_types(), package.slug, language=language)
    blocking = sum(problem["severity"] == "error" for problem in found)
    return {
        "groups": groups,
        "language": language,
        "blocking": blocking,
        "warnings": len(found) - blocking,
        "by_language": {
            tag: sum(problem["language"] == tag for problem in found)
            for tag in package.body["languages"]
        },
    }


@pages.get("/<slug>/publish/changes")
@pages.requires("release.read")
def changes_part(slug: str) -> ResponseReturnValue:
    """What publishing now would change for visitors, and what devices would fetch."""
    package = get_package(session(), slug)
    now = utc_now()
    draft = make_draft(session(), content_types(), slug, now)
    changes = plan_changes(current_settings(), draft, "live", now)
    return _show("publish/changes.html", package, **_comparison(changes))


def _comparison(changes: Changes) -> dict[str, Any]:
    rows = rows_of(changes)
    shown = rows[:ROWS_SHOWN]
    return {
        "changes": changes,
        "rows": shown,
        "more_rows": len(rows) - len(shown),
        "counts": counts_of(changes),
        "same": is_same(changes),
        "names": _names(row.id for row in shown),
        "sizes": sizes_of(changes),
        "profile_names": profile_names(),
    }


@pages.get("/<slug>/publish/compare")
@pages.requires("release.read")
def compare_page(slug: str) -> ResponseReturnValue:
    """What differs between any two releases."""
    package = get_package(session(), slug)
    numbers = list(
        session().scalars(
            select(Release.number)
            .where(
                Release.package == slug,
                Release.channel == "live",
                Release.state.in_(("live", "superseded")),
            )
            .order_by(Release.number.desc())
            .limit(COMPARED)
        )
    )
    before, after = _number("from"), _number("to")
    comparison: dict[str, Any] = {}
    problem = ""
    if before is not None and after is not None and before != after:
        try:
            changes = diff_releases(session(), current_settings(), slug, before, after)
            comparison = _comparison(changes)
        except ContentError:
            problem = _("One of these releases is not kept, or was never published.")
    options = [(str(number), str(number)) for number in numbers]
    newest: list[int | None] = [*numbers[:2], None, None]
    return render(
        "publish/compare.html",
        **_head(package),
        **comparison,
        options=options,
        before=newest[1] if before is None else before,
        after=newest[0] if after is None else after,
        problem=problem,
        live_release=live_number(session(), slug),
    )


@pages.get("/<slug>/publish/item/<item>")
@pages.requires("release.read")
def item_part(slug: str, item: str) -> ResponseReturnValue:
    """One item in one language before and after, field by field."""
    package = get_package(session(), slug)
    tag = request.args.get("language", "")
    if tag not in formats.content_languages() or not is_slug(item):
        raise NotFound(_("There is nothing to compare."))
    before, after = _number("from"), _number("to")
    types = content_types()
    if after is None:
        draft = make_draft(session(), types, slug, utc_now())
        documents = draft.compiled.documents
        read_after: ReadPath = lambda path: documents.get(path)  # noqa: E731
    else:
        read_after = release_reader(session(), current_settings(), slug, after)
    old = None
    if before is not None:
        read_before = release_reader(session(), current_settings(), slug, before)
        old = read_item(read_before, tag, item)
    parts = item_parts(types, old, read_item(read_after, tag, item))
    ids = {item}
    for part in parts:
        if part.names:
            for value in (part.before, part.after):
                ids.update([value] if isinstance(value, str) else value or ())
    more: dict[str, Any] = {"item": item, "tag": tag, "parts": parts, "names": _names(ids)}
    if is_partial():
        return render("publish/item.html", **_head(package), **more)
    return render("publish/item_alone.html", **_head(package), **more)


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return _bounded(int(text[:12])) if text.isdecimal() else None


# -- Publish now -----------------------------------------------------------------------------


@pages.post("/<slug>/publish")
@pages.requires("release.create")
def publish_now(slug: str) -> ResponseReturnValue:
    """Begin to publish, unless that goes on already; the page then shows how far it is."""
    package = get_package(session(), slug)
    seen = request.form.get("seen", "0")
    try:
        release, is_new = request_release(
            session(),
            content_types(),
            current_actor(),
            slug,
            utc_now(),
            seen=int(seen) if seen.isdecimal() else 0,
        )
    except PackageHasProblems as error:
        return _refused(package, error)
    except ReleasedMeanwhile:
        text = _("A release was published or planned meanwhile. Look at the comparison again.")
        return redirect_to(f"/studio/packages/{slug}/publish", text, "warn")
    # The thread must find the row.
    session().commit()
    if is_new:
        start_publishing(current_settings(), current_actor(), slug, release.id)
    return redirect_to(f"/studio/packages/{slug}/publish?release={release.id}")


def _refused(package: Package, error: PackageHasProblems, **more: Any) -> Response:
    found = [dict(problem) for problem in error.errors]
    return _page(package, 422, refused=_problems(package, found), **more)


@pages.get("/<slug>/publish/releases/<int:release_id>")
@pages.requires("release.read")
def release_state(slug: str, release_id: int) -> ResponseReturnValue:
    """How far one release is."""
    package = get_package(session(), slug)
    release = _row(slug, release_id)
    if not is_partial():
        return redirect_to(f"/studio/packages/{slug}/publish?release={release_id}")
    response = render("publish/running.html", **_head(package), running=_state(release))
    if release.state not in ("scheduled", "publishing"):
        response.headers["HX-Trigger"] = "released"
    return response


def _state(release: Release) -> dict[str, Any]:
    progress = read_progress(current_settings(), release.id)
    waiting = release.state in ("scheduled", "publishing")
    due = release.publish_at is None or release.publish_at <= utc_now()
    words = {
        "compile": _("Putting the texts and pictures together…"),
        "write": _("Writing files…"),
        "sign": _("Signing…"),
    }
    return {
        "release": release,
        "waits": waiting and due,
        "planned": waiting and not due,
        "step": words[progress.step] if progress else _("Waiting for its turn…"),
        "done": progress.done if progress else 0,
        "total": progress.total if progress else 0,
        "problems": _problem_texts([release]).get(release.id, ()),
    }


# -- At an hour ------------------------------------------------------------------------------


@pages.get("/<slug>/publish/moment")
@pages.requires("release.read")
def moment_part(slug: str) -> ResponseReturnValue:
    """When an hour of the package's zone is for the person who reads."""
    package = get_package(session(), slug)
    text = request.args.get("at", "")
    said = error = ""
    if text:
        try:
            said = _moment_words(text, zone_of(package.body), utc_now())
        except Refused as refusal:
            error = _hour_words(refusal, text, zone_of(package.body))
    return render("publish/moment.html", said=said, error=error)


@pages.post("/<slug>/publish/plan")
@pages.requires("release.create")
def plan(slug: str) -> ResponseReturnValue:
    """Publish at an hour, given in the package's time zone."""
    package = get_package(session(), slug)
    at, zone = request.form.get("at", "").strip()[:40], zone_of(package.body)
    try:
        # A zone written with it would make the words beside the field untrue.
        local = datetime.fromisoformat(at).replace(tzinfo=None).isoformat(timespec="minutes")
        moment = parse_hour(local, zone)
        planned = session().scalar(
            select(Release.id).where(
                Release.package == slug,
                Release.channel == "live",
                Release.state == "scheduled",
                Release.publish_at == moment,
            )
        )
        if planned is not None:
            text = _("A release is already planned for this hour.")
            return redirect_to(f"/studio/packages/{slug}/publish", text, "info")
        release = schedule_release(
            session(), content_types(), current_actor(), slug, local, utc_now()
        )
    except PackageHasProblems as error:
        return _refused(package, error, at=at)
    except (Refused, ValueError) as error:
        return _page(package, 422, at=at, at_error=_hour_words(error, at, zone))
    text = _(
        "It will be published on %(when)s, %(zone)s time. What is approved then will be shown.",
        when=formats.format_datetime(release.publish_at, "full", zone),
        zone=_zone_name(zone),
    )
    return redirect_to(f"/studio/packages/{slug}/publish", text)


@pages.post("/<slug>/publish/cancel/<int:release_id>")
@pages.requires("release.create")
def cancel(slug: str, release_id: int) -> ResponseReturnValue:
    """Take back a release that waits for its hour."""
    get_package(session(), slug)
    address = f"/studio/packages/{slug}/publish"
    try:
        cancel_release(session(), current_actor(), slug, _bounded(release_id))
    except Conflict:
        text = _("It no longer waits: look at the list of releases for what became of it.")
        return redirect_to(address, text, "warn")
    return redirect_to(
        address, _("The planned release is cancelled. Displays keep what they have.")
    )


def _moment_words(text: str, zone: ZoneInfo, now: datetime) -> str:
    moment = parse_hour(text, zone)
    if moment <= now:
        raise HourPast("at: expected a time in the future.")
    own = formats.reader_zone()
    when = formats.format_datetime(moment, "full", own)
    said = _("In %(zone)s, your zone: %(when)s.", zone=_zone_name(own), when=when)
    if own.key == zone.key:
        said = formats.format_datetime(moment, "full", zone)
    said = f"{said} {formats.ago(moment, now).capitalize()}."
    if moment.astimezone(zone).replace(fold=1).astimezone(moment.tzinfo) != moment:
        again = _("Clocks go back that night and this hour comes twice: the first one is meant.")
        said = f"{said} {again}"
    return said


def _hour_words(error: Exception, text: str, zone: ZoneInfo) -> str:
    if isinstance(error, HourSkipped):
        return _(
            "This hour does not exist in %(zone)s: clocks go forward over it that night. "
            "Choose an hour earlier or later.",
            zone=_zone_name(zone),
        )
    if isinstance(error, HourPast):
        return _("This hour is over in %(zone)s. Choose one to come.", zone=_zone_name(zone))
    return _("Give a day and an hour.")


# -- Older releases --------------------------------------------------------------------------


@pages.get("/<slug>/publish/releases")
@pages.requires("release.read")
def releases_part(slug: str) -> ResponseReturnValue:
    """The releases of a package, newest first."""
    package = get_package(session(), slug)
    return _show("publish/releases.html", package, **_releases(package))


def _releases(package: Package) -> dict[str, Any]:
    text = request.args.get("before", "")
    before = _bounded(int(text)) if text.isdecimal() else None
    rows = list_releases(session(), package.slug, before=before, limit=RELEASES_SHOWN + 1)
    shown = rows[:RELEASES_SHOWN]
    return {
        "releases": shown,
        "release_problems": _problem_texts(shown),
        "people": _people(row.created_by for row in shown),
        "next_before": shown[-1].id if len(rows) > RELEASES_SHOWN else None,
        "is_first": before is None,
        "release_states": release_states(),
    }


@pages.get("/<slug>/publish/restore/<int:number>")
@pages.requires("release.restore")
def restore_page(slug: str, number: int) -> ResponseReturnValue:
    """What going back to a release would change, before it is done."""
    package = get_package(session(), slug)
    return _restore_page(package, get_release(session(), slug, _bounded(number)))


def _restore_page(
    package: Package, release: Release, status: int = 200, problem: str = ""
) -> Response:
    live = live_number(session(), package.slug)
    if release.state not in ("live", "superseded"):
        raise NotFound(_("This release was never published, so it cannot be restored."))
    comparison: dict[str, Any] = {}
    if live is not None and release.number is not None and release.number != live:
        try:
            changes = diff_releases(
                session(), current_settings(), package.slug, live, release.number
            )
            comparison = _comparison(changes)
        except ContentError:
            problem = problem or _("The files of this release are no longer kept.")
    return render(
        "publish/restore.html",
        status,
        **_head(package),
        **comparison,
        release=release,
        live_release=live,
        problem=problem,
        people=_people([release.created_by]),
    )


@pages.post("/<slug>/publish/restore/<int:number>")
@pages.requires("release.restore")
def restore(slug: str, number: int) -> ResponseReturnValue:
    """Publish an old release's content once more, as the next release."""
    package = get_package(session(), slug)
    release = get_release(session(), slug, _bounded(number))
    address = f"/studio/packages/{slug}/publish"
    seen = request.form.get("seen", "")
    # Publishing makes its own short transactions; this request's would lock them out.
    session().commit()
    try:
        made = restore_release(
            engine(),
            current_settings(),
            current_actor(),
            slug,
            _bounded(number),
            seen=int(seen) if seen.isdecimal() else None,
        )
    except LiveMeanwhile:
        text = _("Another release went live meanwhile. Nothing was restored: look at it first.")
        return redirect_to(address, text, "warn")
    except Refused:
        return _restore_page(
            package,
            release,
            422,
            _("Rights of some of its pictures or sounds have ended since, so it cannot be shown."),
        )
    except Conflict:
        return _restore_page(package, release, 409, _("Its files are no longer kept."))
    text = _(
        "Release %(number)s shows again what release %(old)s showed.",
        number=made.number,
        old=number,
    )
    return redirect_to(address, text)


# -- Words and names -------------------------------------------------------------------------


def release_states() -> dict[str, tuple[str, str, str]]:
    """For each state of a release its word, tone and icon."""
    return {
        "scheduled": (_("planned"), "info", "clock"),
        "publishing": (_("being published"), "info", "refresh"),
        "live": (_("on displays"), "good", "check"),
        "superseded": (_("replaced"), "neutral", "history"),
        "failed": (_("failed"), "bad", "warning"),
        "cancelled": (_("cancelled"), "neutral", "cross"),
    }


def profile_names() -> dict[str, str]:
    """The display profiles in the reader's language."""
    return {
        "tablet": _("Tablet"),
        "wall": _("Wall"),
        "guide": _("Portable guide"),
        "galaxy": _("Liquid Galaxy"),
    }


def _show(template: str, package: Package, **more: Any) -> Response:
    """A part of the page, or, for somebody without scripts, a page of that part alone."""
    if is_partial():
        return render(template, **_head(package), **more)
    return render("publish/alone.html", **_head(package), **more, part=template)


def _head(package: Package) -> dict[str, Any]:
    return {
        "package": package,
        "zone": zone_of(package.body),
        "reader_zone": formats.reader_zone(),
        "package_title": formats.label_of(package.body.get("title"), package.slug),
        "package_tabs": package_tabs(package.slug, "publish"),
    }


def package_tabs(slug: str, current: str) -> list[tuple[str, str, bool]]:
    """The views of one package."""
    base = f"/studio/packages/{slug}"
    tabs = [
        (_("Contents"), f"{base}/", current == "contents"),
        (_("Publish"), f"{base}/publish", current == "publish"),
        (_("Preview"), f"{base}/preview", current == "preview"),
    ]
    if allows(current_actor(), "device.read"):
        tabs.insert(2, (_("Rollout"), f"{base}/rollout", current == "rollout"))
    return tabs


def _zone_name(zone: ZoneInfo) -> str:
    if zone.key == "UTC":
        return "UTC"
    return babel_dates.get_timezone_location(zone, locale=formats.reader_locale(), return_city=True)


def _names(ids: Iterable[str]) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), MOST_DESCRIBED):
        found.update(describe(session(), current_actor(), wanted[start : start + MOST_DESCRIBED]))
    return found


def _people(ids: Iterable[str]) -> dict[str, str]:
    wanted = set(ids)
    rows = session().execute(
        select(User.id, User.display_name, User.name).where(User.id.in_(wanted))
    )
    found = {row.id: row.display_name or row.name for row in rows}
    return {"system": _("the server"), **found}


def _problem_texts(releases: Iterable[Release]) -> dict[int, list[str]]:
    failed = {row.id: row.problems for row in releases if row.problems}
    if not failed:
        return {}
    names = _names(named_ids(problem for found in failed.values() for problem in found))
    return {
        release_id: list(dict.fromkeys(_sentences(found, names)))
        for release_id, found in failed.items()
    }


def _sentences(found: Iterable[dict[str, Any]], names: dict[str, Choice]) -> Iterator[str]:
    for problem in found:
        words = problem_words(problem, names)
        name = names.get(problem["entry"])
        yield _("%(entry)s: %(problem)s", entry=name.title, problem=words) if name else words


def _row(slug: str, release_id: int) -> Release:
    release = session().get(Release, _bounded(release_id))
    if release is None or release.package != slug:
        raise NotFound(f"The package {slug} has no release of id {release_id}.")
    return release


def _bounded(number: int) -> int:
    # PostgreSQL refuses a number beyond its column instead of not finding it.
    return number if number < 2**31 else 0
