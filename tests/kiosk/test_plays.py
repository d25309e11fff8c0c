"""Proof of play: counted by day, kept over crashes, sent once, bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.config import Assignment, DataDir, open_data_dir, save_assignment
from kiosk_client.durable import write_json
from kiosk_client.errors import NoNetwork
from kiosk_client.page import Play, Report
from kiosk_client.plays import BATCH_ROWS, MOST_ROWS, Count, Plays, add_up, thin_out

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def report(*plays: Play, release: int = 3) -> Report:
    return Report("harbour", release, "f" * 16, "visit", "", 0.0, None, (), plays)


def look(entry: str = "crane", seconds: float = 20.4, language: str = "fr") -> Play:
    return Play(entry, f"{entry} of the harbour", language, seconds)


def count(day: date, entry: str = "crane", seconds: int = 10) -> Count:
    return Count(day, "harbour", 1, entry, "Crane", "fr", 1, seconds)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return open_data_dir(tmp_path / "kiosk", create=True)


def sent_by(plays: Plays) -> list[tuple[str, list[dict[str, Any]]]]:
    sent: list[tuple[str, list[dict[str, Any]]]] = []
    plays.send(lambda batch, rows: sent.append((batch, rows)))
    return sent


def test_looks_at_the_same_entry_are_summed_up_by_day_and_language(data: DataDir) -> None:
    plays = Plays(data, now=lambda: NOON)
    plays.note(report(look(), look(seconds=10), look(language="ja")))
    plays.note(report(look()))
    ((_, rows),) = sent_by(plays)
    assert rows == [
        {
            "day": "2026-11-24",
            "package": "harbour",
            "release": 3,
            "entry": "crane",
            "title": "crane of the harbour",
            "language": language,
            "views": views,
            "seconds": seconds,
        }
        for language, views, seconds in (("fr", 3, 50), ("ja", 1, 20))
    ]
    assert sent_by(plays) == []


def test_the_day_is_the_venues_and_never_before_what_has_passed(data: DataDir) -> None:
    save_assignment(data, Assignment("harbour", "live", "tablet", ("fr",), "Asia/Tokyo", 1))
    late = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
    plays = Plays(data, now=lambda: late)
    plays.note(report(look()))
    assert sent_by(plays)[0][1][0]["day"] == "2026-11-25"
    write_json(data.trust, {"floor": "2026-11-24T12:00:00+00:00"})
    plays = Plays(data, now=lambda: datetime(1970, 1, 1, tzinfo=UTC))
    plays.note(report(look()))
    assert sent_by(plays)[0][1][0]["day"] == "2026-11-24"


def test_a_batch_that_was_not_taken_is_sent_again_under_its_name_also_after_a_crash(
    data: DataDir,
) -> None:
    tried: list[str] = []

    def offline(batch: str, rows: list[dict[str, Any]]) -> None:
        tried.append(batch)
        raise NoNetwork("no")

    plays = Plays(data, now=lambda: NOON)
    plays.note(report(look()))
    with pytest.raises(NoNetwork):
        plays.send(offline)
    plays = Plays(data, now=lambda: NOON)
    plays.note(report(look("lens")))
    sent = sent_by(plays)
    assert [batch for batch, _ in sent][:1] == tried
    assert [[row["entry"] for row in rows] for _, rows in sent] == [["crane"], ["lens"]]
    assert sent_by(Plays(data)) == []


def test_counts_reach_the_disk_once_a_minute_and_at_the_end(data: DataDir) -> None:
    time = [0.0]
    plays = Plays(data, now=lambda: NOON, clock=lambda: time[0])
    plays.note(report(look()))
    assert not (data.root / "plays.json").exists()
    time[0] = 61
    plays.note(report(look()))
    assert sum(row["views"] for _, rows in sent_by(Plays(data)) for row in rows) == 2
    plays.note(report(look()))
    plays.save()
    assert (data.root / "plays.json").read_text().count('"entry"') == 1


def test_a_year_of_a_busy_screen_stays_within_its_bound_by_month() -> None:
    today = date(2027, 1, 1)
    counts: list[Count] = []
    for days in range(400, -1, -1):
        day = today - timedelta(days=days)
        counts = thin_out(add_up([*counts, *(count(day, f"e{n}") for n in range(40))]), today)
    assert len(counts) <= MOST_ROWS
    assert sum(one.views for one in counts) == 401 * 40
    recent = [one for one in counts if (today - one.day).days <= 31]
    assert len({one.day for one in recent}) >= 31
    assert {one.day.day for one in counts if (today - one.day).days > 62} == {1}


def test_what_does_not_fit_even_so_loses_what_was_shown_least() -> None:
    today = date(2027, 1, 1)
    counts = [count(today, f"e{number}", number) for number in range(30)]
    assert [one.seconds for one in thin_out(counts, today, most=10)] == list(range(20, 30))


def test_many_rows_go_in_batches(data: DataDir) -> None:
    plays = Plays(data, now=lambda: NOON)
    for number in range(BATCH_ROWS + 3):
        plays.note(report(look(f"e{number}")))
    sizes = [len(rows) for _, rows in sent_by(plays)]
    assert sizes == [BATCH_ROWS, 3]


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"rows": [{"day": 3}], "batch": null}', b"{"])
def test_counts_that_do_not_read_begin_anew(data: DataDir, raw: bytes) -> None:
    (data.root / "plays.json").write_bytes(raw)
    plays = Plays(data, now=lambda: NOON)
    plays.note(report(look()))
    assert len(sent_by(plays)) == 1


def test_the_newest_title_wins() -> None:
    day = date(2026, 1, 1)
    (only,) = add_up([count(day), replace(count(day), title="The Crane")])
    assert (only.title, only.views) == ("The Crane", 2)
