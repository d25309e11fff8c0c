"""What we rely on inside python-tuf. A failure here means: read its changes, then change trust.py.

None of this is promised by its public interface.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import Updater
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from kiosk_client import trust
from kiosk_client.errors import MetadataExpired
from kiosk_client.wire import Wire
from tests.kiosk.conftest import PATIENCE
from tests.kiosk.simulator import Origin

CHANGED = "python-tuf changed inside: trust.py must change with it"


@pytest.fixture
def updater(origin: Origin, tmp_path: Path) -> Iterator[Updater]:
    origin.publish()
    wire = Wire(limits=PATIENCE)
    (tmp_path / "m").mkdir()
    yield Updater(
        str(tmp_path / "m"),
        origin.url + "repository/metadata/",
        fetcher=trust.MetadataFetcher(wire),
        bootstrap=origin.root_bytes(),
    )
    wire.close()


def test_the_time_of_judgement_is_one_attribute_set_at_the_start(updater: Updater) -> None:
    inside = updater._trusted_set
    assert isinstance(inside.reference_time, datetime), CHANGED
    assert abs(inside.reference_time - datetime.now(UTC)) < timedelta(minutes=1), CHANGED
    inside.reference_time = datetime(2099, 1, 1, tzinfo=UTC)
    with pytest.raises(ExpiredMetadataError):
        updater.refresh()


def test_every_expiry_is_compared_with_that_attribute() -> None:
    from tuf.ngclient._internal import trusted_metadata_set

    source = inspect.getsource(trusted_metadata_set)
    assert source.count("is_expired(self.reference_time)") == source.count("is_expired("), CHANGED
    assert source.count("datetime.now(") == 1, CHANGED
    assert "datetime" not in inspect.getsource(Updater), CHANGED


def test_nothing_has_expired_at_the_beginning_of_time(updater: Updater) -> None:
    trust.judge_at(updater, trust._NO_TIME)
    updater.refresh()
    for role in ("root", "timestamp", "snapshot", "targets"):
        assert not updater._trusted_set[role].is_expired(trust._NO_TIME), CHANGED


def test_the_trusted_set_gives_what_was_verified(updater: Updater) -> None:
    updater.refresh()
    inside = updater._trusted_set
    assert inside.timestamp.unrecognized_fields["published_at"], CHANGED
    assert inside["snapshot"].version == inside.snapshot.version == 2, CHANGED
    assert list(inside.snapshot.meta) == ["targets.json"], CHANGED
    assert inside.root.roles["timestamp"].keyids, CHANGED
    assert inside.root.consistent_snapshot is True, CHANGED


def test_local_metadata_lies_where_we_clean_it(updater: Updater, tmp_path: Path) -> None:
    updater.refresh()
    names = {path.name for path in (tmp_path / "m").iterdir()}
    assert names == {
        "root.json",
        "root_history",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
    }, CHANGED
    assert (tmp_path / "m" / "root.json").is_symlink(), CHANGED


def test_temporary_files_begin_as_we_sweep_them(
    updater: Updater, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    seen: list[str] = []
    real = os.replace

    def look(source: str, target: str) -> None:
        seen.append(Path(source).name)
        real(source, target)

    monkeypatch.setattr(os, "replace", look)
    updater.refresh()
    assert len(seen) == 3, CHANGED
    assert all(name.startswith("tmp") for name in seen), CHANGED


def test_a_root_of_our_own_is_taken_and_must_be_named() -> None:
    parameter = inspect.signature(Updater.__init__).parameters["bootstrap"]
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, CHANGED
    assert parameter.default is inspect.Parameter.empty, CHANGED


def test_the_fetcher_is_asked_for_bytes_alone(updater: Updater) -> None:
    asked: list[tuple[str, int]] = []
    real = updater._fetcher

    class Watching(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            raise AssertionError(CHANGED)

        def download_bytes(self, url: str, max_length: int) -> bytes:
            asked.append((url.rpartition("/")[2], max_length))
            return real.download_bytes(url, max_length)

    updater._fetcher = Watching()
    updater.refresh()
    assert asked == [
        ("2.root.json", 512_000),
        ("timestamp.json", 16_384),
        ("2.snapshot.json", 2_000_000),
        ("2.targets.json", 5_000_000),
    ], CHANGED


def test_our_own_errors_pass_through_it(updater: Updater) -> None:
    class Failing(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            raise AssertionError(CHANGED)

        def download_bytes(self, url: str, max_length: int) -> bytes:
            raise MetadataExpired("ours")

    updater._fetcher = Failing()
    with pytest.raises(MetadataExpired, match="ours"):
        updater.refresh()


def test_its_errors_have_the_kinship_we_map() -> None:
    for kind in (BadVersionNumberError, ExpiredMetadataError, LengthOrHashMismatchError):
        assert issubclass(kind, RepositoryError), CHANGED
    assert issubclass(DownloadHTTPError, DownloadError), CHANGED
    assert not issubclass(DownloadError, RepositoryError), CHANGED
    assert DownloadHTTPError("x", 404).status_code == 404, CHANGED


def test_its_bounds_are_those_we_count_on() -> None:
    config = UpdaterConfig()
    assert (config.max_root_rotations, config.root_max_length) == (256, 512_000), CHANGED
    assert (config.timestamp_max_length, config.targets_max_length) == (16_384, 5_000_000), CHANGED
    assert config.prefix_targets_with_hash is True, CHANGED


def test_a_first_root_is_checked_without_an_updater(origin: Origin) -> None:
    root = Metadata[Root].from_bytes(origin.root_bytes())
    root.verify_delegate(Root.type, root)


def test_a_root_json_lost_between_two_steps_is_made_again(
    origin: Origin, updater: Updater, tmp_path: Path
) -> None:
    """It is removed before it is linked anew; a power cut in between leaves none."""
    updater.refresh()
    (tmp_path / "m" / "root.json").unlink()
    (tmp_path / "m" / "root_history" / "1.root.json").write_bytes(b"")
    again = Updater(
        str(tmp_path / "m"),
        origin.url + "repository/metadata/",
        fetcher=updater._fetcher,
        bootstrap=origin.root_bytes(),
    )
    again.refresh()
    assert (tmp_path / "m" / "root.json").read_bytes() == origin.root_bytes(), CHANGED
