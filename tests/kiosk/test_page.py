"""What a page says of itself, what is believed of it, and what follows for a new set."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kiosk_client.activation import Probation
from kiosk_client.page import LARGEST_REPORT, NotAReport, PageWatch, parse_report
from kiosk_client.probation import judge

OLD, NEW = "0" * 16, "f" * 16
SINCE = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def report(content: str = NEW, screen: str = "attract", **more: Any) -> dict[str, Any]:
    return {"package": "harbour", "release": 2, "content": content, "screen": screen, **more}


def verdict(watch: PageWatch, now: float, starts: int = 0) -> tuple[str, str]:
    found = judge(Probation(SINCE, starts), watch.state(now), NEW)
    return found.verdict, found.reason


def played(watch: PageWatch, start: float, seconds: float, **more: Any) -> float:
    """Report every ten seconds for `seconds`; the time of the last report."""
    at = start
    while at <= start + seconds:
        watch.note(report(**more), at)
        at += 10
    return at - 10


def test_nobody_is_at_a_screen_in_attract() -> None:
    watch = PageWatch(now=0)
    watch.note(report(), 1)
    assert watch.state(2).idle is True
    watch.note(report(screen="visit"), 3)
    state = watch.state(4)
    assert (state.idle, state.screen, state.seen_seconds_ago) == (False, "visit", 1)


def test_a_screen_that_says_nothing_is_given_time_before_it_counts_as_idle() -> None:
    watch = PageWatch(now=0)
    assert watch.state(10).idle is False
    assert watch.state(13).idle is True
    watch.note(report(screen="visit"), 30)
    assert watch.state(50).idle is False
    assert watch.state(56).idle is True


def test_a_visit_untouched_for_an_hour_is_none() -> None:
    watch = PageWatch(now=0)
    watch.note(report(screen="visit", idle_seconds=3599), 1)
    assert watch.state(2).idle is False
    watch.note(report(screen="visit", idle_seconds=3600), 2)
    assert watch.state(3).idle is True


def test_a_set_that_plays_a_minute_without_an_error_is_confirmed() -> None:
    watch = PageWatch(now=0)
    watch.note(report(OLD), 0)
    assert verdict(watch, 1) == ("wait", "")
    at = played(watch, 10, 50)
    assert verdict(watch, at) == ("wait", "")
    watch.note(report(), at + 10)
    assert verdict(watch, at + 10) == ("confirm", "")


def test_a_page_that_was_away_begins_its_minute_again() -> None:
    watch = PageWatch(now=0)
    at = played(watch, 0, 40)
    watch.note(report(), at + 40)
    assert verdict(watch, at + 40) == ("wait", "")


def test_errors_begin_the_minute_again_and_three_give_the_set_back() -> None:
    watch = PageWatch(now=0)
    at = played(watch, 0, 50)
    watch.note(report(errors=["TypeError: lamp is null"]), at + 10)
    watch.note(report(), at + 20)
    assert verdict(watch, at + 20) == ("wait", "")
    watch.note(report(errors=["a", "b"]), at + 30)
    assert verdict(watch, at + 30) == ("give-back", "page-errors")
    assert watch.state(at + 30).errors[-1] == "b"


def test_errors_the_set_before_had_too_are_not_held_against_the_new_one() -> None:
    watch = PageWatch(now=0)
    watch.note(report(OLD, errors=["TypeError"]), 0)
    at = played(watch, 10, 60, errors=["TypeError"])
    assert verdict(watch, at) == ("confirm", "")


def test_a_page_that_cannot_show_the_set_gives_it_back() -> None:
    watch = PageWatch(now=0)
    for at in (0, 10, 20):
        watch.note(report(screen="fault"), at)
    assert verdict(watch, 20) == ("give-back", "page-fault")


def test_a_page_that_falls_silent_on_a_new_set_gives_it_back() -> None:
    watch = PageWatch(now=0)
    watch.note(report(OLD), 0)
    assert verdict(watch, 500) == ("wait", "")
    watch.note(report(screen="start"), 500)
    assert verdict(watch, 590) == ("wait", "")
    assert verdict(watch, 591) == ("give-back", "page-silent")


def test_a_page_closed_in_good_order_is_no_fault_of_the_set() -> None:
    watch = PageWatch(now=0)
    watch.note(report(), 0)
    watch.note(report(screen="gone"), 5)
    assert verdict(watch, 5000) == ("wait", "")


def test_a_device_without_any_page_waits() -> None:
    assert verdict(PageWatch(now=0), 10_000) == ("wait", "")


def test_three_crashes_in_ten_minutes_give_the_set_back() -> None:
    watch = PageWatch(now=0)
    watch.note(report(), 0)
    watch.crashed("renderer gone", 100)
    watch.crashed("renderer gone", 600)
    watch.crashed("renderer gone", 710)
    watch.note(report(screen="start"), 711)
    assert verdict(watch, 711) == ("wait", "")
    watch.note(report(screen="start"), 712)
    watch.crashed("renderer gone", 720)
    assert verdict(watch, 720) == ("give-back", "page-crashed")
    watch.begin_anew()
    assert watch.state(721).crashes == 0


def test_an_agent_that_starts_again_and_again_gives_the_set_back() -> None:
    watch = PageWatch(now=0)
    assert verdict(watch, 1, starts=3) == ("wait", "")
    assert verdict(watch, 1, starts=4) == ("give-back", "restarted")


def test_a_report_is_read_and_cut_to_its_bounds() -> None:
    found = parse_report(
        json.dumps(
            report(
                idle_seconds=3.5,
                heap=12_000_000,
                errors=["x" * 900, "line\nbreak\x00"],
                plays=[{"entry": "crane", "title": "Grue", "language": "fr", "seconds": 1e9}],
                strange={"html": "<script>"},
            )
        ).encode()
    )
    assert (found.package, found.release, found.heap, found.idle_seconds) == (
        "harbour",
        2,
        12_000_000,
        3.5,
    )
    assert [len(error) for error in found.errors] == [200, 11]
    assert "\n" not in found.errors[1]
    assert found.plays[0].seconds == 86_400


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"<html>",
        b"[" * 4000,
        b'{"screen": "attract", "screen": "visit"}',
        b'{"screen": "elsewhere"}',
        b'{"screen": 3}',
        b'{"screen": "attract", "release": "2"}',
        b'{"screen": "attract", "release": true}',
        b'{"screen": "attract", "release": -1}',
        b'{"screen": "attract", "heap": 1e999}',
        b'{"screen": "attract", "idle_seconds": NaN}',
        b'{"screen": "attract", "errors": "x"}',
        b'{"screen": "attract", "errors": [1]}',
        b'{"screen": "attract", "plays": [3]}',
        b'{"screen": "attract", "plays": [{"title": "no entry"}]}',
        b'{"screen": "attract", "package": "' + b"x" * LARGEST_REPORT + b'"}',
    ],
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(NotAReport, match="expected"):
        parse_report(raw)


def test_a_lone_surrogate_does_no_harm() -> None:
    found = parse_report(b'{"screen": "attract", "errors": ["\\ud800"]}')
    assert found.errors[0].encode("utf-8")
