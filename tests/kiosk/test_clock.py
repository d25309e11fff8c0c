"""Whether the clock can be believed, and what is accepted when it cannot."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest

from kiosk_client import clock, trust
from kiosk_client.errors import KioskError, MetadataExpired, NoNetwork, Rollback
from kiosk_client.facts import device_facts, stale_days
from kiosk_client.trust import BUILT, Accepted
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour
from tests.torture.clocks import run

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("kernel", "touched", "confirmed"),
    [
        (True, None, NOON),
        (True, (NOON - DAY).timestamp(), NOON),
        (False, (NOON - DAY).timestamp(), NOON - DAY),
        (None, (NOON - DAY).timestamp(), NOON - DAY),
        (False, (NOON + DAY).timestamp(), None),
        (False, None, None),
        (None, None, None),
        (None, 1e300, None),
    ],
)
def test_a_time_is_confirmed_by_the_kernel_or_by_the_service(
    kernel: bool | None, touched: float | None, confirmed: datetime | None
) -> None:
    assert clock.confirmed_time(NOON, kernel=kernel, touched=touched) == confirmed


def test_the_kernel_is_asked_without_any_right_and_gives_an_answer() -> None:
    assert clock.kernel_synchronised() in (True, False, None)


def test_the_service_is_asked_by_when_it_set_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "synchronized"
    monkeypatch.setattr(clock, "SYNCHRONISED", mark)
    monkeypatch.setattr(clock, "kernel_synchronised", lambda: None)
    assert clock.ntp_time() is None
    mark.touch()
    found = clock.ntp_time()
    assert found is not None
    assert datetime.now(UTC) - found < timedelta(minutes=1)


def test_a_confirmed_time_raises_the_floor_and_is_kept(tmp_path: Path) -> None:
    start = Accepted(floor=NOON)
    raised = trust.raise_floor(start, now=NOON + DAY, ntp_time=NOON + DAY)
    assert (raised.floor, raised.last_ntp_at) == (NOON + DAY, NOON + DAY)
    again = trust.raise_floor(raised, now=NOON, ntp_time=NOON)
    assert (again.floor, again.last_ntp_at) == (NOON + DAY, NOON + DAY)
    trust.save_accepted(tmp_path / "trust.json", raised)
    assert trust.load_accepted(tmp_path / "trust.json") == raised


def test_a_time_server_that_the_content_server_contradicts_is_not_heard() -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC)
    found = trust.raise_floor(Accepted(floor=NOON), now=far, server_time=NOON + DAY, ntp_time=far)
    assert (found.floor, found.last_ntp_at) == (NOON + DAY, None)


def test_less_than_an_hour_is_not_worth_a_write() -> None:
    start = Accepted(floor=NOON, last_ntp_at=NOON)
    soon = NOON + timedelta(minutes=59)
    assert trust.raise_floor(start, now=soon, server_time=soon, ntp_time=soon) == start


def test_a_device_writes_down_what_a_time_server_confirmed(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiosk_client import sync as module

    now = datetime.now(UTC)
    monkeypatch.setattr(module, "ntp_time", lambda: now)
    origin.publish(harbour(film=5000))
    assert clock.last_ntp(kiosk.data) is None
    kiosk.sync(now=module.utc_now)
    assert clock.last_ntp(kiosk.data) == trust.last_ntp(kiosk.data) == now
    assert trust.load_accepted(kiosk.data.trust).floor >= now


def test_without_any_network_what_was_accepted_is_known_and_plays(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    before = kiosk.snapshot()
    origin.attack(".", "drop")
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(NoNetwork):
        kiosk.sync()
    assert kiosk.snapshot() == before
    assert device_facts(kiosk.data, kiosk.clock)["complete"] is True
    assert stale_days(kiosk.data, kiosk.clock) is None


def sign_a_year_on(origin: Origin, days: int = 400) -> None:
    """A source that went on signing while a device was away: nothing here has expired then."""
    for role in (origin.root, origin.targets, origin.snapshot, origin.timestamp):
        role.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days + 30)
    origin.published_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def test_a_device_comes_back_after_a_year_and_three_new_roots(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    sign_a_year_on(origin)
    origin.rotate_root()
    origin.rotate_root(role="timestamp")
    origin.rotate_root()
    origin.publish(harbour(edition=2, film=5000))
    kiosk.clock = datetime.now(UTC) + 400 * DAY
    assert kiosk.sync().outcome == "activated"
    assert kiosk.release == 2
    assert [hit.path[-11:] for hit in origin.asked(r"root\.json")][-4:] == [
        "2.root.json",
        "3.root.json",
        "4.root.json",
        "5.root.json",
    ]


def test_a_device_comes_back_after_a_year_with_its_clock_at_1970(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    sign_a_year_on(origin)
    origin.publish(harbour(edition=2, film=5000))
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    result = kiosk.sync()
    assert (result.outcome, result.clock_trusted) == ("activated", False)
    # The signature itself tells that a year has passed.
    assert trust.load_accepted(kiosk.data.trust).floor == origin.published_at


def test_a_source_nobody_signed_for_a_year_gives_nothing_new_and_plays_on(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    before = kiosk.snapshot()
    kiosk.clock = datetime.now(UTC) + 400 * DAY
    with pytest.raises(MetadataExpired, match="check this device's clock"):
        kiosk.sync()
    assert kiosk.snapshot() == before
    assert stale_days(kiosk.data, kiosk.clock) == 400


def refresh_from(folder: Path, kiosk: Kiosk, origin: Origin, **options: object) -> trust.Verified:
    """Take the metadata that `origin` has now from a folder, as from a stick."""
    folder.mkdir(exist_ok=True)
    for path, raw in origin.files.items():
        if path.startswith("metadata/"):
            (folder / path.removeprefix("metadata/")).write_bytes(raw)
    return trust.refresh(
        metadata_dir=kiosk.data.metadata,
        metadata_url="stick:/",
        root=origin.files["metadata/1.root.json"],
        fetcher=trust.FolderFetcher(folder),
        accepted=trust.load_accepted(kiosk.data.trust),
        at=kiosk.now(),
        **options,  # type: ignore[arg-type]
    )


def test_a_person_may_answer_for_an_expired_folder_and_for_nothing_else(
    kiosk: Kiosk, origin: Origin, tmp_path: Path
) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    older = origin.save()
    origin.publish(harbour(edition=2, film=5000))
    kiosk.clock = datetime.now(UTC) + 400 * DAY
    with pytest.raises(MetadataExpired):
        refresh_from(tmp_path / "stick", kiosk, origin)
    verified = refresh_from(tmp_path / "stick", kiosk, origin, ignore_expiry=True)
    assert verified.versions["targets"] == 3
    accepted = trust.load_accepted(kiosk.data.trust)
    trust.save_accepted(kiosk.data.trust, trust.accept(accepted, verified, kiosk.now()))
    # Versions still only go up, with the local cache and without it.
    origin.restore(older)
    (tmp_path / "stick").rename(tmp_path / "newer")
    for _ in range(2):
        with pytest.raises(Rollback):
            refresh_from(tmp_path / "stick", kiosk, origin, ignore_expiry=True)
        trust.forget_metadata(kiosk.data.metadata)
    origin.sign_with_strange_key("timestamp")
    with pytest.raises(KioskError, match="signed by trusted keys"):
        refresh_from(tmp_path / "stick", kiosk, origin, ignore_expiry=True)


@pytest.fixture
def fetcher(tmp_path: Path) -> trust.FolderFetcher:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"{}")
    return trust.FolderFetcher(tmp_path / "in")


def test_a_folder_is_read_by_name_and_to_a_bound(
    fetcher: trust.FolderFetcher, tmp_path: Path
) -> None:
    from tuf.api.exceptions import DownloadHTTPError

    assert fetcher.download_bytes("stick:/a.json", 2) == b"{}"
    assert fetcher.download_bytes("https://else.where/b/a.json", 2) == b"{}"
    with pytest.raises(KioskError, match="at most 1 bytes"):
        fetcher.download_bytes("stick:/a.json", 1)
    for name in ("b.json", "", "..", "."):
        with pytest.raises(DownloadHTTPError) as missing:
            fetcher.download_bytes(f"stick:/{name}", 9)
        assert missing.value.status_code == 404


def test_no_link_or_pipe_in_a_folder_is_followed(
    fetcher: trust.FolderFetcher, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_bytes(b"{}")
    (tmp_path / "in" / "link.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(tmp_path / "in" / "pipe.json")
    (tmp_path / "in" / "folder.json").mkdir()
    for name in ("link.json", "pipe.json", "folder.json"):
        with pytest.raises(KioskError, match=name):
            fetcher.download_bytes(f"stick:/{name}", 9)


def test_a_clock_that_jumps_while_a_sync_runs_changes_nothing_that_plays(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=5000))
    kiosk.sync()
    years = cycle([1970, 2099, 2000, 2038])
    lock = threading.Lock()

    def jumping() -> datetime:
        with lock:
            return datetime(next(years), 1, 19, 3, 14, 8, tzinfo=UTC)

    floor = trust.load_accepted(kiosk.data.trust).floor
    for _ in range(8):
        with contextlib.suppress(MetadataExpired):
            kiosk.sync(now=jumping)
        assert kiosk.release == 1
        now = trust.load_accepted(kiosk.data.trust).floor
        assert BUILT <= floor <= now < datetime(2030, 1, 1, tzinfo=UTC)
        floor = now


def test_clocks_of_every_year_in_short(tmp_path: Path) -> None:
    """The short form of tests/torture/clocks.py."""
    tally = run(2, seed=20261124, folder=tmp_path)
    assert tally.syncs >= 20
    assert tally.accepted
    assert tally.refused
