"""The repository is what the stock TUF client accepts, through every rotation and accident."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import ExpiredMetadataError

from content_api.problems import Conflict, NotReady
from content_api.repository import keys, metadata, service
from content_api.repository.store import RepositoryDamaged
from content_api.settings import Settings
from tests.repository.conftest import TARGET, StockClient, publish

NewClient = Callable[..., StockClient]


def versions(settings: Settings) -> dict[str, int]:
    """Version of each role's newest metadata."""
    found, _ = metadata.states(settings.repository_dir)
    return {state.role: state.version for state in found}


def names(settings: Settings) -> set[str]:
    """Names of the metadata files."""
    return {path.name for path in (settings.repository_dir / "metadata").iterdir()}


def test_the_stock_client_refreshes_and_fetches_the_manifest(
    signed: Settings, new_client: NewClient, now: datetime
) -> None:
    publish(signed, b'{"release":1}', now)
    assert new_client().manifest() == b'{"release":1}'


def test_a_copy_of_the_tree_works_like_the_tree(
    signed: Settings, new_client: NewClient, now: datetime, tmp_path: Path
) -> None:
    publish(signed, b"one", now)
    shutil.copytree(signed.repository_dir, tmp_path / "stick")
    publish(signed, b"two", now)
    assert new_client(tmp_path / "stick").manifest() == b"one"


def test_an_unchanged_poll_costs_two_small_requests(
    signed: Settings, new_client: NewClient, now: datetime
) -> None:
    publish(signed, b"one", now)
    client = new_client()
    client.manifest()
    client.fetcher.asked.clear()
    client.refresh()
    assert client.fetcher.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_a_first_signing_is_done_once_and_taken_up_when_it_was_cut_off(
    settings: Settings, root_keys: Path, now: datetime, new_client: NewClient
) -> None:
    service.init_repository(settings, root_keys, now)
    before = keys.load_online(settings.keys_dir)["targets"][0].public_key.keyid
    assert service.init_repository(settings, root_keys, now) is False
    (settings.repository_dir / "metadata" / "timestamp.json").unlink()
    assert service.init_repository(settings, root_keys, now) is True
    assert keys.load_online(settings.keys_dir)["targets"][0].public_key.keyid == before
    new_client().refresh()


def test_private_keys_are_readable_by_their_owner_alone(signed: Settings, root_keys: Path) -> None:
    found = [*signed.keys_dir.glob("*.pem"), *root_keys.glob("*.pem")]
    assert len(found) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert b"PRIVATE" not in b"".join(
        path.read_bytes() for path in signed.repository_dir.rglob("*") if path.is_file()
    )


def test_root_needs_two_of_three_keys(signed: Settings, root_keys: Path, now: datetime) -> None:
    root = json.loads(metadata.newest_root(signed.repository_dir))["signed"]["roles"]["root"]
    assert (root["threshold"], len(root["keyids"])) == (2, 3)
    (root_keys / "root-2.pem").unlink()
    service.rotate_root(signed, root_keys, None, now)
    assert versions(signed)["root"] == 2


def test_one_root_key_alone_changes_nothing(
    signed: Settings, root_keys: Path, now: datetime
) -> None:
    (root_keys / "root-1.pem").unlink()
    (root_keys / "root-2.pem").unlink()
    before = names(signed)
    with pytest.raises(Conflict, match="threshold from 1 to 1"):
        service.rotate_root(signed, root_keys, None, now)
    with pytest.raises(RepositoryDamaged, match="expected enough of the keys"):
        service.rotate_root(signed, root_keys, None, now, threshold=1)
    assert names(signed) == before


def test_foreign_root_keys_are_refused(signed: Settings, now: datetime, tmp_path: Path) -> None:
    keys.ensure_root(tmp_path / "foreign", 3)
    before = names(signed)
    with pytest.raises(RepositoryDamaged, match="expected enough of the keys"):
        service.rotate_root(signed, tmp_path / "foreign", tmp_path / "foreign", now)
    assert names(signed) == before


def test_an_old_client_follows_three_root_rotations_and_new_online_keys(
    signed: Settings, root_keys: Path, new_client: NewClient, now: datetime, tmp_path: Path
) -> None:
    publish(signed, b"one", now)
    client = new_client()
    assert client.manifest() == b"one"
    folders = [root_keys, *(tmp_path / f"root-{number}" for number in range(3))]
    for old, new in itertools.pairwise(folders):
        service.rotate_root(signed, old, new, now)
    service.rotate_online(signed, folders[-1], now)
    publish(signed, b"two", now)
    assert client.manifest() == b"two"
    assert {"1.root.json", "2.root.json", "3.root.json", "4.root.json", "5.root.json"} <= names(
        signed
    )


class PowerCut(BaseException):
    """The machine stops here."""


@pytest.fixture
def cut_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets a number of files be written and stops the machine before the next."""
    real = metadata.write_atomically

    def arm(writes: int) -> None:
        left = [writes]

        def write(path: Path, raw: bytes, **more: Any) -> None:
            if not left[0]:
                raise PowerCut
            left[0] -= 1
            real(path, raw, **more)

        monkeypatch.setattr(metadata, "write_atomically", write)
        monkeypatch.setattr(keys, "write_atomically", write)

    return arm


def test_a_publication_cut_off_at_any_write_leaves_the_old_or_the_new(
    signed: Settings,
    new_client: NewClient,
    now: datetime,
    cut_after: Callable[[int], None],
) -> None:
    publish(signed, b"release 0", now)
    client = new_client()
    for writes in range(3):
        cut_after(writes)
        with pytest.raises(PowerCut):
            publish(signed, f"attempt {writes}".encode(), now)
        assert client.manifest() == f"release {writes}".encode()
        cut_after(99)
        publish(signed, f"release {writes + 1}".encode(), now)
        assert client.manifest() == f"release {writes + 1}".encode()


def test_a_file_that_a_crash_left_is_skipped_and_never_overwritten(
    signed: Settings, new_client: NewClient, now: datetime
) -> None:
    left = signed.repository_dir / "metadata" / "2.targets.json"
    left.write_bytes(b"half of something")
    publish(signed, b"one", now)
    assert left.read_bytes() == b"half of something"
    assert versions(signed)["targets"] == 3
    assert new_client().manifest() == b"one"


@pytest.mark.parametrize("writes", range(10))
def test_replacing_the_online_keys_may_be_cut_off_anywhere(
    signed: Settings,
    root_keys: Path,
    new_client: NewClient,
    now: datetime,
    cut_after: Callable[[int], None],
    writes: int,
) -> None:
    publish(signed, b"one", now)
    old = new_client()
    assert old.manifest() == b"one"
    cut_after(writes)
    with pytest.raises(PowerCut):
        service.rotate_online(signed, root_keys, now)
    assert old.manifest() == b"one"
    assert new_client().manifest() == b"one"
    cut_after(99)
    service.rotate_online(signed, root_keys, now)
    publish(signed, b"two", now)
    assert old.manifest() == b"two"
    assert new_client().manifest() == b"two"
    assert not list(signed.keys_dir.glob("*.next.pem"))


def test_the_timestamp_is_signed_again_after_a_day_with_the_next_version(
    signed: Settings, now: datetime, new_client: NewClient
) -> None:
    client = new_client()
    client.refresh()
    assert service.refresh(signed, now + timedelta(hours=23)) == []
    assert service.refresh(signed, now + timedelta(hours=25)) == ["timestamp"]
    assert versions(signed) == {"root": 1, "targets": 1, "snapshot": 1, "timestamp": 2}
    client.refresh()


def test_the_timestamp_says_when_it_was_signed(signed: Settings, now: datetime) -> None:
    raw = json.loads((signed.repository_dir / "metadata" / "timestamp.json").read_bytes())
    assert raw["signed"]["published_at"] == now.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_targets_and_snapshot_are_signed_again_before_half_of_their_life_is_gone(
    signed: Settings, now: datetime
) -> None:
    publish(signed, b"one", now)
    later = now + timedelta(days=183)
    assert service.refresh(signed, later) == ["targets", "snapshot", "timestamp"]
    states, signed_at = metadata.states(signed.repository_dir)
    assert all(state.expires > later for state in states)
    assert signed_at == later.replace(microsecond=0)
    assert set(metadata.targets(signed.repository_dir)) == {TARGET}


def test_a_signature_from_a_wrong_clocks_future_is_replaced(
    signed: Settings, now: datetime
) -> None:
    service.refresh(signed, now + timedelta(days=4000), force=True)
    assert service.refresh(signed, now) == ["timestamp"]
    assert metadata.states(signed.repository_dir)[1] == now.replace(microsecond=0)


def test_health_warns_at_half_life_and_says_what_to_do(signed: Settings, now: datetime) -> None:
    assert service.health(signed, now).level == "ok"
    stopped = service.health(signed, now + timedelta(days=11))
    assert stopped.level == "warning"
    assert "the daily signature does not run" in stopped.messages[0]
    assert service.health(signed, now + timedelta(days=22)).level == "expired"
    for day in range(0, 3 * 365, 170):
        service.refresh(signed, now + timedelta(days=day))
    late = service.health(signed, now + timedelta(days=3 * 365))
    assert any("bring the root keys" in message for message in late.messages)


def test_health_of_a_repository_that_was_never_signed_says_how(
    settings: Settings, now: datetime
) -> None:
    found = service.health(settings, now)
    assert found.level == "missing"
    assert "keys init" in found.messages[0]


def test_a_lost_key_is_told_in_one_line(signed: Settings, now: datetime) -> None:
    (signed.keys_dir / "timestamp.pem").unlink()
    assert service.health(signed, now).level == "warning"
    with pytest.raises(keys.KeysMissing, match="the signing key is missing"):
        service.refresh(signed, now + timedelta(days=2))


def test_without_the_daily_signature_the_stock_client_refuses_after_three_weeks(
    signed: Settings, now: datetime, new_client: NewClient
) -> None:
    service.refresh(signed, now - timedelta(days=22), force=True)
    with pytest.raises(ExpiredMetadataError):
        new_client().refresh()


def test_old_targets_and_snapshots_are_kept_for_a_grace_period_and_roots_for_ever(
    signed: Settings, root_keys: Path, now: datetime
) -> None:
    service.rotate_root(signed, root_keys, None, now)
    publish(signed, b"one", now)
    publish(signed, b"two", now)
    assert metadata.prune(signed.repository_dir, now) == 0
    long_ago = (now - timedelta(days=8)).timestamp()
    for name in ("2.targets.json", "2.snapshot.json"):
        os.utime(signed.repository_dir / "metadata" / name, (long_ago, long_ago))
    assert metadata.prune(signed.repository_dir, now) == 2
    assert names(signed) == {
        "1.root.json", "2.root.json", "2.targets.json", "2.snapshot.json",
        "3.targets.json", "3.snapshot.json", "timestamp.json",
    }  # fmt: skip


def test_one_process_writes_at_a_time(signed: Settings) -> None:
    with (
        service.repository_lock(signed),
        pytest.raises(NotReady, match="Another publication"),
        service.repository_lock(signed, wait=0.1),
    ):
        pass


def test_verify_finds_a_changed_signature(signed: Settings, now: datetime) -> None:
    publish(signed, b"one", now)
    path = signed.repository_dir / "metadata" / "timestamp.json"
    raw = json.loads(path.read_bytes())
    raw["signed"]["expires"] = "2099-01-01T00:00:00Z"
    path.write_text(json.dumps(raw))
    with pytest.raises(RepositoryDamaged, match="timestamp"):
        metadata.verify(signed.repository_dir)


@pytest.mark.parametrize("broken", [b"", b"{}", b"<html>", b'{"signed":1}'])
def test_metadata_that_cannot_be_read_is_refused_by_name(
    signed: Settings, broken: bytes, now: datetime
) -> None:
    (signed.repository_dir / "metadata" / "timestamp.json").write_bytes(broken)
    with pytest.raises(RepositoryDamaged, match=r"timestamp\.json"):
        metadata.targets(signed.repository_dir)
    assert service.health(signed, now).level == "missing"
