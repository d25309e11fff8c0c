"""The venue's PIN: kept as a hash, judged slowly, and no try is ever given back."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from kiosk_client import pin as pins
from kiosk_client.cli import main
from kiosk_client.config import Assignment, DataDir, save_assignment
from kiosk_client.errors import KioskError, PinThrottled
from kiosk_client.pin import check_pin, hash_pin, kept_hash, pin_matches, save_pin
from tests.kiosk.conftest import Kiosk

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def venue(kiosk: Kiosk) -> DataDir:
    save_pin(kiosk.data, "4711")
    return kiosk.data


def wrong(data: DataDir, times: int, now: datetime = NOON) -> None:
    for _ in range(times):
        assert check_pin(data, "0000", now) is False


def test_a_hash_says_how_it_was_made_and_never_the_pin() -> None:
    kept = hash_pin("4711")
    assert kept.startswith("scrypt$16384$8$1$")
    assert "4711" not in kept.split("$")
    assert hash_pin("4711") != kept
    assert pin_matches(kept, "4711")
    assert not pin_matches(kept, "4712")


@pytest.mark.parametrize("typed", ["４７１１", " 47 11 ", "47-11"])
def test_a_pin_is_understood_as_people_type_it(typed: str) -> None:
    assert pin_matches(hash_pin("4711"), typed)


@pytest.mark.parametrize("bad", ["", "123", "1234567890123", "abcd", "12x4"])
def test_what_is_no_pin_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(KioskError, match="4 to 12 digits") as raised:
        hash_pin(bad)
    assert not bad or bad not in str(raised.value).replace("4 to 12", "")


@pytest.mark.parametrize(
    "kept", ["", "scrypt", "scrypt$a$8$1$AA==$AA==", "scrypt$1073741824$8$1$AA==$AA==", "x$1$1$1$$"]
)
def test_a_hash_that_does_not_read_or_takes_all_memory_opens_nothing(kept: str) -> None:
    assert pin_matches(kept, "4711") is False


def test_the_right_pin_opens_and_forgets_the_wrong_ones(venue: DataDir) -> None:
    wrong(venue, 4)
    assert check_pin(venue, "4711", NOON) is True
    wrong(venue, 5)


def test_the_sixth_try_waits_and_each_further_one_longer(venue: DataDir) -> None:
    wrong(venue, 5)
    with pytest.raises(PinThrottled, match="wait 30 seconds"):
        check_pin(venue, "4711", NOON)
    later = NOON + timedelta(seconds=31)
    wrong(venue, 1, later)
    with pytest.raises(PinThrottled) as raised:
        check_pin(venue, "4711", later + timedelta(seconds=1))
    assert raised.value.seconds == 59
    assert check_pin(venue, "4711", later + timedelta(seconds=61)) is True


def test_a_wait_never_grows_beyond_an_hour(venue: DataDir) -> None:
    (venue.root / "pin.json").write_text(json.dumps({"wrong": 4000, "last": NOON.isoformat()}))
    with pytest.raises(PinThrottled) as raised:
        check_pin(venue, "4711", NOON)
    assert raised.value.seconds == 3600


def test_a_restart_and_a_clock_set_back_give_no_try_back_and_lock_nobody_out(
    venue: DataDir,
) -> None:
    wrong(venue, 5)
    long_ago = datetime(1970, 1, 2, tzinfo=UTC)
    with pytest.raises(PinThrottled) as raised:
        check_pin(venue, "4711", long_ago)
    assert raised.value.seconds == 30
    assert check_pin(venue, "4711", long_ago + timedelta(seconds=31)) is True


def test_a_disk_that_takes_no_writes_still_counts(
    venue: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(pins, "write_json", refuse)
    wrong(venue, 5)
    with pytest.raises(PinThrottled):
        check_pin(venue, "4711", NOON)
    monkeypatch.undo()
    pins._unwritten.clear()


def test_without_a_pin_nobody_comes_in(kiosk: Kiosk) -> None:
    assert kept_hash(kiosk.data) is None
    assert check_pin(kiosk.data, "0000", NOON) is False


def test_the_venue_s_own_pin_comes_before_the_server_s(kiosk: Kiosk) -> None:
    settings = {"technician_pin": hash_pin("1111")}
    save_assignment(
        kiosk.data,
        Assignment("harbour", "live", "full", ("en",), "Europe/Paris", 1, settings),
    )
    assert check_pin(kiosk.data, "1111", NOON) is True
    save_pin(kiosk.data, "2222")
    assert check_pin(kiosk.data, "1111", NOON) is False
    assert check_pin(kiosk.data, "2222", NOON) is True
    save_pin(kiosk.data, None)
    assert check_pin(kiosk.data, "1111", NOON) is True


def test_the_command_takes_the_pin_from_its_input_alone(kiosk: Kiosk) -> None:
    (kiosk.data.root / "settings.json").write_text('{"proxy": "http://10.0.0.1:3128"}')
    command = ["--data-dir", str(kiosk.data.root), "pin"]
    done = CliRunner().invoke(main, command, input="4711\n")
    assert (done.exit_code, done.output) == (0, "The PIN is set.\n")
    kept = kiosk.data.root / "settings.json"
    assert json.loads(kept.read_text())["proxy"] == "http://10.0.0.1:3128"
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert check_pin(kiosk.data, "4711", NOON)
    gone = CliRunner().invoke(main, [*command, "--remove"])
    assert "opens for nobody" in gone.output
    assert kept_hash(kiosk.data) is None


def test_a_hash_for_the_server_is_printed_and_nothing_set(kiosk: Kiosk) -> None:
    command = ["--data-dir", str(kiosk.data.root), "pin", "--hash"]
    done = CliRunner().invoke(main, command, input="4711\n")
    assert pin_matches(done.output.strip(), "4711")
    assert kept_hash(kiosk.data) is None
