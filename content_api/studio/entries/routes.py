"""Pages that list entries: the list with its filters, and the grid of entries and languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from flask import Response, request
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.models import User
from content_api.accounts.rules import allowed_scopes, allows
from content_api.api import decode_cursor, encode_cursor
from content_api.content.document import SHARED
from content_api.content.listing import (
    NEED_WORK,
    EntrySummary,
    count_entries,
    list_entries,
    place_of,
    status_totals,
)
from content_api.content.reviews import request_review, review_states
from content_api.content.translation import STATES
from content_api.content.types import content_types
from content_api.database import session
from content_api.messages import current_language, ngettext
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.problems import BadRequest, Refused
from content_api.studio.entries.asking import Asking, asking_of
from content_api.studio.formats import content_languages, format_number, label_of, language_name
from content_api.studio.pages import Pages, is_partial, local_path, redirect_to, render
from content_api.studio.sessions import current_user

pages = Pages("entries", __name__, url_prefix="/studio/entries")

LIST_ROWS = 50
MATRIX_ROWS = 60

MAX_CHOSEN = 200
"""Entries that one click may send to review."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An entry in one language, as its mark shows it."""

    tag: str
    href: str
    state: str
    """A translation status; of an original `draft`, `changed`, `approved`; or `none`."""
    shape: str
    """Name of the mark in the sprite, or empty."""
    count: str
    is_approved: bool
    """Shown as approved: where there is something that an approval lets out."""
    review: str
    """`waiting`, `sent_back` or empty."""
    said: str
    """All of it in words."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as lists show it."""

    id: str
    href: str
    type_name: str
    title: str
    title_tag: str
    """Language of the title; empty where the id stands for it."""
    is_fallback: bool
    updated_at: Any
    updated_by: str
    cells: list[Cell]


@pages.get("/")
@pages.requires("entry.read")
def list_page() -> Response:
    """Entries by what is asked, fifty at a time."""
    asking = _asking()
    found, filters = _found(asking, LIST_ROWS)
    following = place_of(found[LIST_ROWS - 1], asking.order) if len(found) > LIST_ROWS else None
    rows = _rows(found[:LIST_ROWS])
    return render(
        "entries/_results.html" if is_partial() else "entries/list.html",
        asking=asking,
        rows=rows,
        total=count_entries(session(), current_actor(), types=content_types(), **filters),
        next_url=asking.address("/studio/entries/", after=encode_cursor(following))
        if following
        else None,
        first_url=asking.address("/studio/entries/") if request.args.get("after") else None,
        matrix_url=asking.address("/studio/entries/matrix"),
        here=asking.address("/studio/entries/"),
        exchange_url=Asking(
            type=asking.type, language=asking.language, package=asking.package
        ).address("/studio/exchange/"),
        **_choices(),
    )


@pages.get("/matrix")
@pages.requires("entry.read")
def matrix() -> Response:
    """Entries in rows, languages in columns."""
    asking = _asking()
    if "order" not in request.args:
        asking = replace(asking, order="title")
    found, filters = _found(asking, MATRIX_ROWS)
    following = place_of(found[MATRIX_ROWS - 1], asking.order) if len(found) > MATRIX_ROWS else None
    totals = status_totals(session(), current_actor(), types=content_types(), **filters)
    path = "/studio/entries/matrix"
    return render(
        "entries/_grid.html" if is_partial() else "entries/matrix.html",
        asking=asking,
        rows=_rows(found[:MATRIX_ROWS]),
        columns=[(row.tag, row.source is None) for row in content_languages().values()],
        totals=_totals(asking, totals),
        total=count_entries(session(), current_actor(), types=content_types(), **filters),
        next_url=asking.address(path, after=encode_cursor(following)) if following else None,
        first_url=asking.address(path) if request.args.get("after") else None,
        list_url=asking.address("/studio/entries/"),
        **_choices(),
    )


@pages.post("/ask-review")
@pages.requires("entry.write")
def ask_review() -> Response:
    """Ask for a review of the chosen entries, in every language this person may write."""
    ids = list(dict.fromkeys(request.form.getlist("ids")))
    back = local_path(request.form.get("next")) or "/studio/entries/"
    if not ids:
        return redirect_to(back, _("Choose at least one entry first."), "warn")
    if len(ids) > MAX_CHOSEN:
        raise Refused(_("Choose at most %(n)s entries at a time.", n=MAX_CHOSEN))
    actor = current_actor()
    known = [SHARED, *content_languages()]
    asked = 0
    summaries = list_entries(session(), actor, ids=ids, limit=len(ids), types=content_types())
    for entry in summaries:
        mine = allowed_scopes(actor, "entry.write", known, entry_type=entry.type)
        open_scopes = [s for s in known if s in mine and _is_open(entry, s)]
        if open_scopes:
            request_review(session(), actor, entry.id, open_scopes)
            asked += 1
    if not asked:
        return redirect_to(back, _("There is nothing new to review in what you chose."), "info")
    said = ngettext(
        "A review of %(n)s entry is asked for.", "A review of %(n)s entries is asked for.", asked
    )
    return redirect_to(back, said)


def _totals(asking: Asking, totals: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """For each language, the entries that need work in it, with where to find them."""
    words = state_words()
    return {
        tag: [
            {
                "state": state,
                "count": format_number(counts[state]),
                "href": replace(asking, language=tag, state=state).address("/studio/entries/"),
                "said": _(
                    "%(language)s: %(state)s",
                    language=language_name(tag),
                    state=_("%(state)s (%(n)s)", state=words[state], n=counts[state]),
                ),
            }
            for state in NEED_WORK
            if counts[state]
        ]
        for tag, counts in totals.items()
    }


def _is_open(entry: EntrySummary, scope: str) -> bool:
    return entry.changed.get(scope, 0) > 0 and entry.approval(scope) != "current"


def _asking() -> Asking:
    asking = asking_of(request.args)
    # What an old address names and is no more is not asked, rather than refused.
    if content_types().find_type(asking.type) is None:
        asking = replace(asking, type="")
    if asking.language not in content_languages():
        asking = replace(asking, language="")
    if asking.package and session().get(Package, asking.package) is None:
        asking = replace(asking, package="")
    if asking.type and not allows(current_actor(), "entry.read", entry_type=asking.type):
        asking = replace(asking, type="")
    return asking


def _found(asking: Asking, size: int) -> tuple[list[EntrySummary], dict[str, Any]]:
    actor = current_actor()
    filters = asking.filters(actor.id)
    place = decode_cursor(request.args.get("after"), 1 if asking.order == "id" else 2)
    if place is not None and not all(isinstance(part, str) for part in place):
        raise BadRequest(_("This address is not complete. Begin at the first page."))
    found = list_entries(
        session(),
        actor,
        order=asking.order,
        titled_in=_title_language(),
        after=tuple(place) if place else None,
        limit=size,
        types=content_types(),
        **filters,
    )
    return found, filters


def _title_language() -> str | None:
    tag = current_language()
    return tag if tag in content_languages() else None


def _rows(found: Iterable[EntrySummary]) -> list[Row]:
    entries = list(found)
    names = user_names(entry.updated_by for entry in entries)
    reviews = review_states(session(), [entry.id for entry in entries])
    wanted = _title_language()
    types = content_types()
    said = _telling()
    rows = []
    for entry in entries:
        title, tag = best_title(entry.title, wanted)
        kind = types.find_type(entry.type)
        asset = entry.type == "asset"
        waits = {scope: row.state for scope, row in reviews.get(entry.id, {}).items()}
        rows.append(
            Row(
                id=entry.id,
                href=f"/studio/media/{entry.id}/" if asset else f"/studio/entries/{entry.id}/",
                type_name=label_of(kind.label, entry.type) if kind else entry.type,
                title=title or entry.id,
                title_tag=tag,
                is_fallback=bool(tag) and wanted is not None and tag != wanted,
                updated_at=entry.updated_at,
                updated_by=names.get(entry.updated_by, entry.updated_by),
                cells=_cells(entry, waits, said),
            )
        )
    return rows


def _cells(entry: EntrySummary, waits: Mapping[str, str], said: Callable[..., str]) -> list[Cell]:
    cells = []
    for tag, language in content_languages().items():
        counts = entry.translations.get(tag, {})
        state = next((state for state in STATES if state in counts), "none")
        approved = entry.approval(tag)
        is_source = language.source is None
        href = f"/studio/entries/{entry.id}/"
        if is_source and entry.changed.get(tag):
            state = {"none": "draft", "older": "changed", "current": "approved"}[approved]
        elif not is_source:
            href += f"translate/{tag}"
        count = counts.get(state, 0)
        is_approved = approved == "current" and not is_source
        review = waits.get(tag, "")
        cells.append(
            Cell(
                tag=tag,
                href=href,
                state=state,
                shape={"none": "", "changed": "draft"}.get(state, state),
                count=format_number(count) if count > 999 else str(count or ""),
                is_approved=is_approved and state not in ("none", "missing"),
                review=review,
                said=said(tag, state, count, is_approved, review),
            )
        )
    return cells


def _telling() -> Callable[..., str]:
    """Says a cell in words. Most cells of a page say the same: each is put together once."""
    words = state_words()
    reviews = {"waiting": _("waiting for review"), "sent_back": _("sent back")}

    @cache
    def said(tag: str, state: str, count: int, is_approved: bool, review: str) -> str:
        parts = [words[state]]
        if count:
            parts[0] = _("%(state)s (%(n)s)", state=words[state], n=format_number(count))
        parts += [_("approved")] if is_approved else []
        parts += [reviews[review]] if review else []
        return _("%(language)s: %(state)s", language=language_name(tag), state=", ".join(parts))

    return said


def state_words() -> dict[str, str]:
    """How an entry stands in a language, in a few words."""
    return {
        "missing": _("missing"),
        "outdated": _("outdated"),
        "machine": _("machine translation"),
        "translated": _("translated, not reviewed"),
        "reviewed": _("reviewed"),
        "draft": _("never approved"),
        "changed": _("changed since its approval"),
        "approved": _("approved as it stands"),
        "none": _("nothing to translate"),
    }


def best_title(titles: Mapping[str, str], wanted: str | None) -> tuple[str, str]:
    """A title in the language wanted, else in an original one, else in any; its language."""
    originals = [tag for tag, row in content_languages().items() if row.source is None]
    for tag in (wanted, *originals, *content_languages(), *titles):
        if tag is not None and titles.get(tag):
            return titles[tag], tag
    return "", ""


def user_names(ids: Iterable[str]) -> dict[str, str]:
    """What to call each of these people; whoever is gone is missing."""
    rows = session().execute(
        select(User.id, User.display_name, User.name).where(User.id.in_(set(ids)))
    )
    found = {user_id: shown or name for user_id, shown, name in rows}
    user = current_user()
    return {"system": _("the server"), **found, **({user.id: _("you")} if user else {})}


def _choices() -> dict[str, Any]:
    """What the form offers."""
    actor = current_actor()
    types = content_types()
    readable = [kind for kind in types if allows(actor, "entry.read", entry_type=kind.id)]
    known = [SHARED, *content_languages()]
    return {
        "type_choices": [
            (type_id, name)
            for name, type_id in sorted((label_of(k.label, k.id), k.id) for k in readable)
        ],
        "language_choices": [(tag, language_name(tag)) for tag in content_languages()],
        "new_types": sorted(
            (label_of(kind.label, kind.id), kind.id)
            for kind in readable
            if kind.id != "asset"
            and allowed_scopes(actor, "entry.write", known, entry_type=kind.id)
        ),
        "packages": [
            (slug, title_of(body))
            for slug, body in session().execute(
                select(Package.slug, Package.body).order_by(Package.slug)
            )
        ],
        "orders": [
            ("newest", _("Changed last")),
            ("title", _("Title")),
            ("id", _("Name in addresses")),
        ],
        "states": [(state, text) for state, text in state_words().items() if state != "none"],
    }


def title_of(body: Mapping[str, Any]) -> str:
    """A package's title in the reader's language."""
    title = body.get("title")
    return label_of(title if isinstance(title, Mapping) else None)
