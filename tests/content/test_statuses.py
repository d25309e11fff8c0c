"""The counts beside the entries say what the texts and claims say, whatever was done."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.content.claims import make_claim, status_readers
from content_api.content.listing import list_entries, place_of, status_totals
from content_api.content.models import Entry, EntryStatus
from content_api.content.service import create_entry, get_entry, restore_revision, save_entry
from content_api.content.statuses import ensure_statuses, rebuild_statuses
from content_api.content.translation import STATES, summary
from content_api.content.types import ContentTypes
from content_api.languages.service import put_languages
from content_api.problems import ContentError, Refused
from tests.content.conftest import LANGUAGES

TAGS = ("fr", "en", "ja", "pl")
Counts = dict[tuple[str, str], dict[str, int]]


def counted(session: Session) -> Counts:
    """What the table says."""
    rows = session.scalars(select(EntryStatus))
    found = {
        (row.entry_id, row.scope): {s: n for s in STATES if (n := getattr(row, s))} for row in rows
    }
    return {key: counts for key, counts in found.items() if counts}


def computed(session: Session) -> Counts:
    """What units and claims say."""
    found = {}
    for entry_id, reader in status_readers(session, session.scalars(select(Entry.id))).items():
        for tag, source in reader.sources.items():
            counts = summary(reader.statuses(tag).values())
            if source is not None and counts:
                found[entry_id, tag] = counts
    return found


@pytest.mark.parametrize("seed", range(6))
def test_counts_follow_whatever_is_done(content: Session, types: ContentTypes, seed: int) -> None:
    chance = random.Random(seed)
    entries: list[str] = []
    for _ in range(40):
        act = chance.choice(("create", "save", "save", "minor", "claim", "restore", "empty"))
        entry = chance.choice(entries) if entries and act != "create" else None
        tag, text = chance.choice(TAGS), f"t{chance.randrange(4)}"
        path = chance.choice(("title", "lead"))
        value = None if act == "empty" else text
        operation = {"op": "set", "path": path, "scope": tag, "value": value}
        try:
            if entry is None:
                made = create_entry(content, SYSTEM, "place", [operation], types=types)
                entries.append(made.entry_id)
                continue
            rev = get_entry(content, SYSTEM, entry).head_rev
            if act == "claim":
                state = chance.choice(("machine", "translated", "reviewed"))
                make_claim(content, SYSTEM, entry, path, tag, state, types=types)
            elif act == "restore":
                restore_revision(content, SYSTEM, entry, chance.randint(1, rev), types=types)
            else:
                minor = [path] if act == "minor" else []
                save_entry(content, SYSTEM, entry, rev, [operation], minor=minor, types=types)
        except ContentError:
            continue
    assert counted(content) == computed(content) != {}
    kept = everything(content)
    rebuild_statuses(content, types)
    assert everything(content) == kept


def test_another_source_language_counts_everything_anew(
    content: Session, types: ContentTypes
) -> None:
    values = [("title", "fr", "Fosse"), ("title", "en", "Pit"), ("title", "ja", "坑")]
    operations = [{"op": "set", "path": p, "scope": s, "value": v} for p, s, v in values]
    create_entry(content, SYSTEM, "place", operations, types=types)
    put_languages(content, SYSTEM, [dict(LANGUAGES[2], source="en")])
    assert counted(content) == computed(content)


def test_counts_of_an_older_database_are_made_once(content: Session, types: ContentTypes) -> None:
    assert ensure_statuses(content, types) == 0
    operation = {"op": "set", "path": "title", "scope": "fr", "value": "Fosse"}
    create_entry(content, SYSTEM, "place", [operation], types=types)
    content.execute(delete(EntryStatus))
    assert ensure_statuses(content, types) == 1
    assert counted(content) == computed(content) != {}
    assert ensure_statuses(content, types) == 0


def everything(session: Session) -> set[tuple[object, ...]]:
    """Every row as it stands."""
    session.expire_all()
    rows = session.scalars(select(EntryStatus))
    return {
        (
            *(row.entry_id, row.scope, row.title, row.sort_title, row.last_rev, row.expires_on),
            *(getattr(row, state) for state in STATES),
        )
        for row in rows
    }


def test_lists_are_narrowed_and_go_on_where_the_page_before_ended(
    content: Session, types: ContentTypes
) -> None:
    for number in range(5):
        operations = [{"op": "set", "path": "title", "scope": "fr", "value": f"Fosse {number}"}]
        create_entry(content, SYSTEM, "place", operations, entry_id=f"pit-{number}", types=types)
    for order in ("id", "newest", "title"):
        first = list_entries(content, SYSTEM, order=order, limit=3, types=types)[:3]
        rest = list_entries(
            content, SYSTEM, order=order, limit=3, after=place_of(first[-1], order), types=types
        )
        assert sorted(e.id for e in [*first, *rest]) == [f"pit-{n}" for n in range(5)]
    assert len(list_entries(content, SYSTEM, language="ja", status="missing", types=types)) == 5
    assert list_entries(content, SYSTEM, language="ja", status="reviewed", types=types) == []
    assert list_entries(content, SYSTEM, language="fr", approval="current", types=types) == []
    assert len(list_entries(content, SYSTEM, language="fr", approval="none", types=types)) == 5
    totals = status_totals(content, SYSTEM, types=types)
    assert totals["ja"]["missing"] == 5
    with pytest.raises(Refused, match="package"):
        list_entries(content, SYSTEM, package="none", types=types)
