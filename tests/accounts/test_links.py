"""Links that set a password once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update

from content_api.accounts import links
from content_api.accounts.access import identify
from content_api.accounts.models import AuditRecord, OneTimeLink, User
from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import change_user, find_user, log_in
from content_api.database import read_session, utc_now, write_session
from content_api.problems import Conflict, RateLimited, Refused, Unauthenticated
from tests.accounts.people import PASSWORD, make_token, make_user

HERE = "192.0.2.7"


def make_link(app: Flask, user: User, purpose: str = "invitation") -> str:
    """The secret of a new link."""
    with write_session(app.extensions["lampisterie_engine"]) as session:
        return links.create_link(session, SYSTEM, user.id, purpose)[1]


def test_an_invitation_sets_a_password_and_signs_in_once(app: Flask, engine: Engine) -> None:
    secret = make_link(app, make_user(app, "marie", Grant("editor")))
    _token, opened = links.use_link(engine, secret, PASSWORD, HERE, utc_now())
    with app.test_request_context():
        assert identify(opened).name == "marie"
    assert log_in(engine, "marie", PASSWORD, HERE, utc_now())
    with pytest.raises(links.LinkUsed):
        links.use_link(engine, secret, "another one 1931", HERE, utc_now())


def test_looking_does_not_use_a_link(app: Flask, engine: Engine) -> None:
    secret = make_link(app, make_user(app, "marie"))
    for _ in range(3):
        assert links.look_at_link(engine, secret, HERE, utc_now()).user.name == "marie"
    assert links.use_link(engine, secret, PASSWORD, HERE, utc_now())


@pytest.mark.parametrize(
    ("purpose", "life"), [("invitation", timedelta(days=7)), ("reset", timedelta(hours=24))]
)
def test_a_link_ends_with_its_time(
    app: Flask, engine: Engine, purpose: str, life: timedelta
) -> None:
    secret = make_link(app, make_user(app, "marie"), purpose)
    before = utc_now() + life - timedelta(minutes=1)
    assert links.look_at_link(engine, secret, HERE, before)
    with pytest.raises(links.LinkOver):
        links.look_at_link(engine, secret, HERE, utc_now() + life)


def test_a_newer_link_ends_the_older(app: Flask, engine: Engine) -> None:
    user = make_user(app, "marie")
    older, newer = make_link(app, user), make_link(app, user)
    with pytest.raises(links.LinkOver):
        links.use_link(engine, older, PASSWORD, HERE, utc_now())
    assert links.use_link(engine, newer, PASSWORD, HERE, utc_now())


def test_setting_the_password_ends_every_session_and_token(app: Flask, engine: Engine) -> None:
    user = make_user(app, "marie")
    _row, api = make_token(app, user)
    links.use_link(engine, make_link(app, user, "reset"), PASSWORD, HERE, utc_now())
    with app.test_request_context(), pytest.raises(Unauthenticated):
        identify(api)


@pytest.mark.parametrize(
    "change", [{"active": False}, {"email": "m@example.org"}, {"password": "word of today 12"}]
)
def test_what_an_administrator_changes_ends_open_links(
    app: Flask, engine: Engine, change: dict[str, object]
) -> None:
    make_user(app, "ada", Grant("admin"))
    user = make_user(app, "marie")
    secret = make_link(app, user)
    with write_session(engine) as session:
        change_user(session, SYSTEM, user.id, change)
        if change == {"active": False}:
            change_user(session, SYSTEM, user.id, {"active": True})
    with pytest.raises(links.LinkOver):
        links.use_link(engine, secret, PASSWORD, HERE, utc_now())


def test_a_deactivated_person_gets_no_link(app: Flask, engine: Engine) -> None:
    make_user(app, "ada", Grant("admin"))
    user = make_user(app, "marie")
    with write_session(engine) as session:
        change_user(session, SYSTEM, user.id, {"active": False})
        with pytest.raises(Conflict):
            links.create_link(session, SYSTEM, user.id, "reset")


def test_a_bad_password_does_not_use_the_link_up(app: Flask, engine: Engine) -> None:
    secret = make_link(app, make_user(app, "marie"))
    with pytest.raises(Refused):
        links.use_link(engine, secret, "short", HERE, utc_now())
    assert links.use_link(engine, secret, PASSWORD, HERE, utc_now())


def test_who_guesses_has_to_wait_and_others_have_not(app: Flask, engine: Engine) -> None:
    secret = make_link(app, make_user(app, "marie"))
    for number in range(30):
        with pytest.raises(links.LinkUnknown):
            links.look_at_link(engine, f"lml_guess-{number}", HERE, utc_now())
    with pytest.raises(RateLimited):
        links.look_at_link(engine, "lml_guess-30", HERE, utc_now())
    assert links.look_at_link(engine, secret, "198.51.100.1", utc_now())


def test_the_secret_is_kept_nowhere(app: Flask, engine: Engine) -> None:
    secret = make_link(app, make_user(app, "marie"))
    links.use_link(engine, secret, PASSWORD, HERE, utc_now())
    with read_session(engine) as session:
        row = session.scalars(select(OneTimeLink)).one()
        kept = [row.hash, *(str(record.details) for record in session.scalars(select(AuditRecord)))]
    assert not any(secret in text or PASSWORD in text for text in kept)


def test_an_email_allows_nothing_without_an_invitation(app: Flask, engine: Engine) -> None:
    user = make_user(app, "marie")
    with write_session(engine) as session:
        change_user(session, SYSTEM, user.id, {"email": "Marie@example.org"})
        assert links.allowed_by_email(session, "marie@example.org", utc_now()) is None
        links.create_link(session, SYSTEM, user.id, "openid")
        found = links.allowed_by_email(session, "MARIE@example.org", utc_now())
        assert found is not None
        assert found.user_id == user.id
        session.execute(update(OneTimeLink).values(used_at=utc_now()))
        assert links.allowed_by_email(session, "marie@example.org", utc_now()) is None


def test_what_allows_a_provider_is_no_link_to_a_password(app: Flask, engine: Engine) -> None:
    user = make_user(app, "marie")
    with write_session(engine) as session:
        change_user(session, SYSTEM, user.id, {"email": "marie@example.org"})
    secret = make_link(app, user, "openid")
    with pytest.raises(links.LinkUnknown):
        links.use_link(engine, secret, PASSWORD, HERE, utc_now())
    with read_session(engine) as session:
        assert find_user(session, "marie").password_hash is None  # type: ignore[union-attr]
