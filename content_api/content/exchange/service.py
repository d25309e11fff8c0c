"""Texts out to translators, and back: which, in what state, and what becomes of each.

Taking a file saves each entry once, through `save_entry`: it is merged, claimed, indexed
and audited like any other save. Nothing is approved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor, allows, visible_types
from content_api.content.claims import MadeFrom, make_claim, sources, status_readers
from content_api.content.document import Flat, field_at, flatten
from content_api.content.exchange import judging
from content_api.content.exchange.codes import like_source, take_apart
from content_api.content.exchange.files import read_file
from content_api.content.exchange.judging import Texts, Verdict
from content_api.content.exchange.models import ExchangeUpload
from content_api.content.exchange.units import (
    MAX_UNITS,
    SHA_LENGTH,
    ExchangeRefused,
    InFile,
    InUnit,
    Origin,
    OutEntry,
    OutFile,
    OutUnit,
)
from content_api.content.index import text_values
from content_api.content.listing import entry_title
from content_api.content.models import Claim, Entry, Reference, Revision
from content_api.content.service import lock_entry, save_entry
from content_api.content.translation import STATES, StatusReader, text_hash
from content_api.content.types import ContentType, ContentTypes, Field, content_types
from content_api.database import utc_now
from content_api.packages.models import Package
from content_api.packages.source import listed_assets, listed_entries
from content_api.problems import NotFound, Refused
from package_format.languages import canonical_tag

TO_TRANSLATE = ("missing", "outdated", "machine")
"""The states of texts that need a translator."""

KEPT = timedelta(days=30)
"""How long an upload and its report can be opened."""

MOST_KEPT = 30
"""Uploads kept of one person; the oldest go first."""

_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Wish:
    """Which texts to send out. Without `entries`, `package` and `type_id`: of everything."""

    language: str
    states: tuple[str, ...] = TO_TRANSLATE
    entries: tuple[str, ...] = ()
    package: str | None = None
    type_id: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One text of a file, and what becomes of it."""

    entry_id: str
    title: str
    path: str
    label: Mapping[str, str]
    before: str | None
    verdict: Verdict
    rev: int = 0
    """The entry's newest revision when this was judged; 0 without an entry."""

    def as_json(self) -> dict[str, Any]:
        """For keeping."""
        return {**asdict(self), "label": dict(self.label)}


@dataclass(frozen=True, slots=True)
class Report:
    """What becomes of a file."""

    format: str
    source_language: str
    target_language: str
    rows: tuple[Judged, ...]

    def counts(self) -> dict[str, int]:
        """How many texts have which outcome."""
        found = Counter(row.verdict.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in judging.OUTCOMES}

    def as_json(self) -> dict[str, Any]:
        """For keeping, and for programs."""
        return {
            "format": self.format,
            "source_language": self.source_language,
            "target_language": self.target_language,
            "rows": [row.as_json() for row in self.rows],
        }


def report_from_json(kept: Mapping[str, Any]) -> Report:
    """The report that `as_json` wrote."""
    rows = tuple(Judged(**{**row, "verdict": Verdict(**row["verdict"])}) for row in kept["rows"])
    return Report(kept["format"], kept["source_language"], kept["target_language"], rows)


# -- Out -------------------------------------------------------------------------------------


def gather(
    session: Session, actor: Actor, wish: Wish, *, types: ContentTypes | None = None
) -> OutFile:
    """The texts to send out that `actor` may read, entry by entry, in the order of their ids.

    Raises:
        Refused: no such language, one nothing is translated into, no such state or type; or
            more texts than one file holds.
        NotFound: no such package, or an entry that is not there.
    """
    types = types or content_types()
    source, ids = _checked_wish(session, actor, types, wish)
    found: list[OutEntry] = []
    count = 0
    for start in range(0, len(ids), _CHUNK):
        for entry in _gather_some(session, types, wish, source, ids[start : start + _CHUNK]):
            found.append(entry)
            count += len(entry.units)
            if count > MAX_UNITS:
                raise ExchangeRefused(
                    "too-many",
                    f"Expected at most {MAX_UNITS} texts in one file: choose a package or a type.",
                )
    return OutFile(source, wish.language, tuple(found))


def count_texts(
    session: Session, actor: Actor, wish: Wish, *, types: ContentTypes | None = None
) -> tuple[int, int]:
    """How many texts of how many entries `gather` would find, without reading what they say.

    Raises:
        Refused, NotFound: as `gather`.
    """
    _source, ids = _checked_wish(session, actor, types or content_types(), wish)
    texts = entries = 0
    for start in range(0, len(ids), _CHUNK):
        readers = status_readers(session, ids[start : start + _CHUNK])
        for reader in readers.values():
            found = sum(state in wish.states for state in reader.statuses(wish.language).values())
            texts += found
            entries += found > 0
    return texts, entries


def _checked_wish(
    session: Session, actor: Actor, types: ContentTypes, wish: Wish
) -> tuple[str, list[str]]:
    """The language to translate from, and the entries to look through."""
    authorise(actor, "entry.read", entry_type=wish.type_id)
    source = _source_of(session, wish.language)
    unknown = [state for state in wish.states if state not in STATES]
    if unknown or (wish.type_id is not None and types.find_type(wish.type_id) is None):
        raise Refused(f"states: expected some of {', '.join(STATES)}, and a known type.")
    return source, _wished(session, actor, wish)


def _source_of(session: Session, language: str) -> str:
    table = sources(session)
    source = table.get(language)
    if source is None:
        into = ", ".join(tag for tag, other in table.items() if other is not None)
        raise Refused(
            f"language: expected one that is translated into ({into}), got {language[:40]!r}."
        )
    return source


def _wished(session: Session, actor: Actor, wish: Wish) -> list[str]:
    query = select(Entry.id).where(Entry.archived_at.is_(None)).order_by(Entry.id)
    visible = visible_types(actor)
    if visible is not None:
        query = query.where(Entry.type.in_(sorted(visible)))
    if wish.type_id is not None:
        query = query.where(Entry.type == wish.type_id)
    wanted: set[str] | None = set(wish.entries) if wish.entries else None
    if wish.package is not None:
        inside = _of_package(session, wish.package)
        wanted = inside if wanted is None else wanted & inside
    if wanted is None:
        return list(session.scalars(query))
    found: list[str] = []
    listed = sorted(wanted)
    for start in range(0, len(listed), _CHUNK):
        part = listed[start : start + _CHUNK]
        found += session.scalars(query.where(Entry.id.in_(part)))
    gone = set(wish.entries) - set(found)
    if gone and wish.package is None and wish.type_id is None:
        raise NotFound(f"There is no entry {min(gone)[:64]!r}.")
    return sorted(found)


def _of_package(session: Session, slug: str) -> set[str]:
    """A package's entries, the assets they show, and its own assets."""
    package = session.get(Package, slug)
    if package is None:
        raise NotFound(f"There is no package {slug[:64]!r}.")
    ids = listed_entries(package.body)
    found = {*ids, *listed_assets(package.body)}
    for start in range(0, len(ids), _CHUNK):
        rows = session.scalars(
            select(Reference.to_id)
            .join(Entry, Entry.id == Reference.to_id)
            .where(Reference.from_id.in_(ids[start : start + _CHUNK]), Entry.type == "asset")
        )
        found.update(rows)
    return found


def _gather_some(
    session: Session, types: ContentTypes, wish: Wish, source: str, ids: Sequence[str]
) -> Iterable[OutEntry]:
    readers = status_readers(session, ids)
    chosen: dict[str, dict[str, str]] = {}
    for entry_id in ids:
        statuses = readers[entry_id].statuses(wish.language)
        kept = {path: state for path, state in statuses.items() if state in wish.states}
        if kept:
            chosen[entry_id] = kept
    heads = _heads(session, chosen)
    old = _old_sources(session, readers, chosen, wish.language)
    for entry_id, paths in chosen.items():
        entry, revision = heads[entry_id]
        kind = types.find_type(entry.type)
        if kind is None:
            continue
        flat = flatten(revision.body)
        texts = text_values(types, kind, flat)
        ordered = [path for path in _in_order(types, kind, flat) if path in paths]
        units = [
            _unit(types, kind, flat, texts, path, source, wish.language, paths[path], old, entry_id)
            for path in ordered
            if isinstance(texts.get((path, source)), str)
        ]
        if units:
            titles = entry_title(types, entry.type, revision.body)
            yield OutEntry(
                origin=Origin(entry_id, revision.rev, revision.body_sha256[:SHA_LENGTH]),
                type_label=kind.label.get(source) or next(iter(kind.label.values())),
                title=titles.get(source) or entry_id,
                units=tuple(units),
            )


def _heads(session: Session, ids: Iterable[str]) -> dict[str, tuple[Entry, Revision]]:
    rows = session.execute(
        select(Entry, Revision)
        .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
        .where(Entry.id.in_(list(ids)))
    )
    return {entry.id: (entry, revision) for entry, revision in rows}


def _old_sources(
    session: Session,
    readers: Mapping[str, StatusReader],
    chosen: Mapping[str, Mapping[str, str]],
    language: str,
) -> dict[tuple[str, str], str]:
    """What the source of each outdated text said when it was translated."""
    wanted: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for entry_id, paths in chosen.items():
        for path, status in paths.items():
            claim = readers[entry_id].last_claim(path, language)
            if status == "outdated" and isinstance(claim, Claim):
                wanted[entry_id, claim.source_rev].append((path, claim.source_scope))
    found: dict[tuple[str, str], str] = {}
    for (entry_id, rev), body in _bodies(session, wanted).items():
        flat = flatten(body[1])
        for path, scope in wanted[entry_id, rev]:
            text = flat.get((path, scope))
            if isinstance(text, str):
                found[entry_id, path] = text
    return found


def _bodies(
    session: Session, keys: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], tuple[str, Any]]:
    """Hash and document of revisions, by entry and number."""
    listed = sorted(keys)
    found: dict[tuple[str, int], tuple[str, Any]] = {}
    for start in range(0, len(listed), _CHUNK):
        rows = session.execute(
            select(Revision.entry_id, Revision.rev, Revision.body_sha256, Revision.body).where(
                tuple_(Revision.entry_id, Revision.rev).in_(listed[start : start + _CHUNK])
            )
        )
        found.update({(entry_id, rev): (sha, body) for entry_id, rev, sha, body in rows})
    return found


def _in_order(types: ContentTypes, kind: ContentType, flat: Flat) -> Iterable[str]:
    """The paths of a document as its form has them, block by block."""
    for field in kind.fields:
        if field.kind != "blocks":
            yield field.id
            continue
        for block_id in flat.get((field.id, "*"), ()):
            block = types.blocks.get(flat.get((f"{field.id}.{block_id}", "*"), ""))
            for inner in block.fields if block else ():
                yield f"{field.id}.{block_id}.{inner.id}"


def _unit(
    types: ContentTypes,
    kind: ContentType,
    flat: Flat,
    texts: Flat,
    path: str,
    source: str,
    language: str,
    status: str,
    old: Mapping[tuple[str, str], str],
    entry_id: str,
) -> OutUnit:
    field = field_at(types, kind, flat, path)
    assert field is not None  # noqa: S101  text_values found it
    text = str(texts[path, source])
    target = texts.get((path, language))
    parts = take_apart(text, field.kind)
    labels = [_name(field, source)]
    if "." in path:
        story = kind.field(path.split(".")[0])
        labels.insert(0, _name(story, source) if story else path)
    before = old.get((entry_id, path))
    return OutUnit(
        path=path,
        label=" / ".join(labels),
        kind=field.kind,
        source=text,
        parts=parts,
        status=status,
        target=target,
        target_parts=like_source(target, field.kind, parts) if target else (),
        max=field.max,
        before=before if before != text else None,
    )


def _name(field: Field, language: str) -> str:
    return field.label.get(language) or next(iter(field.label.values()), field.id)


# -- Back ------------------------------------------------------------------------------------


def keep_upload(session: Session, actor: Actor, raw: bytes, filename: str) -> ExchangeUpload:
    """Keep a file that came back, for its sender to look at what it would change.

    Raises:
        ExchangeRefused: it cannot be read.
    """
    authorise(actor, "entry.write")
    read_file(raw)
    session.execute(delete(ExchangeUpload).where(ExchangeUpload.created_at < utc_now() - KEPT))
    older = session.scalars(
        select(ExchangeUpload.id)
        .where(ExchangeUpload.actor_id == actor.id)
        .order_by(ExchangeUpload.created_at.desc())
        .offset(MOST_KEPT - 1)
    ).all()
    session.execute(delete(ExchangeUpload).where(ExchangeUpload.id.in_(older)))
    upload = ExchangeUpload(
        id=uuid4().hex, actor_id=actor.id, filename=filename[:200] or "texts", raw=raw
    )
    session.add(upload)
    session.flush()
    return upload


def get_upload(session: Session, actor: Actor, upload_id: str) -> ExchangeUpload:
    """An upload of the actor's own.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = session.get(ExchangeUpload, upload_id) if len(upload_id) == 32 else None
    if found is None or found.actor_id != actor.id:
        raise NotFound("There is no such file. Files are kept for 30 days.")
    return found


def uploads(session: Session, actor: Actor, limit: int = 10) -> list[ExchangeUpload]:
    """The actor's last uploads, newest first."""
    query = (
        select(ExchangeUpload)
        .where(ExchangeUpload.actor_id == actor.id)
        .order_by(ExchangeUpload.created_at.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def judge_file(
    session: Session, actor: Actor, raw: bytes, *, types: ContentTypes | None = None
) -> Report:
    """What taking a file would change; nothing is changed.

    Raises:
        ExchangeRefused: it cannot be read, or is for other languages.
    """
    types = types or content_types()
    given = read_file(raw)
    language = _checked_languages(session, given)
    return _judge(session, actor, types, given, language)


def take_file(
    session: Session,
    actor: Actor,
    raw: bytes,
    filename: str,
    *,
    types: ContentTypes | None = None,
) -> Report:
    """Save what a file brings; the report of what became of each of its texts.

    Raises:
        ExchangeRefused: it cannot be read, or is for other languages.
    """
    types = types or content_types()
    report = judge_file(session, actor, raw, types=types)
    language, source = report.target_language, report.source_language
    by_entry: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(report.rows):
        if row.verdict.outcome in (judging.TAKEN, judging.CONFIRMED):
            by_entry[row.entry_id].append(index)
    rows = list(report.rows)
    origins = _origins(raw)
    for entry_id in sorted(by_entry):
        some = [rows[index] for index in by_entry[entry_id]]
        if not _save(session, actor, types, language, source, some, origins, filename):
            for index in by_entry[entry_id]:
                lost = replace(rows[index].verdict, outcome=judging.REFUSED, reason="conflict")
                rows[index] = _replace(rows[index], lost)
    report = Report(report.format, source, language, tuple(rows))
    counts = report.counts()
    record(
        session,
        actor,
        "exchange.import",
        f"language/{language}",
        details={"file": filename[:200], **counts},
    )
    return report


def take_upload(
    session: Session, actor: Actor, upload: ExchangeUpload, *, types: ContentTypes | None = None
) -> Report:
    """Take the file of an upload, once; its report is kept.

    Raises:
        Refused: it was taken already.
    """
    if upload.taken_at is not None:
        raise Refused("This file was taken already.")
    report = take_file(session, actor, upload.raw, upload.filename, types=types)
    upload.report = report.as_json()
    upload.taken_at = utc_now()
    session.flush()
    return report


def _replace(row: Judged, verdict: Verdict) -> Judged:
    return replace(row, verdict=verdict)


def _origins(raw: bytes) -> dict[tuple[str, str], Origin]:
    found: dict[tuple[str, str], Origin] = {}
    for unit in read_file(raw).units:
        if unit.origin is not None:
            # Of a text that stands twice the first one counts.
            found.setdefault((unit.origin.entry_id, unit.path), unit.origin)
    return found


def _checked_languages(session: Session, given: InFile) -> str:
    language = _tag(given.target_language)
    table = sources(session)
    if language not in table:
        raise ExchangeRefused(
            "other-languages",
            f"The file is for the language {given.target_language[:40]!r}, which is not one of "
            f"ours: {', '.join(table)}.",
        )
    if table[language] is None or _tag(given.source_language) != table[language]:
        raise ExchangeRefused(
            "other-languages",
            f"Expected a translation from {table[language] or 'no language'} into {language}, "
            f"got one from {given.source_language[:40]!r}.",
        )
    return language


def _tag(text: str) -> str:
    try:
        return canonical_tag(text.replace("_", "-"))
    except ValueError:
        return ""


def _judge(
    session: Session, actor: Actor, types: ContentTypes, given: InFile, language: str
) -> Report:
    source = str(sources(session)[language])
    ids = sorted({unit.origin.entry_id for unit in given.units if unit.origin is not None})
    heads: dict[str, tuple[Entry, Revision]] = {}
    readers: dict[str, StatusReader] = {}
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        heads.update(_heads(session, part))
        readers.update(status_readers(session, part))
    keys = {(u.origin.entry_id, u.origin.rev) for u in given.units if u.origin is not None}
    bodies = _bodies(session, keys)
    context = _Context(actor, types, source, language, given.format, heads, bodies, readers)
    seen: set[tuple[str, str]] = set()
    rows = []
    for unit in given.units:
        row = context.row(unit)
        key = (row.entry_id, row.path)
        if key in seen and row.entry_id:
            row = _replace(row, Verdict(judging.REFUSED, "again"))
        seen.add(key)
        rows.append(row)
    return Report(given.format, source, language, tuple(rows))


class _Context:
    """What the units of a file are judged by; documents are flattened once."""

    def __init__(
        self,
        actor: Actor,
        types: ContentTypes,
        source: str,
        language: str,
        form: str,
        heads: Mapping[str, tuple[Entry, Revision]],
        bodies: Mapping[tuple[str, int], tuple[str, Any]],
        readers: Mapping[str, StatusReader],
    ) -> None:
        self.actor = actor
        self.types = types
        self.source = source
        self.language = language
        self.form = form
        self.heads = heads
        self.bodies = bodies
        self.readers = readers
        self.flats: dict[tuple[str, int], Flat] = {}

    def row(self, unit: InUnit) -> Judged:
        """A text of the file, judged."""
        head = self.heads.get(unit.origin.entry_id) if unit.origin is not None else None
        kind = self.types.find_type(head[0].type) if head is not None else None
        if unit.origin is None or head is None or kind is None:
            return Judged("", unit.name, unit.path, {}, None, _refused("unknown-entry"))
        entry, revision = head
        if not allows(self.actor, "entry.read", entry_type=entry.type):
            # As for an entry that is not there: nothing of it is told.
            return Judged("", unit.name, unit.path, {}, None, _refused("unknown-entry"))
        titles = entry_title(self.types, entry.type, revision.body)
        title = titles.get(self.source) or entry.id
        now = self._flat(entry.id, revision.rev, revision.body)
        field = field_at(self.types, kind, now, unit.path)
        label = _labels(kind, field, unit.path)
        before = now.get((unit.path, self.language))

        def judged(verdict: Verdict) -> Judged:
            shown = before if isinstance(before, str) else None
            return Judged(entry.id, title, unit.path, label, shown, verdict, revision.rev)

        scopes = (self.language,)
        if not allows(self.actor, "entry.write", entry_type=entry.type, scopes=scopes):
            return judged(_refused("not-allowed"))
        sha, body = self.bodies.get((entry.id, unit.origin.rev), ("", None))
        if body is None or not sha.startswith(unit.origin.sha):
            return judged(_refused("unknown-state"))
        if field is None or not field.is_translatable:
            return judged(_refused("path-gone"))
        then = self._flat(entry.id, unit.origin.rev, body)
        texts = Texts(
            source_then=_text(then, unit.path, self.source),
            target_then=_text(then, unit.path, self.language),
            source_now=_text(now, unit.path, self.source),
            target_now=_text(now, unit.path, self.language),
            status_now=self.readers[entry.id].status(unit.path, self.language),
        )
        return judged(judging.judge(unit, field, texts, self.form))

    def _flat(self, entry_id: str, rev: int, body: Any) -> Flat:
        key = (entry_id, rev)
        if key not in self.flats:
            self.flats[key] = flatten(body)
        return self.flats[key]


def _refused(reason: str) -> Verdict:
    return Verdict(judging.REFUSED, reason)


def _text(flat: Flat, path: str, scope: str) -> str | None:
    found = flat.get((path, scope))
    return found if isinstance(found, str) else None


def _labels(kind: ContentType, field: Field | None, path: str) -> Mapping[str, str]:
    if field is None:
        return {}
    story = kind.field(path.split(".")[0]) if "." in path else None
    if story is None:
        return dict(field.label)
    tags: Collection[str] = story.label.keys() & field.label.keys()
    return {tag: f"{story.label[tag]} / {field.label[tag]}" for tag in sorted(tags)}


def _save(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    language: str,
    source: str,
    rows: Sequence[Judged],
    origins: Mapping[tuple[str, str], Origin],
    filename: str,
) -> bool:
    """Save one entry's texts; False when somebody changed it since it was judged."""
    entry_id = rows[0].entry_id
    entry = lock_entry(session, entry_id)
    if entry.head_rev != rows[0].rev:
        return False
    taken = [row for row in rows if row.verdict.outcome == judging.TAKEN]
    keys = {(entry_id, origins[entry_id, row.path].rev) for row in taken}
    bodies = _bodies(session, keys)
    operations = []
    made_from = {}
    for row in taken:
        rev = origins[entry_id, row.path].rev
        text = flatten(bodies[entry_id, rev][1])[row.path, source]
        made_from[row.path, language] = MadeFrom(source, text_hash(text), rev, row.verdict.state)
        operations.append(
            {"op": "set", "path": row.path, "scope": language, "value": row.verdict.value}
        )
    if operations:
        save_entry(
            session,
            actor,
            entry_id,
            entry.head_rev,
            operations,
            message=f"From {filename}"[:200],
            made_from=made_from,
            types=types,
        )
    for row in rows:
        if row.verdict.outcome == judging.CONFIRMED:
            make_claim(session, actor, entry_id, row.path, language, "translated", types=types)
    return True
