"""People who may do things, made without HTTP so that a test can begin where it matters."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from content_api.accounts.models import Token, User
from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_token, create_user
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.database import write_session
from content_api.devices.models import Device, Venue

PASSWORD = "fosse delloye 1931"


def make_user(app: Flask, name: str, *grants: Grant, password: str | None = None) -> User:
    """A user with these grants; without a password unless one is given, since hashing is slow."""
    with write_session(app.extensions["lampisterie_engine"]) as session:
        return create_user(session, SYSTEM, name=name, password=password, grants=grants)


def headers_of(app: Flask, user: User) -> dict[str, str]:
    """Headers that act as `user`."""
    _, secret = make_token(app, user)
    return bearer(secret)


def make_token(app: Flask, user: User) -> tuple[Token, str]:
    """An API token of `user` and its secret."""
    with write_session(app.extensions["lampisterie_engine"]) as session:
        return create_token(session, SYSTEM, user.id, name="test", life=timedelta(days=1))


def sign_up(app: Flask, name: str, *grants: Grant) -> dict[str, str]:
    """Headers of a new user with these grants."""
    return headers_of(app, make_user(app, name, *grants))


def enrolled_device(app: Flask, device_id: str = "wall-1") -> dict[str, str]:
    """Headers of a device with a token."""
    secret = new_token(DEVICE_PREFIX)
    with write_session(app.extensions["lampisterie_engine"]) as session:
        session.add(Venue(id=f"venue-of-{device_id}", name="Harbour"))
        session.flush()
        session.add(
            Device(
                id=device_id,
                venue=f"venue-of-{device_id}",
                name="Wall",
                package="harbour",
                profile="wall",
                languages=["fr"],
                token_hash=hash_token(secret),
            )
        )
    return bearer(secret)


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {secret}"}
