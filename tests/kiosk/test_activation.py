"""The pointer: slots, what waits, what is on probation, and what was given back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk_client.activation import (
    ActiveSet,
    Slot,
    activate,
    activate_next,
    confirm,
    give_back,
    is_returned,
    keep_slots,
    main_slot,
    note_start,
    read_active,
    read_slots,
    stage,
)
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.errors import Rollback

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = "harbour/live"


def chosen(release: int, package: str = "harbour", **changes: object) -> ActiveSet:
    found = ActiveSet(
        manifest=f"{release:02x}" * 32,
        package=package,
        channel="live",
        release=release,
        profile="tablet",
        languages=("en", "ja"),
        timezone="Asia/Tokyo",
        anchor="a" * 16,
        activated_at=NOW,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return open_data_dir(tmp_path / "kiosk", create=True)


def slot_of(data: DataDir, key: str = KEY) -> Slot:
    return read_slots(data)[key]


def releases(slot: Slot) -> tuple[int | None, int | None, int | None]:
    """Releases that play, played before, and wait."""
    current, previous, following = (
        one.release if one else None for one in (slot.current, slot.previous, slot.next)
    )
    return current, previous, following


def test_the_first_set_needs_no_probation(data: DataDir) -> None:
    assert activate(data, chosen(1)) is True
    slot = slot_of(data)
    assert (releases(slot), slot.probation, slot.main) == ((1, None, None), None, True)


def test_a_staged_set_waits_and_changes_nothing_that_plays(data: DataDir) -> None:
    activate(data, chosen(1))
    assert stage(data, KEY, chosen(2)) is True
    assert releases(slot_of(data)) == (1, None, 2)
    active = read_active(data)
    assert active is not None
    assert active.current.release == 1


def test_the_waiting_set_plays_on_probation_and_keeps_the_one_before(data: DataDir) -> None:
    activate(data, chosen(1))
    stage(data, KEY, chosen(2))
    assert activate_next(data, KEY, LATER) is True
    slot = slot_of(data)
    assert releases(slot) == (2, 1, None)
    assert slot.probation is not None
    assert slot.current is not None
    assert (slot.probation.since, slot.current.activated_at) == (LATER, LATER)
    assert activate_next(data, KEY, LATER) is False


def test_a_confirmed_set_is_on_probation_no_more(data: DataDir) -> None:
    activate(data, chosen(1))
    activate(data, chosen(2))
    assert confirm(data, KEY) is True
    assert confirm(data, KEY) is False
    assert (releases(slot_of(data)), slot_of(data).probation) == ((2, 1, None), None)
    assert give_back(data, KEY, "page-errors", LATER) is False


def test_a_set_given_back_is_remembered_and_the_one_before_plays(data: DataDir) -> None:
    activate(data, chosen(1))
    activate(data, chosen(2))
    assert give_back(data, KEY, "page-errors", LATER) is True
    slot = slot_of(data)
    assert releases(slot) == (1, None, None)
    assert slot.returned is not None
    assert (slot.returned.release, slot.returned.reason) == (2, "page-errors")
    assert is_returned(slot, chosen(2).manifest)
    assert not is_returned(slot, chosen(3).manifest)
    activate(data, chosen(3))
    assert slot_of(data).returned is None


def test_what_never_played_healthily_is_nothing_to_return_to(data: DataDir) -> None:
    for release in (1, 2, 3):
        activate(data, chosen(release))
    assert releases(slot_of(data)) == (3, 1, None)
    give_back(data, KEY, "page-silent", LATER)
    assert releases(slot_of(data)) == (1, None, None)


def test_starts_are_counted_while_on_probation_alone(data: DataDir) -> None:
    activate(data, chosen(1))
    assert note_start(data, KEY) == 0
    activate(data, chosen(2))
    assert [note_start(data, KEY), note_start(data, KEY)] == [1, 2]
    confirm(data, KEY)
    assert note_start(data, KEY) == 0


def test_an_older_release_is_refused_against_what_plays_and_what_waits(data: DataDir) -> None:
    activate(data, chosen(4))
    stage(data, KEY, chosen(6))
    before = data.active.read_bytes()
    for release in (3, 5):
        with pytest.raises(Rollback, match=f"or newer, got {release}"):
            stage(data, KEY, chosen(release))
    assert data.active.read_bytes() == before
    assert stage(data, KEY, chosen(3, anchor="b" * 16)) is True


def test_the_same_content_offered_again_writes_nothing(data: DataDir) -> None:
    activate(data, chosen(1))
    before = data.active.stat().st_ino
    assert activate(data, chosen(1, activated_at=LATER)) is False
    assert stage(data, KEY, chosen(1, activated_at=LATER)) is False
    assert data.active.stat().st_ino == before
    stage(data, KEY, chosen(2))
    waiting = data.active.stat().st_ino
    assert stage(data, KEY, chosen(2, activated_at=LATER)) is True
    assert data.active.stat().st_ino == waiting


def test_what_plays_offered_again_drops_what_waited(data: DataDir) -> None:
    activate(data, chosen(1))
    stage(data, KEY, chosen(1, languages=("en",)))
    assert releases(slot_of(data)) == (1, None, 1)
    assert stage(data, KEY, chosen(1)) is False
    assert releases(slot_of(data)) == (1, None, None)


def test_another_package_waits_in_its_own_slot_while_the_old_one_plays(data: DataDir) -> None:
    activate(data, chosen(5))
    stage(data, "noir/live", chosen(1, "noir"))
    active = read_active(data)
    assert active is not None
    assert active.current.package == "harbour"
    activate_next(data, "noir/live", LATER)
    active = read_active(data)
    assert active is not None
    assert (active.current.package, active.previous and active.previous.package) == (
        "noir",
        "harbour",
    )
    assert not slot_of(data).main


def test_another_package_given_back_leaves_the_old_one_its_place(data: DataDir) -> None:
    activate(data, chosen(5))
    activate(data, chosen(1, "noir"))
    assert give_back(data, "noir/live", "page-crashed", LATER) is True
    active = read_active(data)
    assert active is not None
    assert (active.current.package, active.current.release) == ("harbour", 5)
    assert slot_of(data, "noir/live").current is None
    assert slot_of(data, "noir/live").returned is not None
    # The assigned package's next release gets its chance.
    activate(data, chosen(2, "noir"))
    active = read_active(data)
    assert active is not None
    assert (active.current.package, active.current.release) == ("noir", 2)


def test_a_programmes_package_is_held_without_taking_the_screen(data: DataDir) -> None:
    activate(data, chosen(5))
    activate(data, chosen(1, "noir"), main=False)
    slots = read_slots(data)
    found = main_slot(slots)
    assert found is not None
    assert found.key == KEY
    assert slots["noir/live"].previous is None
    assert slots["noir/live"].probation is None


def test_slots_nobody_wants_are_forgotten_but_never_what_plays(data: DataDir) -> None:
    activate(data, chosen(5))
    activate(data, chosen(1, "noir"), main=False)
    assert keep_slots(data, [KEY, "noir/live"]) is False
    assert keep_slots(data, ["lamp/live"]) is True
    assert set(read_slots(data)) == {KEY}


def test_a_pointer_of_the_first_format_is_read_and_grows_slots(data: DataDir) -> None:
    first = {
        "manifest": "07" * 32,
        "package": "harbour",
        "channel": "live",
        "release": 7,
        "profile": "tablet",
        "languages": ["en", "ja"],
        "timezone": "Asia/Tokyo",
        "anchor": "a" * 16,
        "activated_at": "2026-11-24T06:00:00+00:00",
    }
    data.active.write_text(json.dumps({**first, "previous": {**first, "release": 6}}))
    active = read_active(data)
    assert active is not None
    assert (active.current.release, active.previous and active.previous.release) == (7, 6)
    stage(data, KEY, chosen(8))
    assert json.loads(data.active.read_text())["format"] == 2
    assert releases(slot_of(data)) == (7, 6, 8)


def test_a_damaged_slot_takes_no_other_with_it(data: DataDir) -> None:
    activate(data, chosen(5))
    found = json.loads(data.active.read_text())
    found["slots"]["noir/live"] = {"current": {"manifest": 3}, "next": "x", "probation": []}
    found["slots"]["nonsense"] = found["slots"][KEY]
    found["slots"]["lamp/live"] = None
    data.active.write_text(json.dumps(found))
    assert set(read_slots(data)) == {KEY, "noir/live"}
    assert slot_of(data, "noir/live").current is None
    active = read_active(data)
    assert active is not None
    assert active.current.release == 5


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"slots": 3}', b'{"format": 2}', b"\xff"])
def test_a_pointer_that_does_not_read_is_as_none(data: DataDir, raw: bytes) -> None:
    data.active.write_bytes(raw)
    assert read_slots(data) == {}
    assert read_active(data) is None


def test_sets_with_other_languages_have_another_tag() -> None:
    tags = {
        chosen(1).tag,
        chosen(2).tag,
        chosen(1, languages=("en",)).tag,
        chosen(1, profile="wall").tag,
    }
    assert len(tags) == 4
    assert chosen(1, activated_at=LATER).tag == chosen(1).tag
