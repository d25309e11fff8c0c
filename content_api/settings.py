"""Settings: read once from the environment and the command line, then passed on as one value.

Nothing else reads `os.environ`. A setting that cannot be used is refused here,
in one line that names it and says what was expected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

DEFAULT_DATA_DIR = "lampisterie-data"


class SettingsError(ValueError):
    """A setting cannot be used; the message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server keeps its files and how it is reached. Sizes in bytes, times in seconds."""

    data_dir: Path
    database_url: str
    public_url: str = ""
    max_upload: int = 2 * 1024**3
    max_pixels: int = 120_000_000
    trusted_proxies: int = 0
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_name: str = ""
    four_eyes: bool = False
    plays_days: int = 730
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_from: str = ""
    allow_private_hooks: bool = False

    @property
    def repository_dir(self) -> Path:
        """The signed static tree that displays read."""
        return self.data_dir / "repository"

    @property
    def originals_dir(self) -> Path:
        """Uploaded files as they came, by SHA-256; never public."""
        return self.data_dir / "originals"

    @property
    def renditions_dir(self) -> Path:
        """Encodings made from originals, by SHA-256."""
        return self.data_dir / "renditions"

    @property
    def screenshots_dir(self) -> Path:
        """The last picture of each device's screen, made again from what the device sent."""
        return self.data_dir / "screenshots"

    @property
    def types_dir(self) -> Path:
        """The content types, one YAML file each."""
        return self.data_dir / "types"

    @property
    def keys_dir(self) -> Path:
        """Online signing keys, readable by the server's user alone."""
        return self.data_dir / "keys"

    @property
    def locks_dir(self) -> Path:
        """Files that processes lock, so that one publishes at a time."""
        return self.data_dir / "locks"


def load_settings(
    environ: Mapping[str, str] | None = None, *, data_dir: str | Path | None = None, **changes: Any
) -> Settings:
    """Settings from `CONTENT_API_…` variables; arguments win over them.

    Raises:
        SettingsError: a value cannot be used.
    """
    environ = os.environ if environ is None else environ
    folder = Path(data_dir or environ.get("CONTENT_API_DATA") or DEFAULT_DATA_DIR).absolute()
    settings = Settings(
        data_dir=folder,
        database_url=environ.get("CONTENT_API_DATABASE")
        or f"sqlite:///{folder / 'content.sqlite3'}",
        public_url=_public_url(environ.get("CONTENT_API_PUBLIC_URL", "")),
        max_upload=_whole(environ, "CONTENT_API_MAX_UPLOAD", 2 * 1024**3),
        max_pixels=_whole(environ, "CONTENT_API_MAX_PIXELS", 120_000_000),
        trusted_proxies=_whole(environ, "CONTENT_API_TRUSTED_PROXIES", 0),
        four_eyes=_yes_no(environ, "CONTENT_API_FOUR_EYES"),
        plays_days=_whole(environ, "CONTENT_API_PLAYS_DAYS", 730),
        allow_private_hooks=_yes_no(environ, "CONTENT_API_ALLOW_PRIVATE_HOOKS"),
    )
    if not settings.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise SettingsError(
            "CONTENT_API_DATABASE: expected sqlite:///FILE or postgresql+psycopg://…, "
            f"got a URL that starts with {settings.database_url.split(':', 1)[0]!r}"
        )
    given: dict[str, Any] = {**_openid(environ), **_smtp(environ), **changes}
    return replace(settings, **given)


def prepare_data_dir(settings: Settings) -> None:
    """Make the data directory and its folders, private to this user.

    Raises:
        SettingsError: the directory cannot be made or written.
    """
    folders = [
        settings.data_dir,
        settings.originals_dir,
        settings.renditions_dir,
        settings.repository_dir,
        settings.types_dir,
        settings.keys_dir,
        settings.locks_dir,
        settings.screenshots_dir,
    ]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        settings.keys_dir.chmod(0o700)
        probe = settings.data_dir / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"data directory {settings.data_dir}: expected a folder this user can write: "
            f"{error.strerror}"
        ) from error


def current_settings() -> Settings:
    """The settings of the running app."""
    settings: Settings = current_app.extensions["lampisterie_settings"]
    return settings


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name}: expected a whole number, got {text!r}")
    return int(text)


def _yes_no(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in ("", "0", "1", "no", "yes", "false", "true"):
        raise SettingsError(f"{name}: expected yes or no, got {text!r}")
    return text in ("1", "yes", "true")


def _openid(environ: Mapping[str, str]) -> dict[str, str]:
    issuer = environ.get("CONTENT_API_OIDC_ISSUER", "")
    if not issuer:
        return {}
    parts = urlsplit(issuer)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.netloc or (parts.scheme != "https" and not (local and parts.scheme == "http")):
        raise SettingsError(f"CONTENT_API_OIDC_ISSUER: expected https://host, got {issuer!r}")
    needed = ("CONTENT_API_OIDC_CLIENT_ID", "CONTENT_API_OIDC_CLIENT_SECRET")
    for name in needed:
        if not environ.get(name):
            raise SettingsError(f"{name}: expected what the provider gave, got nothing")
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": environ[needed[0]],
        "oidc_client_secret": environ[needed[1]],
        "oidc_name": environ.get("CONTENT_API_OIDC_NAME", ""),
    }


def _smtp(environ: Mapping[str, str]) -> dict[str, Any]:
    host = environ.get("CONTENT_API_SMTP_HOST", "")
    if not host:
        return {}
    security = environ.get("CONTENT_API_SMTP_SECURITY") or "starttls"
    ports = {"starttls": 587, "tls": 465, "none": 25}
    if security not in ports:
        raise SettingsError(
            f"CONTENT_API_SMTP_SECURITY: expected starttls, tls or none, got {security!r}"
        )
    sender = environ.get("CONTENT_API_SMTP_FROM", "")
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", sender):
        raise SettingsError(
            f"CONTENT_API_SMTP_FROM: expected the address that alerts come from, got {sender!r}"
        )
    return {
        "smtp_host": host,
        "smtp_port": _whole(environ, "CONTENT_API_SMTP_PORT", ports[security]),
        "smtp_security": security,
        "smtp_user": environ.get("CONTENT_API_SMTP_USER", ""),
        "smtp_password": environ.get("CONTENT_API_SMTP_PASSWORD", ""),
        "smtp_from": sender,
    }


def _public_url(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(f"CONTENT_API_PUBLIC_URL: expected http(s)://host, got {text!r}")
    return text.rstrip("/")
