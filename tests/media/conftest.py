"""Files of every kind, made when the tests run, and a server whose editors can send them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pyvips
from flask import Flask
from flask.testing import FlaskClient

from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_token, create_user
from content_api.database import write_session
from content_api.settings import Settings
from tests.conftest import missing

TYPES = Path(__file__).parents[2] / "media" / "types"


def picture(width: int = 400, height: int = 300, *, seed: int = 1) -> pyvips.Image:
    """A picture like a photograph: soft shapes and some grain."""
    shapes = pyvips.Image.perlin(width, height, cell_size=64, seed=seed) * 90
    grain = pyvips.Image.gaussnoise(width, height, sigma=3, mean=128, seed=seed)
    grey = shapes + grain
    return (
        grey.bandjoin([grey.fliphor(), grey.flipver()]).cast("uchar").copy(interpretation="srgb")
    ).copy_memory()


def drawing(width: int = 400, height: int = 300) -> pyvips.Image:
    """A picture like a plan: flat colours and hard edges."""
    image = pyvips.Image.black(width, height, bands=3).linear(1, [250, 248, 240])
    image = image.cast("uchar").copy(interpretation="srgb")
    for step in range(10, min(width, height) // 2, 20):
        image = image.draw_rect([40, 60, 90], step, step, width - 2 * step, height - 2 * step)
    return image.copy_memory()


@pytest.fixture(scope="session")
def ffmpeg(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Make a sound or a film: arguments of ffmpeg and the name of what it writes."""
    program = shutil.which("ffmpeg")
    if program is None:
        missing("ffmpeg")
    folder = tmp_path_factory.mktemp("made")

    def make(name: str, *arguments: str) -> bytes:
        path = folder / name
        subprocess.run(
            [str(program), "-v", "error", "-y", *arguments, str(path)], check=True, timeout=60
        )
        return path.read_bytes()

    return make


SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
FILM = ("-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=2")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The server's settings, with the heritage content types in its data directory."""
    shutil.copytree(TYPES, settings.types_dir, dirs_exist_ok=True)
    return settings


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., dict[str, str]]:
    """Headers of a user with one role, narrowed or not."""

    def make(role: str, **narrowed: tuple[str, ...]) -> dict[str, str]:
        with write_session(app.extensions["lampisterie_engine"]) as session:
            name = f"{role}-{len(narrowed)}".replace("_", "-")
            user = create_user(session, SYSTEM, name=name, grants=[Grant(role, **narrowed)])
            _token, secret = create_token(
                session, SYSTEM, user.id, name="test", life=timedelta(hours=1)
            )
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def editor(sign_in: Callable[..., dict[str, str]]) -> dict[str, str]:
    """Headers of somebody who looks after pictures and sounds."""
    return sign_in("media")


@pytest.fixture
def send(client: FlaskClient, editor: dict[str, str]) -> Callable[..., object]:
    """Make an asset and send its file; the answer to the file."""

    def put(asset_id: str, content: bytes, filename: str | None = None) -> object:
        made = client.post("/api/v1/assets", json={"id": asset_id}, headers=editor)
        assert made.status_code in (201, 409), made.get_json()
        return client.put(
            f"/api/v1/assets/{asset_id}/file",
            data=content,
            headers=editor,
            query_string={"filename": filename} if filename else {},
        )

    return put


def stored_files(settings: Settings) -> list[Path]:
    """Every file of ours below the data directory that holds media."""
    return sorted(
        path
        for folder in (settings.originals_dir, settings.renditions_dir)
        for path in folder.rglob("*")
        if path.is_file()
    )
