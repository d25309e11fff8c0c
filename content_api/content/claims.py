"""The ledger of translation claims, and the status read from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.document import Flat, Pair, flatten
from content_api.content.index import text_values
from content_api.content.models import CLAIM_STATES, Claim, Entry, Revision, Unit
from content_api.content.translation import EMPTY, Segment, StatusReader, difference, text_hash
from content_api.content.types import ContentType, ContentTypes, content_types
from content_api.languages.models import Language
from content_api.problems import NotFound, PreconditionFailed, Refused


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a saved text was made from, where that is not the source that stands beside it."""

    source_scope: str
    source_sha256: str
    source_rev: int
    state: str = "translated"


@dataclass(frozen=True, slots=True)
class TextStatus:
    """One text of an entry in one language, beside the text it is translated from."""

    path: str
    language: str
    status: str
    value: str | None
    source_language: str
    source: str | None
    by: str | None
    changes: tuple[Segment, ...]
    """What changed in the source since; empty unless outdated."""


def sources(session: Session) -> dict[str, str | None]:
    """For each language, in order, the one it is translated from."""
    rows = session.execute(
        select(Language.tag, Language.source).order_by(Language.position, Language.tag)
    )
    return dict(rows.all())


def status_readers(session: Session, ids: Iterable[str]) -> dict[str, StatusReader]:
    """A status reader for each entry of `ids`, in three queries whatever their number."""
    wanted = list(ids)
    units: dict[str, dict[Pair, str]] = {entry_id: {} for entry_id in wanted}
    ledger: dict[str, list[Claim]] = defaultdict(list)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        rows = session.execute(
            select(Unit.entry_id, Unit.path, Unit.scope, Unit.value_sha256).where(
                Unit.entry_id.in_(part)
            )
        )
        for entry_id, path, scope, sha256 in rows:
            units[entry_id][path, scope] = sha256
        claims = session.scalars(select(Claim).where(Claim.entry_id.in_(part)).order_by(Claim.id))
        for claim in claims:
            ledger[claim.entry_id].append(claim)
    from_languages = sources(session)
    return {
        entry_id: StatusReader(units[entry_id], ledger[entry_id], from_languages)
        for entry_id in wanted
    }


def translation_status(
    session: Session,
    entry_id: str,
    languages: Iterable[str] | None = None,
    *,
    types: ContentTypes | None = None,
) -> dict[str, list[TextStatus]]:
    """The status of every text of an entry in each language that is translated into.

    Raises:
        NotFound: no such entry.
    """
    entry, revision = _head(session, entry_id)
    kind = (types or content_types()).find_type(entry.type)
    if kind is None:
        return {}
    texts = text_values(types or content_types(), kind, flatten(revision.body))
    reader = status_readers(session, [entry_id])[entry_id]
    wanted = [tag for tag, source in reader.sources.items() if source is not None]
    if languages is not None:
        wanted = [tag for tag in wanted if tag in set(languages)]
    bodies = _source_bodies(session, reader, entry_id, wanted)
    return {
        tag: [
            _text_status(reader, texts, bodies, path, tag, status)
            for path, status in reader.statuses(tag).items()
        ]
        for tag in wanted
    }


def make_claim(
    session: Session,
    actor: Actor,
    entry_id: str,
    path: str,
    language: str,
    state: str,
    *,
    source: str | None = None,
    note: str | None = None,
    seen_rev: int | None = None,
    four_eyes: bool = False,
    types: ContentTypes | None = None,
) -> Claim:
    """Say that the text at `path` translates the source text as both stand now.

    `reviewed` needs the right to approve the language, the other states to write it.
    `seen_rev` is the revision whose texts the actor read, where that may not be the newest.

    Raises:
        NotFound: no such entry, or no text there.
        Refused: an original language, or a source without a text.
        PreconditionFailed: one of the two texts was changed after `seen_rev`.
        Forbidden: the actor may not.
        FourEyes: with `four_eyes`, the actor wrote the text that they call reviewed.
    """
    types = types or content_types()
    from content_api.content.approvals import FourEyes, own_texts
    from content_api.content.service import lock_entry
    from content_api.content.statuses import update_statuses

    entry = lock_entry(session, entry_id)
    if state not in CLAIM_STATES:
        raise Refused(f"state: expected one of {', '.join(CLAIM_STATES)}, got {state[:40]!r}.")
    action = "entry.approve" if state == "reviewed" else "entry.write"
    authorise(actor, action, entry_type=entry.type, scopes=(language,))
    source = source or sources(session).get(language)
    if source is None or source == language:
        raise Refused(
            f"language: expected a language that is translated into, got {language!r:.40}."
        )
    units = _units(session, entry_id, path)
    if language not in units:
        raise NotFound(f"{entry_id} has no text at {path[:80]!r} in {language[:40]}.")
    if units.get(source, EMPTY) == EMPTY:
        raise Refused(f"source: {entry_id} has no text at {path} in {source[:40]}.")
    if seen_rev is not None:
        _check_seen(session, entry, seen_rev, {(path, language), (path, source)})
    is_own = (
        four_eyes
        and state == "reviewed"
        and (path, language) in own_texts(session, actor, entry_id, entry.head_rev)
    )
    if is_own:
        raise FourEyes(
            f"You wrote the text at {path} in {language} yourself: somebody else has to review it."
        )
    claim = Claim(
        entry_id=entry_id,
        path=path,
        scope=language,
        value_sha256=units[language],
        source_scope=source,
        source_sha256=units[source],
        source_rev=entry.head_rev,
        state=state,
        note=note,
        by=actor.id,
    )
    session.add(claim)
    session.flush()
    update_statuses(session, [entry_id])
    record(
        session,
        actor,
        "translation.claim",
        f"entry/{entry_id}",
        revision=entry.head_rev,
        details={"path": path, "language": language, "state": state, "source": source},
    )
    return claim


def _check_seen(session: Session, entry: Entry, seen_rev: int, wanted: set[Pair]) -> None:
    later = session.scalars(
        select(Revision.touched).where(Revision.entry_id == entry.id, Revision.rev > seen_rev)
    )
    if any((path, scope) in wanted for touched in later for path, scope in touched):
        raise PreconditionFailed(
            f"The text or its source was changed after version {seen_rev}: read it again first.",
            details={"head_rev": entry.head_rev},
        )


def claim_saved(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    kind: ContentType,
    revision: Revision,
    made_from: Mapping[Pair, MadeFrom] | None = None,
) -> None:
    """Claim each translation that a revision changed as made from the source beside it.

    `made_from` says otherwise for the pairs it has. Where the ledger already tells of this
    pair of texts, it is left to tell: a restored review stays a review.
    """
    texts = text_values(types, kind, flatten(revision.body))
    from_languages = sources(session)
    changed = {(path, scope) for path, scope in revision.touched}
    wanted: list[Claim] = []
    for path, scope in sorted(changed & texts.keys()):
        source_scope = from_languages.get(scope)
        source = texts.get((path, source_scope)) if source_scope else None
        value = texts[path, scope]
        origin = (made_from or {}).get((path, scope))
        if origin is None and source_scope is not None and source is not None:
            origin = MadeFrom(source_scope, text_hash(source), revision.rev)
        if origin is None or value is None:
            continue
        wanted.append(
            Claim(
                entry_id=revision.entry_id,
                path=path,
                scope=scope,
                value_sha256=text_hash(value),
                source_scope=origin.source_scope,
                source_sha256=origin.source_sha256,
                source_rev=origin.source_rev,
                state=origin.state,
                by=actor.id,
            )
        )
    _add_new(session, revision.entry_id, wanted)


def made_from_older(
    session: Session,
    types: ContentTypes,
    kind: ContentType,
    base: Revision,
    mine: Flat,
    after: Flat,
) -> dict[Pair, MadeFrom]:
    """What translations written on `base` were made from, where the source has changed since.

    `mine` is what the translator made of `base`, `after` what is saved of it.
    """
    old, written, saved = (
        text_values(types, kind, flat) for flat in (flatten(base.body), mine, after)
    )
    from_languages = sources(session)
    found = {}
    for path, scope in written.keys() & saved.keys():
        source = from_languages.get(scope)
        if source is None or written[path, scope] == old.get((path, scope), ...):
            continue
        seen = written.get((path, source))
        if seen != saved.get((path, source)):
            found[path, scope] = MadeFrom(source, text_hash(seen), base.rev)
    return found


def carry_claims(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    kind: ContentType,
    entry_id: str,
    before: Revision,
    after: Revision,
    paths: frozenset[str],
) -> None:
    """A minor edit of a source: what was current for the old text is current for the new one."""
    old = text_values(types, kind, flatten(before.body))
    new = text_values(types, kind, flatten(after.body))
    units = {pair: text_hash(value) for pair, value in old.items()}
    claims = session.scalars(select(Claim).where(Claim.entry_id == entry_id).order_by(Claim.id))
    reader = StatusReader(units, claims, sources(session))
    edited = {(path, scope) for path, scope in after.touched if path in paths}
    wanted: list[Claim] = []
    for path, scope in sorted(new):
        claim = reader.valid_claim(path, scope)
        if claim is None or (path, claim.source_scope) not in edited or (path, scope) in edited:
            continue
        source = new.get((path, claim.source_scope))
        if source is None:
            continue
        wanted.append(
            Claim(
                entry_id=entry_id,
                path=path,
                scope=scope,
                value_sha256=claim.value_sha256,
                source_scope=claim.source_scope,
                source_sha256=text_hash(source),
                source_rev=after.rev,
                state=claim.state,
                carried=True,
                by=actor.id,
            )
        )
    _add_new(session, entry_id, wanted)


def claim_rows(session: Session, entry_id: str, limit: int = 200) -> list[Claim]:
    """The newest claims of an entry, newest first."""
    query = select(Claim).where(Claim.entry_id == entry_id).order_by(Claim.id.desc())
    return list(session.scalars(query.limit(limit)))


def _add_new(session: Session, entry_id: str, wanted: list[Claim]) -> None:
    if not wanted:
        return
    rows = session.execute(
        select(
            Claim.path, Claim.scope, Claim.value_sha256, Claim.source_scope, Claim.source_sha256
        ).where(Claim.entry_id == entry_id)
    )
    known = {tuple(row) for row in rows}
    for claim in wanted:
        pair = (
            claim.path,
            claim.scope,
            claim.value_sha256,
            claim.source_scope,
            claim.source_sha256,
        )
        if pair not in known:
            session.add(claim)
    session.flush()


def _head(session: Session, entry_id: str) -> tuple[Entry, Revision]:
    row = session.execute(
        select(Entry, Revision)
        .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
        .where(Entry.id == entry_id)
    ).first()
    if row is None:
        raise NotFound(f"There is no entry {entry_id[:64]!r}.")
    return row[0], row[1]


def _units(session: Session, entry_id: str, path: str) -> dict[str, str]:
    rows = session.execute(
        select(Unit.scope, Unit.value_sha256).where(Unit.entry_id == entry_id, Unit.path == path)
    )
    return dict(rows.all())


def _source_bodies(
    session: Session, reader: StatusReader, entry_id: str, tags: Iterable[str]
) -> Mapping[int, Any]:
    """The documents that outdated translations were made from, by revision."""
    revs = set()
    for tag in tags:
        for path, status in reader.statuses(tag).items():
            claim = reader.last_claim(path, tag)
            if status == "outdated" and isinstance(claim, Claim):
                revs.add(claim.source_rev)
    if not revs:
        return {}
    rows = session.execute(
        select(Revision.rev, Revision.body).where(
            Revision.entry_id == entry_id, Revision.rev.in_(revs)
        )
    )
    return {rev: flatten(body) for rev, body in rows}


def _text_status(
    reader: StatusReader,
    texts: Mapping[Pair, Any],
    bodies: Mapping[int, Mapping[Pair, Any]],
    path: str,
    tag: str,
    status: str,
) -> TextStatus:
    claim = reader.last_claim(path, tag)
    source_language = (claim.source_scope if claim else None) or reader.sources[tag] or tag
    source = texts.get((path, source_language))
    changes: tuple[Segment, ...] = ()
    if status == "outdated" and isinstance(claim, Claim):
        old = bodies.get(claim.source_rev, {}).get((path, source_language))
        if isinstance(old, str) and isinstance(source, str) and old != source:
            changes = tuple(difference(old, source))
    return TextStatus(
        path=path,
        language=tag,
        status=status,
        value=texts.get((path, tag)),
        source_language=source_language,
        source=source,
        by=claim.by if isinstance(claim, Claim) else None,
        changes=changes,
    )
