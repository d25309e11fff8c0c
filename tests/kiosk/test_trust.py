"""Time, versions and python-tuf's insides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.ngclient import Updater

from kiosk_client import trust
from kiosk_client.errors import MetadataExpired, NotTrusted, Rollback
from kiosk_client.trust import BUILT, Accepted, Verified
from kiosk_client.wire import Wire
from tests.kiosk.conftest import PATIENCE, Kiosk
from tests.kiosk.simulator import Origin

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def refresh(
    origin: Origin, folder: Path, at: datetime, accepted: Accepted | None = None
) -> Verified:
    wire = Wire(limits=PATIENCE)
    try:
        return trust.refresh(
            metadata_dir=folder,
            metadata_url=origin.url + "repository/metadata/",
            root=origin.files["metadata/1.root.json"],
            fetcher=trust.MetadataFetcher(wire),
            accepted=accepted or Accepted(),
            at=at,
        )
    finally:
        wire.close()


@pytest.mark.parametrize(
    ("now", "at", "trusted"),
    [
        (NOON + DAY, NOON + DAY, True),
        (NOON, NOON, True),
        (NOON - DAY, NOON, False),
        (datetime(1970, 1, 1, tzinfo=UTC), NOON, False),
    ],
)
def test_the_time_of_judgement_is_the_clock_or_the_floor(
    now: datetime, at: datetime, trusted: bool
) -> None:
    found = trust.reference_time(now, NOON)
    assert (found.at, found.clock_trusted) == (at, trusted)


def test_the_floor_rises_to_what_clock_and_server_agree_on() -> None:
    start = Accepted(floor=NOON)
    assert trust.raise_floor(start, now=NOON + DAY, server_time=NOON + 2 * DAY).floor == NOON + DAY
    assert trust.raise_floor(start, now=NOON + 2 * DAY, server_time=NOON + DAY).floor == NOON + DAY


def test_the_floor_never_falls_and_no_single_witness_raises_it() -> None:
    start = Accepted(floor=NOON)
    far = datetime(2099, 1, 1, tzinfo=UTC)
    assert trust.raise_floor(start, now=far).floor == NOON
    assert trust.raise_floor(start, now=NOON - DAY, server_time=far).floor == NOON
    assert trust.raise_floor(start, now=NOON + DAY, server_time=NOON - DAY).floor == NOON


def verified_at(published_at: datetime) -> Verified:
    return Verified(published_at, {}, {}, None)  # type: ignore[arg-type]


def test_the_floor_rises_to_the_last_signature() -> None:
    assert Accepted().floor == BUILT
    start = Accepted(floor=NOON)
    signed = trust.accept(start, verified_at(NOON + DAY), NOON + 2 * DAY)
    assert (signed.floor, signed.published_at) == (NOON + DAY, NOON + DAY)
    assert trust.accept(signed, verified_at(NOON), NOON + 2 * DAY).floor == NOON + DAY
    asleep = trust.accept(start, verified_at(NOON + DAY), datetime(1970, 1, 1, tzinfo=UTC))
    assert asleep.floor == NOON + DAY


def test_a_publishers_clock_in_2099_does_not_bar_what_is_signed_rightly_later() -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC)
    assert trust.accept(Accepted(floor=NOON), verified_at(far), NOON + DAY).floor == NOON + DAY


def test_what_was_accepted_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    kept = Accepted(NOON, NOON, {"timestamp": 3}, {"timestamp": ("k1",)})
    trust.save_accepted(path, kept)
    assert trust.load_accepted(path) == kept
    path.write_bytes(b"{half")
    assert trust.load_accepted(path) == Accepted()


def test_a_new_enrolment_forgets_versions_and_not_the_time(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    trust.save_accepted(path, Accepted(NOON, NOON, {"timestamp": 3}, {"timestamp": ("k1",)}))
    trust.start_anew(path)
    assert trust.load_accepted(path) == Accepted(floor=NOON)


def test_lower_versions_pass_only_after_a_rotation_of_keys() -> None:
    keys = dict.fromkeys(("timestamp", "snapshot", "targets"), ("k1",))
    before = Accepted(versions={"timestamp": 5, "snapshot": 5, "targets": 5}, keys=keys)
    lower = {"timestamp": 5, "snapshot": 4, "targets": 5}
    with pytest.raises(Rollback, match="snapshot version 5 or newer, got 4"):
        trust.check_versions(before, Verified(None, lower, keys, None))  # type: ignore[arg-type]
    rotated = {**keys, "snapshot": ("k2",)}
    trust.check_versions(before, Verified(None, lower, rotated, None))  # type: ignore[arg-type]


def test_python_tuf_still_judges_at_the_time_we_set(origin: Origin, tmp_path: Path) -> None:
    """The one place that reaches into python-tuf: fails when upstream changes it."""
    origin.publish()
    with pytest.raises(MetadataExpired):
        refresh(origin, tmp_path / "late", datetime.now(UTC) + 31 * DAY)
    origin.refresh(days=-3)
    with pytest.raises(MetadataExpired):
        refresh(origin, tmp_path / "now", datetime.now(UTC))
    verified = refresh(origin, tmp_path / "early", datetime.now(UTC) - 5 * DAY)
    assert verified.published_at == origin.published_at
    assert verified.versions == {"timestamp": 3, "snapshot": 2, "targets": 2}


def test_another_python_tuf_is_noticed_at_once(origin: Origin, tmp_path: Path) -> None:
    class Changed:
        _trusted_set = object()

    with pytest.raises(RuntimeError, match="another python-tuf"):
        trust.judge_at(Changed(), NOON)  # type: ignore[arg-type]
    updater = Updater(str(tmp_path), origin.url, bootstrap=origin.files["metadata/1.root.json"])
    trust.judge_at(updater, NOON)
    assert updater._trusted_set.reference_time == NOON


def test_a_signature_that_fails_once_is_tried_again(origin: Origin, tmp_path: Path) -> None:
    origin.publish()
    right = origin.files["metadata/timestamp.json"]
    origin.sign_with_strange_key("timestamp")
    wrong = origin.files["metadata/timestamp.json"]
    assert right != wrong
    asked: list[str] = []

    class Flaky(trust.MetadataFetcher):
        def download_bytes(self, url: str, max_length: int) -> bytes:
            if url.endswith("timestamp.json"):
                asked.append(url)
                origin.files["metadata/timestamp.json"] = wrong if len(asked) == 1 else right
            return super().download_bytes(url, max_length)

    wire = Wire(limits=PATIENCE)
    verified = trust.refresh(
        metadata_dir=tmp_path / "m",
        metadata_url=origin.url + "repository/metadata/",
        root=origin.root_bytes(),
        fetcher=Flaky(wire),
        accepted=Accepted(),
        at=datetime.now(UTC),
    )
    wire.close()
    assert verified.versions["timestamp"] == 2
    assert len(asked) == 2


def test_a_refused_refresh_leaves_the_local_metadata_as_it_was(
    origin: Origin, tmp_path: Path
) -> None:
    origin.publish()
    refresh(origin, tmp_path / "m", datetime.now(UTC))
    names = ("timestamp.json", "snapshot.json", "targets.json")
    before = {name: (tmp_path / "m" / name).read_bytes() for name in names}
    origin.sign_with_strange_key("timestamp")
    with pytest.raises(NotTrusted):
        refresh(origin, tmp_path / "m", datetime.now(UTC))
    assert {name: (tmp_path / "m" / name).read_bytes() for name in names} == before


def test_a_published_at_that_is_no_time_is_ignored(origin: Origin, tmp_path: Path) -> None:
    for odd in ("soon", 5, "2026-11-24T06:00:00"):
        assert trust._published_at({"published_at": odd}) is None


@pytest.mark.parametrize("raw", [b"", b"{}", b"<html>", b'{"signed": {"_type": "timestamp"}}'])
def test_a_first_root_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(NotTrusted, match="signed root"):
        trust.check_root(raw)


def test_a_first_root_must_be_signed_by_its_own_keys(origin: Origin) -> None:
    assert trust.check_root(origin.root_bytes()) == 1
    tampered = origin.root_bytes().replace(b'"version":1', b'"version":2')
    assert tampered != origin.root_bytes()
    with pytest.raises(NotTrusted):
        trust.check_root(tampered)


def test_a_kiosk_keeps_no_temporary_file_of_python_tuf(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    assert not list(kiosk.data.metadata.glob("tmp*"))


def conditions(origin: Origin) -> list[int]:
    return [hit.status for hit in origin.asked(r"timestamp\.json")]


def test_a_timestamp_that_is_here_is_asked_for_by_its_tag(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    for _ in range(3):
        kiosk.sync()
    assert conditions(origin) == [200, 304, 304]
    origin.publish()
    kiosk.sync()
    kiosk.sync()
    assert conditions(origin)[3:] == [200, 304]
    assert kiosk.release == 2


@pytest.mark.parametrize("name", ["timestamp.json", "timestamp.tag"])
@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"url":1}'])
def test_a_tag_that_does_not_belong_to_what_is_here_is_not_used(
    kiosk: Kiosk, origin: Origin, name: str, raw: bytes
) -> None:
    origin.publish()
    kiosk.sync()
    (kiosk.data.metadata / name).write_bytes(raw)
    assert kiosk.sync().outcome == "unchanged"
    assert conditions(origin) == [200, 200]


def test_not_modified_does_not_keep_a_timestamp_from_expiring(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    kiosk.clock = datetime.now(UTC) + 31 * DAY
    with pytest.raises(MetadataExpired):
        kiosk.sync()
    assert conditions(origin) == [200, 304]


def test_a_refused_timestamp_leaves_no_tag(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.sign_with_strange_key("timestamp")
    with pytest.raises(NotTrusted):
        kiosk.sync()
    assert not (kiosk.data.metadata / "timestamp.tag").exists()


@pytest.mark.parametrize(
    ("headers", "strong"),
    [
        ({"etag": '"a"'}, True),
        ({"etag": 'W/"a"'}, False),
        ({"etag": '"'}, False),
        ({}, False),
        (
            {
                "etag": '"a"',
                "last-modified": "Tue, 24 Nov 2026 06:00:00 GMT",
                "date": "Tue, 24 Nov 2026 06:00:01 GMT",
            },
            False,
        ),
        (
            {
                "etag": '"a"',
                "last-modified": "Tue, 24 Nov 2026 06:00:00 GMT",
                "date": "Tue, 24 Nov 2026 06:00:02 GMT",
            },
            True,
        ),
        ({"etag": '"a"', "last-modified": "yesterday", "date": "today"}, False),
    ],
)
def test_a_tag_counts_when_it_surely_changes_with_the_bytes(
    headers: dict[str, str], strong: bool
) -> None:
    assert trust.is_strong(headers) is strong
