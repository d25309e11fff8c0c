"""Pages of reviews, comments and history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.models import User
from content_api.accounts.rules import allows
from content_api.content import service
from content_api.content.approvals import FourEyes, approvals, approve_scopes, own_texts, withdraw
from content_api.content.claims import TextStatus, translation_status
from content_api.content.comments import Said, add_comment, list_comments, resolve_comment
from content_api.content.document import SHARED, Body, changed_pairs, flatten
from content_api.content.listing import entry_title
from content_api.content.models import Approval, Entry, ReviewRequest, Revision
from content_api.content.reviews import review_states, send_back
from content_api.content.types import ContentType, content_types
from content_api.database import session
from content_api.languages.service import languages as all_languages
from content_api.messages import gettext as _
from content_api.problems import NotFound
from content_api.settings import current_settings
from content_api.studio.edit.wording import ids_named, shown_value
from content_api.studio.formats import content_languages, label_of
from content_api.studio.pages import Pages, redirect_to, render
from content_api.studio.review.differences import Change, document_changes, labels_of
from content_api.studio.review.faults import Fault, scope_faults
from content_api.studio.widgets.choices import preload

pages = Pages("review", __name__, url_prefix="/studio/entries")

HISTORY_PAGE = 30


@dataclass(frozen=True, slots=True)
class ScopeReview:
    """One language of an entry, or what all share, as a reviewer needs to see it."""

    scope: str
    changes: list[Change]
    approval: Approval | None
    request: ReviewRequest | None
    outdated: list[TextStatus]
    missing: list[TextStatus]
    faults: list[Fault]
    comments: list[Said]
    may_approve: bool
    is_own: bool

    @property
    def is_waiting(self) -> bool:
        """Whether somebody asked for this review."""
        return self.request is not None and self.request.state == "waiting"

    @property
    def is_current(self) -> bool:
        """Whether nothing differs from what is approved."""
        return self.approval is not None and not self.changes


@pages.get("/<entry_id>/review")
@pages.requires("entry.read")
def review_page(entry_id: str) -> Response:
    """What approving each language would let out."""
    return _review_page(entry_id)


def _review_page(entry_id: str, status: int = 200, refusal: str = "") -> Response:
    entry, kind, head = _read(entry_id)
    found = _reviews(entry, kind, head)
    found.sort(key=lambda one: (not one.is_waiting, one.is_current or not one.changes))
    return render(
        "review/review.html",
        status,
        refusal=refusal,
        entry=entry,
        kind=kind,
        head=head,
        names=entry_title(content_types(), entry.type, head.body),
        reviews=found,
        people=_names(
            {request.requested_by for one in found if (request := one.request)}
            | {one.approval.approved_by for one in found if one.approval}
        ),
        four_eyes=current_settings().four_eyes,
        fields=_commentable(kind, head.body),
    )


@pages.post("/<entry_id>/review/approve")
@pages.requires("entry.approve")
def approve_send(entry_id: str) -> Response:
    """Approve languages at the revision that the page showed."""
    here = f"/studio/entries/{entry_id}/review"
    entry, _kind, _head = _read(entry_id)
    scopes = request.form.getlist("scope")
    if not scopes:
        return redirect_to(here, _("Choose at least one language to approve."), "warn")
    shown = request.form.get("rev", "")
    if shown != str(entry.head_rev):
        newer = _(
            "Somebody saved a newer version after this page was shown. "
            "Look at what changed, then approve."
        )
        return _review_page(entry_id, 412, newer)
    if _outdated(entry_id, scopes) and not request.form.get("outdated_ok"):
        unconfirmed = _(
            "Some of these texts were translated from an older source. Tick “approve outdated "
            "texts as they are” if they may be shown all the same."
        )
        return _review_page(entry_id, 409, unconfirmed)
    try:
        approve_scopes(
            session(),
            current_actor(),
            entry_id,
            scopes,
            entry.head_rev,
            four_eyes=current_settings().four_eyes,
        )
    except FourEyes:
        own = _("You wrote some of this yourself, so somebody else has to approve it.")
        return _review_page(entry_id, 422, own)
    return redirect_to(here, _("Approved. It is in the next release of the packages that list it."))


@pages.post("/<entry_id>/review/withdraw")
@pages.requires("entry.approve")
def withdraw_send(entry_id: str) -> Response:
    """Take an approval back."""
    withdraw(session(), current_actor(), entry_id, request.form.get("scope", ""))
    return redirect_to(
        f"/studio/entries/{entry_id}/review",
        _("The approval is withdrawn: the next release leaves this language out."),
        "info",
    )


@pages.post("/<entry_id>/review/send-back")
@pages.requires("entry.approve")
def send_back_send(entry_id: str) -> Response:
    """Send a language back to who wrote it, saying why."""
    reason = request.form.get("reason", "")
    here = f"/studio/entries/{entry_id}/review"
    if not reason.strip():
        return redirect_to(here, _("Say what has to change: the writer will read it."), "warn")
    send_back(session(), current_actor(), entry_id, request.form.get("scope", ""), reason)
    return redirect_to(here, _("Sent back. The writer finds your reason on their desk."), "info")


@pages.post("/<entry_id>/comments")
@pages.requires("entry.read")
def comment_send(entry_id: str) -> Response:
    """Say something about a field."""
    form = request.form
    add_comment(
        session(),
        current_actor(),
        entry_id,
        form.get("path", ""),
        form.get("scope", ""),
        form.get("text", ""),
    )
    return redirect_to(f"/studio/entries/{entry_id}/review#scope-{form.get('scope', '')}")


@pages.post("/<entry_id>/comments/<int:comment_id>/resolve")
@pages.requires("entry.read")
def comment_resolve(entry_id: str, comment_id: int) -> Response:
    """Say that a comment is dealt with."""
    resolve_comment(session(), current_actor(), entry_id, comment_id)
    return redirect_to(f"/studio/entries/{entry_id}/review", _("Comment resolved."))


@pages.get("/<entry_id>/history")
@pages.requires("entry.read")
def history_page(entry_id: str) -> Response:
    """Every version of an entry, newest first."""
    entry, kind, head = _read(entry_id)
    before = request.args.get("before", type=int)
    query = (
        select(Revision)
        .where(Revision.entry_id == entry_id)
        .order_by(Revision.rev.desc())
        .limit(HISTORY_PAGE + 1)
    )
    if before:
        query = query.where(Revision.rev < before)
    rows = list(session().scalars(query))
    more = len(rows) > HISTORY_PAGE
    rows = rows[:HISTORY_PAGE]
    held = approvals(session(), [entry_id])[entry_id]
    approved: dict[int, list[str]] = {}
    for scope, row in held.items():
        approved.setdefault(row.rev, []).append(scope)
    return render(
        "review/history.html",
        entry=entry,
        kind=kind,
        names=entry_title(content_types(), entry.type, head.body),
        rows=[(row, _touched(kind, row)) for row in rows],
        approved=approved,
        people=_names({row.author for row in rows}),
        next_url=f"?before={rows[-1].rev}" if more else None,
    )


@pages.get("/<entry_id>/history/<int:rev>")
@pages.requires("entry.read")
def revision_page(entry_id: str, rev: int) -> Response:
    """What one version changed, or what differs between two."""
    entry, kind, head = _read(entry_id)
    shown = service.get_revision(session(), entry_id, rev)
    other = request.args.get("with", type=int)
    against = other if other is not None else shown.parent_rev
    old = service.get_revision(session(), entry_id, against) if against else None
    _preload(kind, [shown.body, old.body] if old else [shown.body])
    undone = changed_pairs(flatten(head.body), flatten(shown.body))
    return render(
        "review/revision.html",
        entry=entry,
        kind=kind,
        head=head,
        names=entry_title(content_types(), entry.type, head.body),
        shown=shown,
        old=old,
        changes=document_changes(content_types(), kind, old.body if old else None, shown.body),
        people=_names({shown.author}),
        may_restore=bool(undone)
        and allows(
            current_actor(),
            "entry.write",
            entry_type=entry.type,
            scopes={scope for _path, scope in undone},
        ),
    )


@pages.post("/<entry_id>/history/<int:rev>/restore")
@pages.requires("entry.write")
def restore(entry_id: str, rev: int) -> Response:
    """Save an old version's texts again as the newest."""
    message = _("Version %(rev)s restored", rev=rev)
    service.restore_revision(session(), current_actor(), entry_id, rev, message=message)
    return redirect_to(
        f"/studio/entries/{entry_id}/history",
        _("Version %(rev)s is restored as the newest one. Nothing was lost.", rev=rev),
    )


@pages.app_template_global("value_words")
def value_words(change: Change, value: Any) -> str:
    """A value that is no text, in words."""
    return _("empty on purpose") if value is None else shown_value(change.field, value)


def _read(entry_id: str) -> tuple[Entry, ContentType, Revision]:
    entry = service.get_entry(session(), current_actor(), entry_id)
    kind = content_types().find_type(entry.type)
    if kind is None:
        raise NotFound(f"{entry_id} is of a type that this server does not have.")
    return entry, kind, service.get_revision(session(), entry_id, entry.head_rev)


def _reviews(entry: Entry, kind: ContentType, head: Revision) -> list[ScopeReview]:
    actor = current_actor()
    held = approvals(session(), [entry.id])[entry.id]
    rows = session().execute(
        select(Revision.rev, Revision.body).where(
            Revision.entry_id == entry.id, Revision.rev.in_({row.rev for row in held.values()})
        )
    )
    bodies: dict[int, Body] = dict(rows.all())
    _preload(kind, [head.body, *bodies.values()])
    changes = {
        rev: document_changes(content_types(), kind, body, head.body)
        for rev, body in bodies.items()
    }
    nothing = document_changes(content_types(), kind, None, head.body)
    requests = review_states(session(), [entry.id]).get(entry.id, {})
    texts = translation_status(session(), entry.id)
    comments = list_comments(session(), actor, entry.id)
    own = {scope for _path, scope in own_texts(session(), actor, entry.id, head.rev)}
    found = []
    chains = {tag: tuple(row.fallback or ()) for tag, row in content_languages().items()}
    for scope in (SHARED, *chains):
        row = held.get(scope)
        all_changes = changes[row.rev] if row is not None else nothing
        found.append(
            ScopeReview(
                scope=scope,
                changes=[change for change in all_changes if change.scope == scope],
                approval=row,
                request=requests.get(scope),
                outdated=[text for text in texts.get(scope, ()) if text.status == "outdated"],
                missing=[text for text in texts.get(scope, ()) if text.status == "missing"],
                faults=scope_faults(content_types(), kind, head.body, scope, chains.get(scope, ())),
                comments=[said for said in comments if said.comment.scope == scope],
                may_approve=allows(actor, "entry.approve", entry_type=entry.type, scopes=[scope]),
                is_own=scope in own,
            )
        )
    return found


def _preload(kind: ContentType, bodies: Iterable[Body]) -> None:
    """Read the names of all that documents name, in one go."""
    flats = [flatten(body) for body in bodies]
    preload(session(), current_actor(), ids_named(content_types(), kind, flats))


def _outdated(entry_id: str, scopes: list[str]) -> bool:
    known = [scope for scope in scopes if scope in all_languages(session())]
    found = translation_status(session(), entry_id, known)
    return any(text.status == "outdated" for texts in found.values() for text in texts)


def _names(ids: set[str]) -> dict[str, str]:
    rows = session().execute(
        select(User.id, User.display_name, User.name).where(User.id.in_(sorted(ids)))
    )
    return {user_id: shown or name for user_id, shown, name in rows}


def _touched(kind: ContentType, row: Revision) -> list[tuple[str, str]]:
    """Field and language of what a version changed, in words, each once."""
    flat = flatten(row.body)
    found = dict.fromkeys(
        (" – ".join(label_of(part) for part in labels_of(content_types(), kind, flat, path)), scope)
        for path, scope in row.touched
    )
    return list(found)


def _commentable(kind: ContentType, body: Body) -> list[tuple[str, str]]:
    """Paths that can be commented on, with their names."""
    flat = flatten(body)
    paths = dict.fromkeys([field.id for field in kind.fields] + [path for path, _ in flat])
    return [
        (path, " – ".join(label_of(part) for part in labels_of(content_types(), kind, flat, path)))
        for path in paths
    ]
