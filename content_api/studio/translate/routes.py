"""Pages on which an entry is translated, source and target side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request
from marshmallow import fields, validate

from content_api.accounts.access import current_actor
from content_api.accounts.rules import SHARED, allowed_scopes, allows
from content_api.api import WireSchema
from content_api.content import service
from content_api.content.approvals import FourEyes
from content_api.content.claims import make_claim, sources, translation_status
from content_api.content.document import flatten
from content_api.content.listing import entry_title, list_entries
from content_api.content.models import CLAIM_STATES
from content_api.content.reviews import review_states
from content_api.content.translation import Segment, summary
from content_api.content.types import content_types
from content_api.database import session
from content_api.messages import gettext as _
from content_api.problems import NotFound, PreconditionFailed
from content_api.settings import current_settings
from content_api.studio.edit.form import Column, Row, Story, build_form
from content_api.studio.edit.unsaved import pairs, with_unsaved
from content_api.studio.edit.wording import Wording
from content_api.studio.formats import content_languages
from content_api.studio.pages import Pages, json_body, redirect_to, render
from content_api.studio.review.differences import Labels, labels_of
from content_api.studio.translate.glossary import Piece, Term, glossary, mark_terms, terms_in

pages = Pages("translate", __name__, url_prefix="/studio/entries")

NEEDS_WORK = ("missing", "outdated", "machine")


class ClaimBody(WireSchema):
    """What somebody says of a translation."""

    path = fields.String(required=True, validate=validate.Length(1, 200))
    state = fields.String(required=True, validate=validate.OneOf(CLAIM_STATES))
    seen_rev = fields.Integer(strict=True, validate=validate.Range(min=1))


@dataclass(frozen=True, slots=True)
class Unit:
    """One text to translate: the source, marked; the control of its translation; its status."""

    path: str
    labels: Labels
    row: Row
    source: list[Piece]
    terms: list[Term]
    status: str | None
    changes: tuple[Segment, ...]
    changed_in: str
    """The language whose change `changes` tells of."""

    @property
    def needs_work(self) -> bool:
        """Whether a translator has something to do here."""
        return self.status in NEEDS_WORK


@pages.get("/translate/next/<tag>")
@pages.requires("entry.read")
def next_entry(tag: str) -> Response:
    """On to the next entry with texts to translate into a language."""
    _check_target(tag)
    after = request.args.get("after") or None
    found = _next_needing(tag, after)
    if found is not None:
        return redirect_to(f"/studio/entries/{found}/translate/{tag}?only=work")
    return redirect_to(
        f"/studio/entries/?language={tag}",
        _("No further entry needs work in this language."),
    )


@pages.get("/<entry_id>/translate/")
@pages.requires("entry.read")
def choose_target(entry_id: str) -> Response:
    """Go to the language that this person translates into."""
    actor = current_actor()
    entry = service.get_entry(session(), actor, entry_id)
    targets = [tag for tag, source in sources(session()).items() if source is not None]
    if not targets:
        raise NotFound(_("No language of this server is translated from another one."))
    mine = allowed_scopes(actor, "entry.write", targets, entry_type=entry.type)
    chosen = next((tag for tag in targets if tag in mine), targets[0])
    return redirect_to(f"/studio/entries/{entry_id}/translate/{chosen}")


@pages.get("/<entry_id>/translate/<tag>")
@pages.requires("entry.read")
def translate_page(entry_id: str, tag: str) -> Response:
    """Every text of an entry beside its source, with the person's unsaved work laid over it."""
    actor = current_actor()
    entry = service.get_entry(session(), actor, entry_id)
    kind = service.type_of(content_types(), entry)
    from_languages = _check_target(tag)
    source = request.args.get("from")
    if source not in from_languages or source == tag:
        source = from_languages[tag] or ""
    head = service.get_revision(session(), entry_id, entry.head_rev)
    wording = Wording(content_types(), kind)
    base, mine, rev, kept = with_unsaved(actor, entry, head, wording)
    writable = allowed_scopes(
        actor, "entry.write", [SHARED, *from_languages], entry_type=entry.type
    )
    column = Column(tag, tuple(content_languages()[tag].fallback or ()), tag in writable)
    form = build_form(content_types(), kind, mine, [column], writable)
    statuses = {text.path: text for text in translation_status(session(), entry_id, [tag])[tag]}
    terms = glossary(session(), source, tag)
    units = []
    for row in _text_rows(form.items):
        text = mine.get((row.path, source))
        if not text and not (mine.get((row.path, tag))):
            continue
        pieces = mark_terms(text or "", terms)
        status = statuses.get(row.path)
        units.append(
            Unit(
                path=row.path,
                labels=labels_of(content_types(), kind, mine, row.path),
                row=row,
                source=pieces,
                terms=terms_in(pieces),
                status=status.status if status else None,
                changes=status.changes if status else (),
                changed_in=status.source_language if status else source,
            )
        )
    only = request.args.get("only") == "work"
    return render(
        "translate/translate.html",
        entry=entry,
        kind=kind,
        names=entry_title(content_types(), entry.type, head.body),
        units=[unit for unit in units if unit.needs_work or not only],
        only=only,
        counts=summary(unit.status for unit in units if unit.status),
        waiting=sum(unit.needs_work for unit in units),
        tag=tag,
        source=source,
        targets=[name for name, came in from_languages.items() if came is not None],
        all_sources=[name for name in from_languages if name != tag],
        form=form,
        column=column,
        base=pairs(base),
        mine=pairs(mine),
        rev=rev,
        kept=kept,
        stories=wording.stories,
        scopes=sorted(writable),
        review=review_states(session(), [entry_id]).get(entry_id, {}).get(tag),
        may_review=allows(actor, "entry.approve", entry_type=entry.type, scopes=[tag]),
        saved_at=head.created_at,
        may_edit_source=source in writable,
    )


@pages.get("/<entry_id>/translate/<tag>/statuses")
@pages.requires("entry.read")
def statuses(entry_id: str, tag: str) -> Response:
    """The status of each text, as it is now."""
    _check_target(tag)
    return jsonify(_statuses(entry_id, tag))


@pages.post("/<entry_id>/translate/<tag>/claim")
@pages.requires("entry.read")
def claim(entry_id: str, tag: str) -> Response:
    """Say that a translation is right as it stands, or was reviewed."""
    body = json_body(ClaimBody)
    _check_target(tag)
    try:
        make_claim(
            session(),
            current_actor(),
            entry_id,
            body["path"],
            tag,
            body["state"],
            seen_rev=body.get("seen_rev"),
            four_eyes=current_settings().four_eyes,
        )
    except FourEyes as error:
        raise FourEyes(_("You wrote this text: somebody else has to review it.")) from error
    except PreconditionFailed as error:
        raise PreconditionFailed(
            _("The text or its source changed meanwhile. Read it again, then decide.")
        ) from error
    return jsonify(_statuses(entry_id, tag))


def _statuses(entry_id: str, tag: str) -> dict[str, Any]:
    """What the page paints: where each text stands, and what its source says now."""
    entry = service.get_entry(session(), current_actor(), entry_id)
    texts = translation_status(session(), entry_id, [tag])[tag]
    source = request.args.get("from") or sources(session())[tag] or ""
    flat = flatten(service.get_revision(session(), entry_id, entry.head_rev).body)
    return {
        "rev": entry.head_rev,
        "statuses": {text.path: text.status for text in texts},
        "sources": {text.path: flat.get((text.path, source)) or "" for text in texts},
        "changes": {
            text.path: [[part.op, part.text] for part in text.changes]
            for text in texts
            if text.changes
        },
    }


def _next_needing(tag: str, after: str | None) -> str | None:
    """The entry after `after`, by id and around the end, that needs work; None: no other."""
    for start in ((after,), None) if after else (None,):
        found = [
            entry.id
            for status in NEEDS_WORK
            for entry in list_entries(
                session(), current_actor(), language=tag, status=status, after=start, limit=2
            )
        ]
        others = sorted(entry_id for entry_id in found if entry_id != after)
        if others:
            return others[0]
    return None


def _check_target(tag: str) -> dict[str, str | None]:
    found = sources(session())
    if found.get(tag) is None:
        raise NotFound(_("Nothing is translated into this language."))
    return found


def _text_rows(items: tuple[Row | Story, ...]) -> list[Row]:
    """The rows of texts that a translator translates, those of blocks too, in order."""
    found = []
    for item in items:
        rows = [item] if isinstance(item, Row) else [r for block in item.blocks for r in block.rows]
        found += [row for row in rows if row.field.is_translatable]
    return found
