"""The media library: assets found by words and by what they lack, and files we hold already.

A page costs the same number of queries however many assets it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session, lazyload

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor
from content_api.content.models import Entry, Reference, Revision, SearchText, Unit
from content_api.content.search import matching_rows, question_phrases
from content_api.database import utc_now
from content_api.languages.service import languages
from content_api.media.models import KINDS, Asset
from content_api.media.prepare import Prepared
from content_api.media.service import (
    ASSET_TYPE,
    Rights,
    attach_file,
    clean_filename,
    create_asset,
    rights_of,
)
from content_api.packages.models import Package
from content_api.packages.source import listed_assets
from content_api.problems import BadRequest, Conflict, Refused

SOON = timedelta(days=60)
"""Rights that end within this time are worth asking about: a renewal takes weeks."""

RIGHTS_STATES = ("expired", "soon", "none", "complete")

MAX_QUESTION = 200


class AlreadyHeld(Conflict):
    """The same bytes are an asset's file already; `details.held` names each such asset."""

    code = "already-held"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assets a list keeps; what is empty keeps all.

    `rights` is one of RIGHTS_STATES. `missing_alt` is a language: pictures that are not
    decorative and say nothing in it. `unused` keeps what no entry and no package names.
    """

    q: str = ""
    kind: str | None = None
    rights: str | None = None
    missing_alt: str | None = None
    unused: bool = False
    without_file: bool = False
    but_subtitles: bool = False


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """An asset in the library: its bytes, what is said of it, and how often it is used."""

    asset: Asset
    alt: Mapping[str, str]
    decorative: bool
    rights: Rights
    rights_state: str
    uses: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """Some assets, and the key of the last one when there are more."""

    rows: list[LibraryRow]
    last: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Held:
    """An asset whose file has the bytes asked for."""

    id: str
    filename: str | None
    sha256: str


def rights_state(rights: Rights, today: date) -> str:
    """`expired`, `soon`, `none` (no holder or no licence is known) or `complete`."""
    if rights.expires is not None:
        last = date.fromisoformat(rights.expires)
        if last < today:
            return "expired"
        if last < today + SOON:
            return "soon"
    return "complete" if rights.holder and rights.licence else "none"


def find_in_library(
    session: Session,
    actor: Actor,
    wanted: Wanted,
    *,
    after: Sequence[Any] | None = None,
    limit: int = 48,
) -> LibraryPage:
    """Assets that fit `wanted`, the one described last first.

    Words are looked for in what is said of an asset, the beginning of its id, and its
    file's name.

    Raises:
        Forbidden: the actor may not read assets.
        Refused: an unknown kind, state or language.
        BadRequest: `after` is no key of this list.
    """
    authorise(actor, "asset.read")
    _check(session, wanted)
    today = utc_now().date()
    named = _named_by_packages(session)
    query = (
        select(Asset, Entry.updated_at, Revision.body)
        .join(Entry, Entry.id == Asset.id)
        .join(Revision, and_(Revision.entry_id == Entry.id, Revision.rev == Entry.head_rev))
        .where(Entry.type == ASSET_TYPE, Entry.archived_at.is_(None))
        .order_by(Entry.updated_at.desc(), Entry.id.desc())
        .limit(limit + 1)
        # A list shows no encodings.
        .options(lazyload(Asset.renditions))
    )
    query = _kept(session, query, wanted, today, named)
    if after is not None:
        moment = _moment(after[0])
        query = query.where(
            or_(
                Entry.updated_at < moment,
                and_(Entry.updated_at == moment, Entry.id < str(after[1])),
            )
        )
    found = session.execute(query).all()
    shown = found[:limit]
    uses = _uses(session, [asset.id for asset, _at, _body in shown], named)
    rows = [_row(asset, at, body, uses.get(asset.id, 0), today) for asset, at, body in shown]
    last = rows[-1] if len(found) > limit else None
    return LibraryPage(rows, (last.updated_at.isoformat(), last.asset.id) if last else None)


def assets_with_bytes(session: Session, hashes: Iterable[str]) -> list[Held]:
    """The assets whose file has one of these SHA-256 (hex)."""
    rows = session.execute(
        select(Asset.id, Asset.filename, Asset.sha256)
        .where(Asset.sha256.in_(sorted(set(hashes))))
        .order_by(Asset.id)
    )
    return [Held(asset_id, filename, sha256 or "") for asset_id, filename, sha256 in rows]


def add_file(
    session: Session,
    actor: Actor,
    ready: Prepared,
    filename: str | None,
    *,
    again: bool = False,
) -> Asset:
    """A new asset with a prepared file: its row comes with its file, never before.

    The id is made from the file's name.

    Raises:
        AlreadyHeld: an asset has these bytes, and `again` does not say that this is meant.
    """
    held = assets_with_bytes(session, [ready.sha256])
    if held and not again:
        raise AlreadyHeld(
            f"This file is in the library already, as {held[0].id}.",
            details={"held": [{"id": one.id, "filename": one.filename} for one in held[:20]]},
        )
    name = clean_filename(filename)
    stem = name.rsplit(".", 1)[0] if name else None
    asset = create_asset(session, actor, title=stem)
    return attach_file(session, actor, asset.id, ready, name)


def _check(session: Session, wanted: Wanted) -> None:
    for name, value, known in (
        ("kind", wanted.kind, KINDS),
        ("rights", wanted.rights, RIGHTS_STATES),
    ):
        if value is not None and value not in known:
            raise Refused(f"{name}: expected one of {', '.join(known)}, got {value[:40]!r}.")
    if wanted.missing_alt is not None and wanted.missing_alt not in languages(session):
        raise Refused(f"missing: there is no language {wanted.missing_alt[:40]!r}.")


def _kept(
    session: Session,
    query: Select[Any],
    wanted: Wanted,
    today: date,
    named: Mapping[str, int],
) -> Select[Any]:
    words = wanted.q.strip()[:MAX_QUESTION]
    if words:
        query = query.where(_says(session, words))
    if wanted.kind is not None:
        query = query.where(Asset.kind == wanted.kind)
    if wanted.but_subtitles:
        query = query.where(or_(Asset.kind.is_(None), Asset.kind != "subtitles"))
    if wanted.without_file:
        query = query.where(Asset.sha256.is_(None))
    if wanted.rights is not None:
        query = query.where(_has_rights(wanted.rights, today))
    if wanted.missing_alt is not None:
        decorative = Revision.body[("fields", "decorative", "*")].as_boolean()
        query = query.where(
            Asset.kind == "image",
            or_(decorative.is_(None), decorative.is_not(true())),
            ~exists().where(
                Unit.entry_id == Asset.id, Unit.path == "alt", Unit.scope == wanted.missing_alt
            ),
        )
    if wanted.unused:
        query = query.where(
            ~exists().where(Reference.to_id == Asset.id), Asset.id.not_in(sorted(named))
        )
    return query


def _says(session: Session, words: str) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [
        Entry.id.startswith(words.lower(), autoescape=True),
        Asset.filename.icontains(words, autoescape=True),
    ]
    phrases = question_phrases(words)
    if phrases:
        rows = matching_rows(session.get_bind().dialect.name, phrases)
        ways.append(
            Entry.id.in_(select(SearchText.entry_id).where(SearchText.id.in_(rows))),
        )
    return or_(*ways)


def _has_rights(state: str, today: date) -> ColumnElement[bool]:
    def part(name: str) -> ColumnElement[str]:
        return func.coalesce(Revision.body[("fields", "rights", "*", name)].as_string(), "")

    # Days are stored as YYYY-MM-DD, so their order as text is their order in time.
    ends = part("expires")
    expired = and_(ends != "", ends < today.isoformat())
    soon = and_(ends >= today.isoformat(), ends < (today + SOON).isoformat())
    known = and_(part("holder") != "", part("licence") != "")
    if state == "expired":
        return expired
    if state == "soon":
        return soon
    ending = or_(expired, soon)
    return and_(~ending, ~known) if state == "none" else and_(~ending, known)


def _named_by_packages(session: Session) -> dict[str, int]:
    found: dict[str, int] = {}
    for body in session.scalars(select(Package.body)):
        for asset_id in listed_assets(body):
            found[asset_id] = found.get(asset_id, 0) + 1
    return found


def _uses(session: Session, ids: Sequence[str], named: Mapping[str, int]) -> dict[str, int]:
    rows = session.execute(
        select(Reference.to_id, func.count(Reference.from_id.distinct()))
        .where(Reference.to_id.in_(ids))
        .group_by(Reference.to_id)
    )
    found = {asset_id: int(count) for asset_id, count in rows}
    for asset_id in ids:
        found[asset_id] = found.get(asset_id, 0) + named.get(asset_id, 0)
    return found


def _row(
    asset: Asset, updated_at: datetime, body: Mapping[str, Any], uses: int, today: date
) -> LibraryRow:
    fields = body.get("fields", {})
    rights = rights_of(body)
    return LibraryRow(
        asset=asset,
        alt={tag: text for tag, text in fields.get("alt", {}).items() if text},
        decorative=fields.get("decorative", {}).get("*") is True,
        rights=rights,
        rights_state=rights_state(rights, today),
        uses=uses,
        updated_at=updated_at,
    )


def _moment(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
        if found.tzinfo is None:
            raise ValueError
    except ValueError as error:
        raise BadRequest("cursor: expected the `next` of an earlier page") from error
    return found
