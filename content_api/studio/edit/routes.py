"""Pages on which an entry is written, and what their scripts ask.

/studio/entries/new                      a new entry: its type and its title
/studio/entries/<id>/                    the form
/studio/entries/<id>/save                operations -> one revision, or what to decide on
/studio/entries/<id>/working-copy        unsaved work, kept every few seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise, current_actor
from content_api.accounts.models import User
from content_api.accounts.rules import Actor, allowed_scopes, allows
from content_api.api import WireSchema
from content_api.content import presence, service, working_copies
from content_api.content.claims import made_from_older, sources
from content_api.content.copies import duplicate_entry
from content_api.content.document import (
    SHARED,
    Flat,
    flatten,
    operations_between,
    unflatten,
)
from content_api.content.listing import entry_title
from content_api.content.models import Entry, Revision
from content_api.content.schemas import OperationSchema, SaveSchema, WorkingCopyChangeSchema
from content_api.content.types import content_types
from content_api.database import session
from content_api.media.service import ASSET_TYPE
from content_api.messages import gettext as _
from content_api.problems import Conflict, Refused, problem
from content_api.studio import formats
from content_api.studio.edit.form import Column, build_form, choose_columns
from content_api.studio.edit.merging import Together, lay_over, reconcile
from content_api.studio.edit.unsaved import pairs, with_unsaved
from content_api.studio.edit.wording import Wording, ids_named
from content_api.studio.formats import content_languages, label_of
from content_api.studio.pages import Pages, explain, json_body, redirect_to, render
from content_api.studio.sessions import COOKIE_PATH
from content_api.studio.widgets import choices

pages = Pages("edit", __name__, url_prefix="/studio/entries")

COLUMNS_COOKIE = "lampisterie_columns"
COLUMNS_AGE = 365 * 24 * 3600

MOST_USES = 50
"""Places shown that use an entry; beyond them a number says how many more."""


class PlaceSchema(WireSchema):
    """Where on the page somebody is."""

    place = fields.String(load_default="", validate=validate.Length(max=200))


class RescueSchema(WireSchema):
    """What was typed in an entry that is gone."""

    type = fields.String(required=True, validate=validate.Length(min=1, max=40))
    operations = fields.List(
        fields.Nested(OperationSchema), required=True, validate=validate.Length(max=1000)
    )


# -- A new entry -----------------------------------------------------------------------------


@pages.get("/new")
@pages.requires("entry.write")
def new_page() -> ResponseReturnValue:
    """Choose a type, say the title; everything after that is kept as it is typed."""
    return _new_page(request.args.get("type", ""))


@pages.post("/new")
@pages.requires("entry.write")
def new_send() -> ResponseReturnValue:
    """Make the entry and go on to write it."""
    type_id, title = request.form.get("type", ""), request.form.get("title", "")
    language = request.form.get("language", "")
    kind = content_types().find_type(type_id)
    if kind is None or type_id == ASSET_TYPE:
        return _new_page("", title, language, type_error=_("Choose what you want to write."))
    declared = kind.title_field
    operations = []
    if declared is not None:
        if not title.strip():
            wanted = _("Give it a title; you can change it at any time.")
            return _new_page(type_id, title, language, title_error=wanted)
        scope = language if declared.localized else SHARED
        operations = [{"op": "set", "path": declared.id, "scope": scope, "value": title}]
    try:
        revision = service.create_entry(session(), current_actor(), type_id, operations)
    except Refused as error:
        return _new_page(type_id, title, language, title_error=error.message)
    response = redirect_to(f"/studio/entries/{revision.entry_id}/")
    if operations and operations[0]["scope"] != SHARED:
        _remember_columns(response, [language])
    return response


def _new_page(
    type_id: str,
    title: str = "",
    language: str = "",
    *,
    type_error: str = "",
    title_error: str = "",
) -> Response:
    actor = current_actor()
    tags = sources(session())
    kinds = [
        kind
        for kind in content_types()
        if kind.id != ASSET_TYPE and _scopes_for(actor, kind.id, tags)
    ]
    writable = sorted(
        set().union(*(_scopes_for(actor, kind.id, tags) for kind in kinds)) - {SHARED},
        key=list(tags).index,
    )
    chosen = language or next(iter(choose_columns(_remembered(), tags, writable)), "")
    return render(
        "edit/new.html",
        422 if type_error or title_error else 200,
        kinds=kinds,
        type_id=type_id,
        title=title,
        writable=writable,
        language=chosen if chosen in writable else next(iter(writable), ""),
        type_error=type_error,
        title_error=title_error,
    )


# -- The form --------------------------------------------------------------------------------


@pages.get("/<entry_id>/")
@pages.requires("entry.read")
def edit_page(entry_id: str) -> ResponseReturnValue:
    """An entry's form, with one's own unsaved work laid over it."""
    actor = current_actor()
    entry = service.get_entry(session(), actor, entry_id)
    if entry.type == ASSET_TYPE:
        return redirect_to(f"/studio/media/{entry.id}/")
    kind = service.type_of(content_types(), entry)
    wording = Wording(content_types(), kind)
    head = service.get_revision(session(), entry_id, entry.head_rev)
    tags = sources(session())
    writable = _scopes_for(actor, entry.type, tags)
    asked = request.args.get("languages", "").split(",")
    shown = choose_columns([*asked, *([] if any(asked) else _remembered())], tags, writable)
    base, mine, rev, kept = with_unsaved(actor, entry, head, wording)
    originals = {source for source in tags.values() if source}
    columns = [
        Column(
            tag,
            tuple(content_languages()[tag].fallback),
            tag in writable,
            tag in originals,
        )
        for tag in shown
    ]
    form = build_form(content_types(), kind, mine, columns, writable)
    choices.preload(session(), actor, ids_named(content_types(), kind, [mine]))
    title = entry_title(content_types(), entry.type, head.body)
    response = render(
        "edit/page.html",
        entry=entry,
        kind=kind,
        form=form,
        title=_best(title) or _("Untitled"),
        base=pairs(base),
        mine=pairs(mine),
        rev=rev,
        stories=wording.stories,
        kept=kept,
        saved_by=_names(session(), [head.author]).get(head.author, head.author),
        saved_at=head.created_at,
        scopes=sorted(writable),
        tags=tags,
        others=[tag for tag in tags if tag not in shown],
        may_delete=allows(actor, "entry.delete", entry_type=entry.type, scopes=(SHARED,)),
        zone=formats.reader_zone().key,
    )
    if any(asked):
        _remember_columns(response, shown)
    return response


# -- What the page's script asks -------------------------------------------------------------


@pages.put("/<entry_id>/working-copy")
@pages.requires("entry.write")
def keep(entry_id: str) -> ResponseReturnValue:
    """Keep unsaved work."""
    given = json_body(WorkingCopyChangeSchema)
    row = working_copies.put_working_copy(
        session(), current_actor(), entry_id, given["base_rev"], given["operations"]
    )
    return jsonify(kept_at=row.updated_at.isoformat())


@pages.delete("/<entry_id>/working-copy")
@pages.requires("entry.write")
def discard(entry_id: str) -> ResponseReturnValue:
    """Forget unsaved work; there may be none."""
    service.get_entry(session(), current_actor(), entry_id)
    copy = working_copies.find_working_copy(session(), current_actor(), entry_id)
    if copy is not None:
        session().delete(copy)
    return "", 204


@pages.post("/<entry_id>/save")
@pages.requires("entry.write")
def save(entry_id: str) -> ResponseReturnValue:
    """One revision of what changed; where somebody else changed the same, what to decide on."""
    given = json_body(SaveSchema)
    actor = current_actor()
    if "expected_rev" not in given:
        raise Refused("expected_rev: expected the revision the changes were made on.")
    entry = service.lock_entry(session(), entry_id)
    started_on, head_before = given["expected_rev"], entry.head_rev
    try:
        revision = service.save_entry(
            session(),
            actor,
            entry_id,
            started_on,
            given["operations"],
            message=given.get("message"),
            minor=given["minor"],
        )
    except service.EditConflict as conflict:
        answer = _put_together(actor, entry, conflict, given)
        if isinstance(answer, Response):
            return answer
        revision = answer
    copy = working_copies.find_working_copy(session(), actor, entry_id)
    if copy is not None:
        session().delete(copy)
    names = _authors_since(entry_id, started_on, head_before, actor)
    kind = service.type_of(content_types(), entry)
    title = entry_title(content_types(), kind.id, revision.body)
    return jsonify(
        rev=revision.rev,
        document=pairs(flatten(revision.body)),
        title=_best(title) or _("Untitled"),
        merged_with=names,
        unchanged=revision.rev == head_before,
    )


def _put_together(
    actor: Actor, entry: Entry, conflict: service.EditConflict, given: Mapping[str, Any]
) -> Revision | Response:
    kind = service.type_of(content_types(), entry)
    wording = Wording(content_types(), kind)
    before = service.get_revision(session(), entry.id, given["expected_rev"])
    head = service.get_revision(session(), entry.id, entry.head_rev)
    base, theirs = flatten(before.body), flatten(head.body)
    mine = lay_over(base, given["operations"], wording.stories)
    together = reconcile(base, mine, theirs, wording.stories)
    if not together.decisions:
        return service.save_entry(
            session(),
            actor,
            entry.id,
            head.rev,
            operations_between(head.body, unflatten(together.flat), kind),
            message=given.get("message"),
            minor=given["minor"],
            made_from=made_from_older(
                session(), content_types(), kind, before, mine, together.flat
            ),
        )
    choices.preload(session(), actor, ids_named(content_types(), kind, [base, mine, theirs]))
    details = _to_decide(entry, head, wording, together, base, mine, theirs)
    return problem(409, conflict.code, explain(conflict), details=details)


def _to_decide(
    entry: Entry,
    head: Revision,
    wording: Wording,
    together: Together,
    base: Flat,
    mine: Flat,
    theirs: Flat,
) -> dict[str, Any]:
    touched = {(path, scope) for path, scope in head.touched}
    who = _last_authors(entry.id, [made.path for made in together.decisions])
    names = _names(session(), [author for author, _at in who.values()] + [head.author])
    decisions = []
    for made in together.decisions:
        author, at = who.get(made.path, (head.author, head.created_at))
        decisions.append(
            {
                **wording.decision(made, base, mine, theirs),
                "by": names.get(author, author),
                "at": formats.format_datetime(at),
            }
        )
    return {
        "head_rev": head.rev,
        "theirs": pairs(theirs),
        "merged": pairs(together.flat),
        "orders": dict(together.orders),
        "decisions": decisions,
        "touched": len(touched),
    }


@pages.post("/<entry_id>/differences")
@pages.requires("entry.read")
def differences(entry_id: str) -> ResponseReturnValue:
    """What unsaved work changes, in words."""
    given = json_body(WorkingCopyChangeSchema)
    actor = current_actor()
    entry = service.get_entry(session(), actor, entry_id)
    kind = service.type_of(content_types(), entry)
    wording = Wording(content_types(), kind)
    before = flatten(service.get_revision(session(), entry_id, given["base_rev"]).body)
    after = lay_over(before, given["operations"], wording.stories)
    choices.preload(session(), actor, ids_named(content_types(), kind, [before, after]))
    return jsonify(items=wording.changes(before, after))


@pages.post("/<entry_id>/presence")
@pages.requires("entry.read")
def who_is_here(entry_id: str) -> ResponseReturnValue:
    """Say where one is; who else is here, and whether somebody saved."""
    given = json_body(PlaceSchema)
    actor = current_actor()
    found = presence.note_presence(session(), actor, entry_id, given["place"])
    entry = service.get_entry(session(), actor, entry_id)
    head = service.get_revision(session(), entry_id, entry.head_rev)
    kind = service.type_of(content_types(), entry)
    wording = Wording(content_types(), kind)
    flats = (flatten(head.body),)
    author = _names(session(), [head.author]).get(head.author, head.author)
    people = []
    for visitor in found:
        path, at, scope = visitor.place.rpartition("@")
        where = f"{wording.place(path, flats)} ({wording.scope(scope)})" if at and path else ""
        people.append({"name": visitor.name, "where": where})
    return jsonify(people=people, rev=head.rev, saved_by=author, mine=head.author == actor.id)


@pages.delete("/<entry_id>/presence")
@pages.requires("entry.read")
def gone(entry_id: str) -> ResponseReturnValue:
    """Say that one has left."""
    presence.leave(session(), current_actor(), entry_id)
    return "", 204


@pages.post("/rescue")
@pages.requires("entry.write")
def rescue() -> ResponseReturnValue:
    """A new entry from what was typed in one that is gone."""
    given = json_body(RescueSchema)
    revision = service.create_entry(session(), current_actor(), given["type"], given["operations"])
    return jsonify(id=revision.entry_id, url=f"/studio/entries/{revision.entry_id}/")


@pages.post("/<entry_id>/ask-review")
@pages.requires("entry.write")
def ask_review(entry_id: str) -> ResponseReturnValue:
    """Ask a reviewer to look at languages of an entry."""
    from content_api.content.reviews import request_review

    scopes = request.form.getlist("scope")
    if not scopes:
        return redirect_to(
            f"/studio/entries/{entry_id}/", _("Choose at least one language to review."), "warn"
        )
    request_review(
        session(), current_actor(), entry_id, scopes, request.form.get("note", "")[:1000]
    )
    return redirect_to(f"/studio/entries/{entry_id}/", _("A reviewer will find it on their desk."))


@pages.post("/<entry_id>/duplicate")
@pages.requires("entry.write")
def duplicate(entry_id: str) -> ResponseReturnValue:
    """A second entry that says the same, in every language."""
    revision, left_out = duplicate_entry(session(), current_actor(), entry_id)
    message = _("This is the copy. The first entry is unchanged.")
    if left_out:
        names = ", ".join(formats.language_name(tag) for tag in left_out)
        message = _(
            "This is the copy, without %(languages)s, which your roles do not include.",
            languages=names,
        )
    return redirect_to(f"/studio/entries/{revision.entry_id}/", message)


@pages.get("/<entry_id>/delete")
@pages.requires("entry.delete")
def delete_page(entry_id: str) -> ResponseReturnValue:
    """What uses an entry, before it is deleted."""
    return _delete_page(entry_id)


@pages.post("/<entry_id>/delete")
@pages.requires("entry.delete")
def delete_send(entry_id: str) -> ResponseReturnValue:
    """Delete an entry that nothing uses."""
    try:
        service.delete_entry(session(), current_actor(), entry_id)
    except Conflict:
        return _delete_page(entry_id, 409)
    return redirect_to("/studio/entries/", _("The entry was deleted."))


def _delete_page(entry_id: str, status: int = 200) -> Response:
    actor = current_actor()
    entry = service.get_entry(session(), actor, entry_id)
    authorise(actor, "entry.delete", entry_type=entry.type)
    head = service.get_revision(session(), entry_id, entry.head_rev)
    uses = [use for use in service.where_used(session(), entry_id) if use.id != entry_id]
    shown = list({(use.kind, use.id): use for use in uses}.values())
    choices.preload(session(), actor, [use.id for use in shown[:MOST_USES]])
    return render(
        "edit/delete.html",
        status,
        entry=entry,
        kind=content_types().find_type(entry.type),
        title=_best(entry_title(content_types(), entry.type, head.body)) or _("Untitled"),
        uses=shown[:MOST_USES],
        named=dict(choices.preloaded(use.id for use in shown[:MOST_USES])),
        more=max(0, len(shown) - MOST_USES),
    )


# -- Shared ----------------------------------------------------------------------------------


def _scopes_for(actor: Actor, type_id: str, tags: Mapping[str, str | None]) -> frozenset[str]:
    return allowed_scopes(actor, "entry.write", [SHARED, *tags], entry_type=type_id)


def _remembered() -> list[str]:
    return request.cookies.get(COLUMNS_COOKIE, "").split(",")


def _remember_columns(response: Response, tags: list[str]) -> None:
    response.set_cookie(
        COLUMNS_COOKIE,
        ",".join(tags),
        max_age=COLUMNS_AGE,
        path=COOKIE_PATH,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def _best(titles: Mapping[str, str]) -> str:
    return label_of(titles)


def _names(db: Session, ids: list[str]) -> dict[str, str]:
    """People by the id that revisions hold."""
    rows = db.execute(
        select(User.id, User.display_name, User.name).where(User.id.in_(sorted(set(ids))))
    )
    return {user_id: shown or name for user_id, shown, name in rows}


def _authors_since(entry_id: str, rev: int, head_rev: int, actor: Actor) -> list[str]:
    if rev >= head_rev:
        return []
    authors = session().scalars(
        select(Revision.author)
        .where(Revision.entry_id == entry_id, Revision.rev > rev, Revision.rev <= head_rev)
        .distinct()
    )
    ids = [author for author in authors if author != actor.id]
    names = _names(session(), ids)
    return sorted(names.get(author, author) for author in ids)


def _last_authors(entry_id: str, paths: list[str]) -> dict[str, tuple[str, Any]]:
    """Who touched each path last, of the newest revisions."""
    rows = session().execute(
        select(Revision.author, Revision.created_at, Revision.touched)
        .where(Revision.entry_id == entry_id)
        .order_by(Revision.rev.desc())
        .limit(50)
    )
    found: dict[str, tuple[str, Any]] = {}
    for author, at, touched in rows:
        changed = {path for path, _scope in touched}
        for path in paths:
            if path not in found and any(
                one == path or one.startswith(f"{path}.") for one in changed
            ):
                found[path] = (author, at)
    return found
