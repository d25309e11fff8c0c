"""What pickers offer: entries and assets a person may read, newest first, found by words.

Pages that show many chosen things at once call `preload` first: their widgets then name
each one without asking the database again. What was not preloaded, the page's script asks
for in one request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from flask import g
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor, visible_types
from content_api.content.listing import entry_title
from content_api.content.models import Entry, Revision, SearchText
from content_api.content.richtext import to_nodes, to_text
from content_api.content.search import matching_rows, question_phrases
from content_api.content.types import ASSET_KINDS, ContentTypes, content_types
from content_api.database import utc_now
from content_api.media.models import Asset
from content_api.media.service import ASSET_TYPE
from content_api.messages import current_language
from content_api.packages.models import Package
from content_api.problems import BadRequest
from content_api.studio.formats import label_of
from package_format.layout import is_slug

MOST_DESCRIBED = 500
"""Things named in one request."""

TITLE_LENGTH = 120
"""Characters of a title that a picker shows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose, as a picker shows it.

    `alt` and `credit` are the languages in which an asset says them; `has_picture` that a
    small picture of it can be asked for.
    """

    id: str
    type: str
    type_label: str
    title: str
    language: str | None
    kind: str | None = None
    alt: tuple[str, ...] = ()
    credit: tuple[str, ...] = ()
    decorative: bool = False
    expired: bool = False
    has_file: bool = False
    has_picture: bool = False
    width: int | None = None
    height: int | None = None
    duration: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For our scripts."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Page:
    """Some choices, and the key of the last one when there are more."""

    choices: list[Choice]
    last: tuple[str, str] | None


def find_assets(
    session: Session,
    actor: Actor,
    *,
    q: str = "",
    accept: Sequence[str] = (),
    after: Sequence[Any] | None = None,
    limit: int = 24,
) -> Page:
    """Assets with a file, the one touched last first: those that hold the words of `q`.

    `q` may also be the beginning of an asset's id, or a part of its file's name.

    Raises:
        Forbidden: the actor may not read assets.
        BadRequest: `accept` names no kind, or `after` is no key of this list.
    """
    authorise(actor, "asset.read")
    unknown = [kind for kind in accept if kind not in ASSET_KINDS]
    if unknown:
        raise BadRequest(f"accept: expected some of {', '.join(ASSET_KINDS)}.")
    query = _rows().where(Entry.type == ASSET_TYPE, Asset.kind.is_not(None))
    if accept:
        query = query.where(Asset.kind.in_(accept))
    return _page(session, actor, _asked(session, query, q, files=True), after, limit)


def find_entries(
    session: Session,
    actor: Actor,
    *,
    q: str = "",
    types: Sequence[str] = (),
    after: Sequence[Any] | None = None,
    limit: int = 12,
) -> Page:
    """Entries of `types`, or of every type but assets, the one touched last first.

    Raises:
        Forbidden: the actor may not read entries.
        BadRequest: `after` is no key of this list.
    """
    authorise(actor, "entry.read")
    query = _rows()
    query = query.where(Entry.type.in_(types) if types else Entry.type != ASSET_TYPE)
    return _page(session, actor, _asked(session, query, q, files=False), after, limit)


def describe(session: Session, actor: Actor, ids: Iterable[str]) -> dict[str, Choice]:
    """Those of `ids` that exist and that `actor` may read, in one query."""
    wanted = sorted({found for found in ids if is_slug(found)})[:MOST_DESCRIBED]
    if not wanted:
        return {}
    rows = session.execute(_visible(_rows(), actor).where(Entry.id.in_(wanted))).all()
    types = content_types()
    return {row[0].id: _choice(types, *row) for row in rows}


def preload(session: Session, actor: Actor, ids: Iterable[str]) -> None:
    """Read what this page's pickers will name, so that each needs no query of its own."""
    known: dict[str, Choice] = g.setdefault("widget_choices", {})
    known.update(describe(session, actor, set(ids) - known.keys()))


def preloaded(ids: Iterable[str]) -> list[tuple[str, Choice | None]]:
    """Each of `ids` with what `preload` read of it."""
    known: Mapping[str, Choice] = g.get("widget_choices", {})
    return [(found, known.get(found)) for found in ids]


def map_background(session: Session, actor: Actor) -> dict[str, Any]:
    """The outlines that packages draw their maps with, each once, in the order of drawing.

    `bounds` is the widest frame of them: west, south, east, north; None without any.
    """
    authorise(actor, "asset.read")
    found: dict[str, str] = {}
    frames: list[Sequence[float]] = []
    for body in session.scalars(select(Package.body).order_by(Package.slug)):
        drawn = body.get("map") or {}
        if drawn.get("bounds"):
            frames.append(drawn["bounds"])
        for layer in drawn.get("layers", ()):
            found.setdefault(layer["asset"], layer.get("style", ""))
    held = set(
        session.scalars(
            select(Asset.id).where(
                Asset.id.in_(list(found)), Asset.media_type == "application/geo+json"
            )
        )
    )
    layers = [{"asset": asset, "style": style} for asset, style in found.items() if asset in held]
    return {"items": layers, "bounds": _around(frames)}


def _around(frames: Sequence[Sequence[float]]) -> list[float] | None:
    if not frames:
        return None
    west, south, east, north = zip(*frames, strict=True)
    return [min(west), min(south), max(east), max(north)]


def _rows() -> Select[Any]:
    return (
        select(Entry, Revision.body, Asset)
        .join(Revision, and_(Revision.entry_id == Entry.id, Revision.rev == Entry.head_rev))
        .outerjoin(Asset, Asset.id == Entry.id)
    )


def _visible(query: Select[Any], actor: Actor) -> Select[Any]:
    visible = visible_types(actor)
    return query if visible is None else query.where(Entry.type.in_(sorted(visible)))


def _asked(session: Session, query: Select[Any], q: str, *, files: bool) -> Select[Any]:
    words = q.strip()[:200]
    if not words:
        return query
    ways = [Entry.id.startswith(words.lower(), autoescape=True)]
    if files:
        ways.append(Asset.filename.icontains(words, autoescape=True))
    phrases = question_phrases(words)
    if phrases:
        rows = matching_rows(session.get_bind().dialect.name, phrases)
        found = select(SearchText.entry_id).where(SearchText.id.in_(rows))
        ways.append(Entry.id.in_(found))
    return query.where(or_(*ways))


def _page(
    session: Session, actor: Actor, query: Select[Any], after: Sequence[Any] | None, limit: int
) -> Page:
    query = _visible(query, actor).where(Entry.archived_at.is_(None))
    query = query.order_by(Entry.updated_at.desc(), Entry.id.desc())
    if after is not None:
        moment, last_id = _moment(after[0]), str(after[1])
        query = query.where(
            or_(
                Entry.updated_at < moment,
                and_(Entry.updated_at == moment, Entry.id < last_id),
            )
        )
    rows = session.execute(query.limit(limit + 1)).all()
    types = content_types()
    last = rows[limit - 1][0] if len(rows) > limit else None
    return Page(
        [_choice(types, *row) for row in rows[:limit]],
        (last.updated_at.isoformat(), last.id) if last is not None else None,
    )


def _moment(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
        if found.tzinfo is None:
            raise ValueError
    except ValueError as error:
        raise BadRequest("cursor: expected the `next` of an earlier page") from error
    return found


def _choice(types: ContentTypes, entry: Entry, body: Mapping[str, Any], file: Any) -> Choice:
    kind = types.find_type(entry.type)
    title, language = _best(entry_title(types, entry.type, dict(body)))
    if kind is not None and kind.title_field is not None and kind.title_field.kind == "markdown":
        title = to_text(to_nodes(title)).replace("\n", " ")
    fields = body.get("fields", {})
    asset: Asset | None = file
    if not title:
        title = (asset.filename if asset is not None else None) or entry.id
        language = None
    rights = fields.get("rights", {}).get("*") or {}
    return Choice(
        id=entry.id,
        type=entry.type,
        type_label=label_of(kind.label if kind else None, entry.type),
        title=_short(title),
        language=language,
        kind=asset.kind if asset is not None else None,
        alt=_said(fields.get("alt", {})),
        credit=_said(fields.get("credit", {})),
        decorative=fields.get("decorative", {}).get("*") is True,
        expired=_is_past(rights.get("expires")),
        has_file=asset is not None and asset.sha256 is not None,
        has_picture=asset is not None and asset.kind in ("image", "video"),
        width=asset.width if asset is not None else None,
        height=asset.height if asset is not None else None,
        duration=asset.duration if asset is not None else None,
    )


def _best(titles: Mapping[str, str]) -> tuple[str, str | None]:
    for tag in (current_language(), "fr", "en", *titles):
        if titles.get(tag):
            return titles[tag], tag
    return "", None


def _said(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag for tag, text in values.items() if text)


def _is_past(day: Any) -> bool:
    # A day everywhere on Earth: UTC is near enough for a warning.
    return isinstance(day, str) and date.fromisoformat(day) < utc_now().date()


def _short(text: str) -> str:
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rstrip() + "…"
