"""Pages of people, what they may do, and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, request, stream_with_context
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from content_api.accounts import links, oidc, service
from content_api.accounts.access import current_actor
from content_api.accounts.audit import list_audit
from content_api.accounts.models import AuditRecord, User
from content_api.accounts.rules import ALL, SHARED, Grant
from content_api.accounts.service import LastAdmin
from content_api.content.listing import entry_title
from content_api.content.models import Entry, Revision
from content_api.content.types import content_types
from content_api.database import engine, read_session, session, utc_now
from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.messages import gettext as _
from content_api.problems import Conflict, NotFound, Refused
from content_api.settings import current_settings
from content_api.studio.account.forms import is_email
from content_api.studio.formats import content_languages, label_of, reader_zone
from content_api.studio.pages import Pages, redirect_to, render
from content_api.studio.people.audit_words import (
    Names,
    action_label,
    details_of,
    known_actions,
    sentence,
    subject_href,
)
from content_api.studio.people.export import csv_lines, json_lines
from content_api.studio.people.grants_form import read_grants
from content_api.studio.people.words import all_roles, role_words, where_words

pages = Pages("people", __name__, url_prefix="/studio")

PEOPLE = "/studio/people/"
PAGE = 100
AUDIT_PAGE = 50
EXPORT_STEP = 1000


# -- Everybody -------------------------------------------------------------------------------


@pages.get("/people/")
@pages.requires("user.read")
def list_people() -> Response:
    """Everybody, with their roles and when they were last here."""
    wanted = request.args.get("q", "").strip()[:200]
    rows = service.list_users(
        session(), after=request.args.get("after"), wanted=wanted or None, limit=PAGE + 1
    )
    shown = rows[:PAGE]
    ids = [row.id for row in shown]
    now = utc_now()
    return render(
        "people/list.html",
        people=shown,
        roles=_role_names(shown),
        last_seen=service.last_seen(session(), ids),
        invited=links.invited_until(session(), ids, now),
        q=wanted,
        after=shown[-1].name if len(rows) > PAGE else None,
        first=not request.args.get("after"),
    )


@pages.get("/people/new")
@pages.requires("user.write")
def new_person() -> Response:
    """The form that invites somebody."""
    return _new_page()


@pages.post("/people/")
@pages.requires("user.write")
def invite_person() -> Response:
    """Add a person and show the link that lets them set their password, once."""
    values = {
        name: request.form.get(name, "").strip() for name in ("name", "display_name", "email")
    }
    grants = read_grants(request.form)
    errors = {}
    if values["email"] and not is_email(values["email"]):
        errors["email"] = _("This is not an e-mail address.")
    if len(values["display_name"]) > 200 or not values["display_name"].isprintable():
        errors["display_name"] = _("Give a name of up to 200 characters, on one line.")
    if errors:
        return _new_page(422, values=values, errors=errors, grants=grants)
    try:
        user = service.create_user(
            session(),
            current_actor(),
            name=values["name"],
            display_name=values["display_name"],
            email=values["email"] or None,
            grants=grants,
        )
    except Conflict as error:
        where = "email" if "email" in error.message else "name"
        said = _("Somebody else has this address.") if where == "email" else _("It is taken.")
        return _new_page(422, values=values, errors={where: said}, grants=grants)
    except Refused as error:
        return _new_page(422, values=values, errors=_refused_words(error), grants=grants)
    link, secret = links.create_link(session(), current_actor(), user.id, "invitation")
    return _person_page(user, 201, new_link=link, new_address=_address(secret))


# -- One person ------------------------------------------------------------------------------


@pages.get("/people/<user_id>")
@pages.requires("user.read")
def person(user_id: str) -> Response:
    """A person: account, roles, links, sessions, tokens."""
    return _person_page(service.get_user(session(), user_id))


@pages.post("/people/<user_id>")
@pages.requires("user.write")
def change_person(user_id: str) -> Response:
    """Change a person's name and e-mail."""
    user = service.get_user(session(), user_id)
    values = {name: request.form.get(name, "").strip() for name in ("display_name", "email")}
    errors = {}
    if values["email"] and not is_email(values["email"]):
        errors["email"] = _("This is not an e-mail address.")
    if len(values["display_name"]) > 200 or not values["display_name"].isprintable():
        errors["display_name"] = _("Give a name of up to 200 characters, on one line.")
    if not errors:
        known = {"display_name": values["display_name"], "email": values["email"] or None}
        try:
            service.change_user(session(), current_actor(), user.id, known)
        except Conflict:
            errors["email"] = _("Somebody else has this address.")
    if errors:
        return _person_page(user, 422, values=values, errors=errors)
    return redirect_to(f"{PEOPLE}{user.id}", _("Saved."))


@pages.post("/people/<user_id>/grants")
@pages.requires("user.write")
def change_grants(user_id: str) -> Response:
    """Replace what a person may do."""
    user = service.get_user(session(), user_id)
    grants = read_grants(request.form)
    try:
        # Apart, so that a refusal leaves nothing of it behind.
        with session().begin_nested():
            service.set_grants(session(), current_actor(), user.id, grants)
    except LastAdmin:
        errors = {"grants": _last_admin_words()}
    except Refused as error:
        errors = _refused_words(error)
    else:
        return redirect_to(f"{PEOPLE}{user.id}", _("The roles are saved. They count from now on."))
    return _person_page(user, 422, grants=grants, errors=errors)


@pages.post("/people/<user_id>/deactivate")
@pages.requires("user.write")
def deactivate_person(user_id: str) -> Response:
    """End a person's sessions and tokens, and let them sign in no more."""
    return _set_active(user_id, active=False)


@pages.post("/people/<user_id>/activate")
@pages.requires("user.write")
def activate_person(user_id: str) -> Response:
    """Let a deactivated person sign in again."""
    return _set_active(user_id, active=True)


@pages.post("/people/<user_id>/link")
@pages.requires("user.write")
def make_link(user_id: str) -> Response:
    """Make a link to set a password, shown on the answer alone; an older one ends."""
    user = service.get_user(session(), user_id)
    purpose = "invitation" if user.password_hash is None else "reset"
    link, secret = links.create_link(session(), current_actor(), user.id, purpose)
    return _person_page(user, 201, new_link=link, new_address=_address(secret))


@pages.post("/people/<user_id>/openid")
@pages.requires("user.write")
def allow_openid(user_id: str) -> Response:
    """Allow who shows this person's e-mail at the OpenID provider to become this person, once."""
    user = service.get_user(session(), user_id)
    try:
        links.create_link(session(), current_actor(), user.id, "openid")
    except Conflict:
        said = _("Give this person an e-mail address first.")
        return redirect_to(f"{PEOPLE}{user.id}", said, "warn")
    return redirect_to(f"{PEOPLE}{user.id}", _("Allowed for seven days, for one sign-in."))


@pages.post("/people/<user_id>/sign-out")
@pages.requires("user.write")
def sign_person_out(user_id: str) -> Response:
    """End every session of a person."""
    user = service.get_user(session(), user_id)
    service.end_sessions(session(), current_actor(), user.id)
    return redirect_to(f"{PEOPLE}{user.id}", _("Signed out everywhere."))


@pages.post("/people/<user_id>/tokens/<token_id>/end")
@pages.requires("token.write")
def end_persons_token(user_id: str, token_id: str) -> Response:
    """End one session or token of a person."""
    token = service.find_token(session(), token_id)
    if token is None or token.user_id != user_id:
        raise NotFound(f"This person has no token {token_id[:64]!r}.")
    service.revoke_token(session(), current_actor(), token.id)
    return redirect_to(f"{PEOPLE}{user_id}", _("It is ended."))


# -- The audit trail -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filters:
    """What the audit trail is narrowed to, as it was asked."""

    person: str = ""
    action: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""

    def query(self) -> dict[str, Any]:
        """As `list_audit` takes it; days are those of the reader's zone, both inclusive."""
        since, until = _midnight(self.since), _midnight(self.until, after=True)
        return {
            "actor": self.person or None,
            "action": self.action or None,
            "subject": self.subject or None,
            "since": since,
            "until": until,
        }

    def arguments(self) -> dict[str, str]:
        """As an address carries them."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in named.items() if value}


@pages.get("/audit/")
@pages.requires("audit.read")
def audit() -> Response:
    """Who changed what, and when."""
    filters = _filters(request.args)
    before = request.args.get("before", "")
    rows = list_audit(
        session(),
        **filters.query(),
        before=int(before) if before.isdecimal() and len(before) < 16 else None,
        limit=AUDIT_PAGE + 1,
    )
    shown = rows[:AUDIT_PAGE]
    names = _names_of(shown)
    people = service.list_users(session(), limit=500)
    return render(
        "people/audit.html",
        records=[
            {
                "row": row,
                "said": sentence(row, names),
                "href": subject_href(row),
                "label": action_label(row.action),
                "details": details_of(row),
            }
            for row in shown
        ],
        filters=filters,
        arguments=filters.arguments(),
        people=[(row.name, row.display_name or row.name) for row in people],
        actions=known_actions(),
        before=shown[-1].id if len(rows) > AUDIT_PAGE else None,
        first=not before,
    )


@pages.get("/audit/export.<kind>")
@pages.requires("audit.read")
def export_audit(kind: str) -> Response:
    """The records that the filters leave, as a file."""
    filters = _filters(request.args)
    if kind not in ("csv", "jsonl"):
        raise NotFound("The audit trail comes as csv or jsonl.")
    rows = _every_record(filters)
    lines = csv_lines(rows) if kind == "csv" else json_lines(rows)
    mimetype = "text/csv" if kind == "csv" else "application/jsonl"
    response = Response(stream_with_context(lines), mimetype=mimetype)
    name = f"audit-{utc_now():%Y-%m-%d}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _every_record(filters: Filters) -> Iterator[AuditRecord]:
    before = None
    while True:
        # A transaction a step: a long download must not hold the database still.
        with read_session(engine()) as reading:
            rows = list_audit(reading, **filters.query(), before=before, limit=EXPORT_STEP)
        yield from rows
        if len(rows) < EXPORT_STEP:
            return
        before = rows[-1].id


# -- Parts -----------------------------------------------------------------------------------


def _set_active(user_id: str, *, active: bool) -> Response:
    user = service.get_user(session(), user_id)
    try:
        with session().begin_nested():
            service.change_user(session(), current_actor(), user.id, {"active": active})
    except LastAdmin:
        return redirect_to(f"{PEOPLE}{user_id}", _last_admin_words(), "bad")
    said = (
        _("This person can sign in again.")
        if active
        else _("This person is signed out everywhere and cannot sign in any more.")
    )
    return redirect_to(f"{PEOPLE}{user_id}", said, "good" if active else "info")


def _new_page(
    status: int = 200,
    *,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    grants: list[Grant] | None = None,
) -> Response:
    return render(
        "people/new.html",
        status,
        values=values or {"name": "", "display_name": "", "email": ""},
        errors=errors or {},
        **_grants_form(grants or []),
    )


def _person_page(
    person: User,
    status: int = 200,
    *,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    grants: list[Grant] | None = None,
    **more: Any,
) -> Response:
    now = utc_now()
    tokens = service.open_tokens(session(), person.id, now)
    open_links = links.open_links(session(), person.id, now)
    provider = oidc.provider_of(current_settings())
    stored = [Grant(row.role, tuple(row.scopes), tuple(row.types)) for row in person.grants]
    answer = render(
        "people/person.html",
        status,
        person=person,
        values=values or {"display_name": person.display_name, "email": person.email or ""},
        errors=errors or {},
        said_grants=[
            (role_words(grant.role), where_words(grant.scopes, grant.types, content_types()))
            for grant in stored
        ],
        sessions_open=[row for row in tokens if row.kind == "session"],
        tokens_open=[row for row in tokens if row.kind == "api"],
        open_link=next((row for row in open_links if row.purpose != "openid"), None),
        openid_open=next((row for row in open_links if row.purpose == "openid"), None),
        recent=_recent(person),
        openid_name=provider.name if provider else "",
        identities=provider is not None and oidc.is_tied(session(), person.id, provider.issuer),
        myself=person.id == current_actor().id,
        **_grants_form(stored if grants is None else grants),
        **more,
    )
    if "new_address" in more:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _grants_form(grants: list[Grant]) -> dict[str, Any]:
    types = [(kind.id, label_of(kind.label, kind.id)) for kind in content_types()]
    return {
        "grant_rows": [*grants, None],
        "roles_known": all_roles(),
        "scope_choices": [*content_languages(), SHARED],
        "type_choices": sorted(types, key=lambda pair: pair[1]),
        "ALL": ALL,
        "SHARED": SHARED,
    }


def _recent(person: User) -> list[Any]:
    rows = list_audit(session(), actor=person.id, limit=5)
    names = _names_of(rows)
    return [(row.at, sentence(row, names)) for row in rows]


def _role_names(people: list[User]) -> dict[str, list[str]]:
    names = {words.id: words.name for words in all_roles()}
    return {
        row.id: list(dict.fromkeys(names.get(grant.role, grant.role) for grant in row.grants))
        for row in people
    }


def _names_of(rows: list[AuditRecord]) -> Names:
    people = {row.actor_id for row in rows if row.actor_kind == "user"}
    people |= {row.subject_id for row in rows if row.subject_type == "user"}
    entries = {row.subject_id for row in rows if row.subject_type in ("entry", "asset")}
    named = session().execute(
        select(User.id, User.display_name, User.name).where(User.id.in_(people))
    )
    titled = session().execute(
        select(Entry.id, Entry.type, Revision.body)
        .join(Revision, (Entry.id == Revision.entry_id) & (Entry.head_rev == Revision.rev))
        .where(Entry.id.in_(entries))
    )
    devices, venues, groups = (
        session().execute(
            select(model.id, model.name).where(
                model.id.in_({row.subject_id for row in rows if row.subject_type == kind})
            )
        )
        for kind, model in (("device", Device), ("venue", Venue), ("group", DeviceGroup))
    )
    return Names(
        {user_id: shown or name for user_id, shown, name in named},
        {
            entry_id: label_of(entry_title(content_types(), kind, body), entry_id)
            for entry_id, kind, body in titled
        },
        {row.id: row.name for row in devices},
        {row.id: row.name for row in venues},
        {row.id: row.name for row in groups},
    )


def _refused_words(error: Refused) -> dict[str, str]:
    if any(found.get("code") == "grant" for found in error.errors):
        return {
            "grants": _(
                "Choose at least one language and one type for each role, or all of them. "
                "A translator cannot have what all languages share."
            )
        }
    return {"name": _("Use small letters without accents, digits, and . _ - between them.")}


def _last_admin_words() -> str:
    return _("This is the last administrator: make somebody else an administrator first.")


def _address(secret: str) -> str:
    base = current_settings().public_url or request.host_url.rstrip("/")
    return f"{base}/studio/link/{secret}"


def _filters(values: MultiDict[str, str]) -> Filters:
    given = {name: values.get(name, "").strip()[:240] for name in Filters.__slots__}
    return Filters(
        **{
            name: "" if name in ("since", "until") and not _day(text) else text
            for name, text in given.items()
        }
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(text: str, *, after: bool = False) -> datetime | None:
    day = _day(text)
    if day is None or not 1900 < day.year < 9000:
        return None
    if after:
        day += timedelta(days=1)
    return datetime.combine(day, time(), reader_zone()).astimezone(UTC)
