"""A signed repository on a real disk, and the stock TUF client to judge it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from content_api.repository import keys, metadata
from content_api.repository.service import init_repository
from content_api.repository.store import write_manifest
from content_api.settings import Settings, load_settings, prepare_data_dir

TARGET = "packages/harbour/live.json"


class FolderFetcher(FetcherInterface):
    """Answers the stock client from a folder, as a static server would."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.asked: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = urlsplit(url).path.lstrip("/")
        self.asked.append(path)
        try:
            return iter([(self.folder / path).read_bytes()])
        except FileNotFoundError:
            raise DownloadHTTPError(f"no {path}", 404) from None


class StockClient:
    """`tuf.ngclient.Updater` with a memory: what a device trusts between two polls."""

    def __init__(self, folder: Path, home: Path, root: bytes) -> None:
        self.home, self.root = home, root
        (home / "metadata").mkdir(parents=True)
        (home / "targets").mkdir()
        self.fetcher = FolderFetcher(folder)

    def refresh(self) -> Updater:
        """Run the client workflow."""
        updater = Updater(
            str(self.home / "metadata"),
            "http://repository/metadata/",
            str(self.home / "targets"),
            "http://repository/targets/",
            fetcher=self.fetcher,
            bootstrap=self.root,
        )
        updater.refresh()
        return updater

    def manifest(self, target: str = TARGET) -> bytes:
        """The manifest the repository names, verified and fetched."""
        updater = self.refresh()
        info = updater.get_targetinfo(target)
        assert info is not None, f"{target} is not a target"
        return Path(updater.download_target(info)).read_bytes()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server without a database: the repository needs none."""
    found = load_settings({}, data_dir=tmp_path / "server")
    prepare_data_dir(found)
    return found


@pytest.fixture
def root_keys(tmp_path: Path) -> Path:
    """The folder the operator takes away."""
    return tmp_path / "offline"


@pytest.fixture
def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@pytest.fixture
def signed(settings: Settings, root_keys: Path, now: datetime) -> Settings:
    """A repository signed for the first time."""
    assert init_repository(settings, root_keys, now)
    return settings


@pytest.fixture
def new_client(settings: Settings, tmp_path: Path) -> Callable[..., StockClient]:
    """Makes stock clients that trust the root of this moment."""
    made: list[StockClient] = []

    def make(folder: Path | None = None) -> StockClient:
        home = tmp_path / f"client-{len(made)}"
        shutil.rmtree(home, ignore_errors=True)
        root = metadata.newest_root(settings.repository_dir)
        made.append(StockClient(folder or settings.repository_dir, home, root))
        return made[-1]

    return make


def publish(settings: Settings, raw: bytes, now: datetime, target: str = TARGET) -> str:
    """Sign `raw` as the manifest of `target`."""
    sha256 = write_manifest(settings.repository_dir, target, raw)
    metadata.publish_target(
        settings.repository_dir,
        target,
        metadata.TargetInfo(sha256, len(raw)),
        keys.load_online(settings.keys_dir),
        now,
    )
    return sha256
