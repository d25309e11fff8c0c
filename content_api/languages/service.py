"""The languages content is written in: names, directions, fallback chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.models import Approval, Unit
from content_api.languages.models import Language
from content_api.packages.models import Package
from content_api.problems import Conflict, NotFound, Refused
from package_format.languages import (
    canonical_tag,
    direction,
    match_language,
    match_languages,
    parse_accept_language,
)


def languages(session: Session) -> dict[str, Language]:
    """Every language by tag, in the editors' order."""
    rows = session.scalars(select(Language).order_by(Language.position, Language.tag))
    return {row.tag: row for row in rows}


def find_language(session: Session, tag: str) -> Language | None:
    """The language `tag`, or None."""
    try:
        return session.get(Language, canonical_tag(tag))
    except ValueError:
        return None


def get_language(session: Session, tag: str) -> Language:
    """The language `tag`.

    Raises:
        NotFound: there is none.
    """
    found = find_language(session, tag)
    if found is None:
        raise NotFound(f"There is no language {tag[:40]!r}.")
    return found


def put_language(
    session: Session, actor: Actor, tag: str, wanted: Mapping[str, Any]
) -> tuple[Language, bool]:
    """Make or change a language; whether it is new. See `put_languages`."""
    created = session.get(Language, tag) is None
    put_languages(session, actor, [{**wanted, "tag": tag}])
    return get_language(session, tag), created


def put_languages(session: Session, actor: Actor, wanted: Sequence[Mapping[str, Any]]) -> int:
    """Make or change languages together, so that they may name each other; how many changed.

    Each has `tag` and `name`, and may have `dir` (else from the tag), `fallback`, `source`
    and `position` (else it keeps its place, or comes last).

    Raises:
        Refused: no canonical tag; a fallback or source that is no language; a circle.
    """
    authorise(actor, "language.write")
    rows = languages(session)
    known = {**rows, **dict.fromkeys(row["tag"] for row in wanted)}
    for row in wanted:
        _check_tag(row["tag"])
        check_fallback(row["tag"], row.get("fallback") or (), row.get("source"), known)
    before = {tag: row.source for tag, row in rows.items()}
    sources = dict(before)
    sources.update({row["tag"]: row.get("source") for row in wanted})
    circle = source_circle(sources)
    if circle:
        raise _refused("/source", f"{' from '.join(circle)} is a circle")
    changed = 0
    for row in wanted:
        changed += _write(session, actor, rows, row)
    if before and sources != before:
        # What is translated from what decides every state.
        from content_api.content.statuses import update_statuses

        update_statuses(session)
    return changed


def _write(
    session: Session, actor: Actor, rows: dict[str, Language], wanted: Mapping[str, Any]
) -> bool:
    tag = wanted["tag"]
    row = rows.get(tag)
    values = {
        "name": wanted["name"],
        "dir": wanted.get("dir") or direction(tag),
        "fallback": list(wanted.get("fallback") or ()),
        "source": wanted.get("source"),
        "position": wanted.get("position"),
    }
    if values["position"] is None:
        values["position"] = row.position if row else len(rows)
    if row is not None and all(getattr(row, name) == value for name, value in values.items()):
        return False
    created = row is None
    if row is None:
        row = rows[tag] = Language(tag=tag)
        session.add(row)
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    details = {"created": created, "fallback": row.fallback, "source": row.source}
    record(session, actor, "language.write", f"language/{tag}", details=details)
    return True


def delete_language(session: Session, actor: Actor, tag: str) -> None:
    """Remove a language that nothing uses.

    Raises:
        NotFound: there is none.
        Conflict: another language, an entry or a package uses it; `details.used_by` says which.
    """
    authorise(actor, "language.write")
    row = get_language(session, tag)
    used = _uses(session, row.tag)
    if used:
        raise Conflict(
            f"The language {row.tag} is used by {', '.join(used[:5])}: remove those uses first.",
            details={"used_by": used},
        )
    session.delete(row)
    session.flush()
    record(session, actor, "language.delete", f"language/{row.tag}")


def check_fallback(
    tag: str, fallback: Sequence[str], source: str | None, known: Iterable[str]
) -> None:
    """Refuse a chain or source that names no language, itself, or a language twice.

    A chain is complete in itself: `ja` falls back to `en`, then `fr`, whatever `en` says.
    So French may fall back to English and English to French; only a chain that comes
    back to its own language is a circle.

    Raises:
        Refused: with the place and what was expected.
    """
    known = set(known)
    for place, other in enumerate(fallback):
        where = f"/fallback/{place}"
        if other == tag:
            raise _refused(where, f"{tag} cannot fall back to itself: that is a circle")
        if other not in known:
            raise _refused(where, f"expected an existing language, got {other[:40]!r}")
        if other in fallback[:place]:
            raise _refused(where, f"expected each language once, got {other} twice")
    if source is not None and source not in known:
        raise _refused("/source", f"expected an existing language, got {source[:40]!r}")
    if source == tag:
        raise _refused("/source", f"{tag} cannot be translated from itself: expected null")


def negotiate(
    request: Request, available: Sequence[str], default: str, *, parameter: str = "lang"
) -> str | None:
    """The language of `available` for a request: `?lang=` decides, else `Accept-Language`.

    None when the request names a language in its address that is not available: that is
    an error for the caller to tell, never silently another language.
    """
    asked = request.args.get(parameter)
    if asked is not None:
        return match_language(asked, available)
    header = request.headers.get("Accept-Language", "")
    return match_languages(parse_accept_language(header), available) or default


def source_circle(sources: Mapping[str, str | None]) -> list[str] | None:
    """A circle among `tag -> source`, or None: ja from en, en from ja would never settle."""
    for start in sources:
        seen = [start]
        tag = sources.get(start)
        while tag is not None:
            if tag in seen:
                return [*seen[seen.index(tag) :], tag]
            seen.append(tag)
            tag = sources.get(tag)
    return None


def _check_tag(tag: str) -> None:
    try:
        canonical = canonical_tag(tag)
    except ValueError as error:
        raise _refused("/tag", str(error)) from error
    if canonical != tag:
        raise _refused("/tag", f"expected the tag as {canonical}, got {tag}")


def _uses(session: Session, tag: str) -> list[str]:
    used = [
        f"language {row.tag}"
        for row in session.scalars(select(Language).order_by(Language.tag))
        if row.tag != tag and (tag in row.fallback or row.source == tag)
    ]
    entries = session.scalars(
        select(Unit.entry_id).where(Unit.scope == tag).distinct().order_by(Unit.entry_id).limit(20)
    ).all()
    approved = session.scalars(
        select(Approval.entry_id).where(Approval.scope == tag).order_by(Approval.entry_id).limit(20)
    ).all()
    used += [f"entry {entry}" for entry in dict.fromkeys([*entries, *approved])]
    used += [
        f"package {package.slug}"
        for package in session.scalars(select(Package).order_by(Package.slug))
        if tag in package.body.get("languages", ())
    ]
    return used


def _refused(pointer: str, message: str) -> Refused:
    return Refused(
        f"{pointer.lstrip('/')}: {message}.",
        errors=[{"pointer": pointer, "code": "invalid", "message": message}],
    )
