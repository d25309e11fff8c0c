"""Signing in with an organisation's accounts, against a real small provider."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from content_api.accounts.links import create_link
from content_api.accounts.models import AuditRecord, ExternalIdentity, User
from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import change_user, create_user
from content_api.app import create_app
from content_api.settings import Settings, SettingsError, load_settings
from tests.accounts.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.studio.conftest import Studio

RETURN = "/studio/openid/return"


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider whose person has a verified address."""
    with running_provider() as found:
        found.person |= {"email": "marie@example.org", "email_verified": True}
        yield found


@pytest.fixture
def app(settings: Settings, provider: Provider) -> Iterator[Flask]:
    """A server that trusts this provider."""
    found = create_app(
        replace(
            settings,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=CLIENT_SECRET,
            oidc_name="Bassin minier",
        )
    )
    found.testing = True
    found.config["PROPAGATE_EXCEPTIONS"] = False
    yield found
    found.extensions["lampisterie_engine"].dispose()


def invited(studio: Studio, name: str = "marie", purpose: str = "invitation") -> str:
    """The id of a new user whose address an administrator has let in."""
    with studio.write() as session:
        user = create_user(
            session, SYSTEM, name=name, email=f"{name}@example.org", grants=[Grant("reader")]
        )
        create_link(session, SYSTEM, user.id, purpose)
        return user.id


def go(client: FlaskClient, provider: Provider, path: str = "/studio/openid/start") -> Any:
    """Go to the provider and consent: what one is sent back with."""
    answer = client.get(path)
    assert answer.status_code == 303, answer.text
    return provider.authorise(answer.headers["Location"])


def come_back(client: FlaskClient, sent: dict[str, str]) -> TestResponse:
    """Follow the provider's link back."""
    return client.get(RETURN, query_string=sent)


def signed_in(client: FlaskClient) -> bool:
    """Whether this browser has a session."""
    return client.get("/studio/account").status_code == 200


def test_who_was_invited_signs_in_and_comes_to_where_they_were_going(
    studio: Studio, provider: Provider
) -> None:
    user_id = invited(studio)
    client = studio.app.test_client()
    page = client.get("/studio/sign-in?next=/studio/style").text
    assert "Bassin minier" in page
    assert "/studio/openid/start?next=%2Fstudio%2Fstyle" in page
    sent = go(client, provider, "/studio/openid/start?next=%2Fstudio%2Fstyle")
    answer = come_back(client, sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studio/style")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert signed_in(client)
    with studio.write() as session:
        identity = session.scalars(select(ExternalIdentity)).one()
        assert (identity.issuer, identity.subject) == (provider.issuer, "4711")
        assert identity.user_id == user_id


def test_afterwards_the_subject_counts_and_the_address_does_not(
    studio: Studio, provider: Provider
) -> None:
    invited(studio)
    come_back(first := studio.app.test_client(), go(first, provider))
    provider.person = {"sub": "4711", "email": "new@example.org", "email_verified": False}
    client = studio.app.test_client()
    assert come_back(client, go(client, provider)).status_code == 303
    assert signed_in(client)
    provider.person = {"sub": "666", "email": "marie@example.org", "email_verified": True}
    stranger = studio.app.test_client()
    assert come_back(stranger, go(stranger, provider)).status_code == 403
    assert not signed_in(stranger)


@pytest.mark.parametrize("allowed", ["nobody", "address-alone", "used", "unverified", "no-address"])
def test_somebody_nobody_allowed_is_told_whom_to_ask(
    studio: Studio, provider: Provider, allowed: str
) -> None:
    if allowed == "address-alone":
        with studio.write() as session:
            create_user(session, SYSTEM, name="marie", email="marie@example.org")
    elif allowed == "used":
        user_id = invited(studio)
        with studio.write() as session:
            change_user(session, SYSTEM, user_id, {"password": "a new password of hers"})
    elif allowed in ("unverified", "no-address"):
        invited(studio)
        provider.person["email_verified"] = False
        if allowed == "no-address":
            provider.person = {"sub": "4711"}
    client = studio.app.test_client()
    answer = come_back(client, go(client, provider))
    assert answer.status_code == 403
    assert "Demandez à un administrateur" in answer.text
    assert not signed_in(client)
    with studio.write() as session:
        assert session.scalars(select(ExternalIdentity)).all() == []


def test_an_address_from_the_userinfo_endpoint_counts_for_the_same_person_alone(
    studio: Studio, provider: Provider
) -> None:
    invited(studio)
    address = {"email": "marie@example.org", "email_verified": True}
    provider.person = {"sub": "4711"}
    provider.userinfo = {"sub": "666", **address}
    client = studio.app.test_client()
    assert come_back(client, go(client, provider)).status_code == 403
    provider.userinfo = {"sub": "4711", **address}
    assert come_back(client, go(client, provider)).status_code == 303
    assert signed_in(client)


def test_a_deactivated_person_stays_out(studio: Studio, provider: Provider) -> None:
    studio.person("ada", Grant("admin"))
    user_id = invited(studio)
    come_back(first := studio.app.test_client(), go(first, provider))
    with studio.write() as session:
        change_user(session, SYSTEM, user_id, {"active": False})
    assert not signed_in(first)
    client = studio.app.test_client()
    answer = come_back(client, go(client, provider))
    assert answer.status_code == 403
    assert "désactivé" in answer.text
    assert not signed_in(client)


@pytest.mark.parametrize(
    "spoil",
    [
        {"nonce": "of another attempt"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another-program"},
        {"aud": ["another-program", CLIENT_ID]},
        {"azp": "another-program"},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"sub": ""},
        {"sub": None},
        {"sub": "x" * 256},
    ],
    # Without values: two processes must name the tests alike, and some hold the time.
    ids=lambda spoil: next(iter(spoil)),
)
def test_an_id_token_that_is_not_for_us_now_is_refused(
    studio: Studio, provider: Provider, spoil: dict[str, Any]
) -> None:
    invited(studio)
    provider.spoil = spoil
    client = studio.app.test_client()
    answer = come_back(client, go(client, provider))
    assert answer.status_code == 401
    assert not signed_in(client)


def test_a_token_of_a_foreign_key_is_refused(studio: Studio, provider: Provider) -> None:
    invited(studio)
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "k1"})
    client = studio.app.test_client()
    assert come_back(client, go(client, provider)).status_code == 401
    assert not signed_in(client)


def test_an_answer_to_another_attempt_is_refused(studio: Studio, provider: Provider) -> None:
    invited(studio)
    client, other = studio.app.test_client(), studio.app.test_client()
    sent, others = go(client, provider), go(other, provider)
    assert come_back(client, {**sent, "state": others["state"]}).status_code == 401
    # The cookie went with the refusal: the right answer comes too late.
    assert come_back(client, sent).status_code == 401
    assert come_back(studio.app.test_client(), others).status_code == 401
    assert not signed_in(client)


@pytest.mark.parametrize("change", [{"iss": "https://evil.example"}, {"code": "made up"}])
def test_an_answer_of_somebody_else_is_refused(
    studio: Studio, provider: Provider, change: dict[str, str]
) -> None:
    invited(studio)
    client = studio.app.test_client()
    assert come_back(client, {**go(client, provider), **change}).status_code == 401
    assert not signed_in(client)


def test_who_declines_at_the_provider_comes_back_to_the_form(
    studio: Studio, provider: Provider
) -> None:
    client = studio.app.test_client()
    sent = go(client, provider)
    answer = come_back(client, {"error": "access_denied", "state": sent["state"]})
    assert answer.status_code == 401
    assert "Bassin minier" in answer.text


def test_a_code_works_once(studio: Studio, provider: Provider) -> None:
    invited(studio)
    client = studio.app.test_client()
    sent = go(client, provider)
    cookie = client.get_cookie("lampisterie_openid", path="/studio/openid")
    assert cookie is not None
    assert come_back(client, sent).status_code == 303
    thief = studio.app.test_client()
    thief.set_cookie("lampisterie_openid", cookie.value, path="/studio/openid")
    assert come_back(thief, sent).status_code == 401


@pytest.mark.parametrize("spoiled", ["x", "", "YQ==.abc"])
def test_a_cookie_we_did_not_seal_is_nothing(
    studio: Studio, provider: Provider, spoiled: str
) -> None:
    client = studio.app.test_client()
    sent = go(client, provider)
    client.set_cookie("lampisterie_openid", spoiled, path="/studio/openid")
    assert come_back(client, sent).status_code == 401


def test_whoever_takes_too_long_begins_again(
    studio: Studio, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from content_api.accounts import oidc

    invited(studio)
    client = studio.app.test_client()
    sent = go(client, provider)
    monkeypatch.setattr("content_api.accounts.oidc.FLOW_LIFE", oidc.FLOW_LIFE * 0)
    time.sleep(1.1)
    assert come_back(client, sent).status_code == 401


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_provider_that_is_away_is_said_to_be(
    studio: Studio, provider: Provider, when: str
) -> None:
    invited(studio)
    client = studio.app.test_client()
    sent = go(client, provider) if when == "after" else {}
    provider.away = True
    answer = come_back(client, sent) if sent else client.get("/studio/openid/start")
    assert answer.status_code == 503
    assert "ne répond pas" in answer.text
    assert 'name="password"' in answer.text


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
)
def test_a_document_that_leads_elsewhere_is_not_followed(
    studio: Studio, provider: Provider, discovery: dict[str, Any]
) -> None:
    provider.discovery = discovery
    assert studio.app.test_client().get("/studio/openid/start").status_code == 503


def test_the_browser_is_never_sent_to_another_site(studio: Studio, provider: Provider) -> None:
    invited(studio)
    client = studio.app.test_client()
    sent = go(client, provider, "/studio/openid/start?next=https://evil.example/")
    assert come_back(client, sent).headers["Location"] == "/studio/"


def test_no_secret_reaches_the_log_or_the_trail(
    studio: Studio, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    invited(studio)
    client = studio.app.test_client()
    with caplog.at_level("DEBUG"):
        sent = go(client, provider)
        assert come_back(client, sent).status_code == 303
    with studio.write() as session:
        trail = [str(row.details) for row in session.scalars(select(AuditRecord))]
    assert CLIENT_SECRET not in repr(studio.settings)
    for secret in (CLIENT_SECRET, sent["code"], sent["state"]):
        assert secret not in caplog.text
        assert not any(secret in text for text in trail)


def test_an_administrator_allows_an_address_for_somebody_who_has_a_password(
    studio: Studio, provider: Provider
) -> None:
    ada = studio.person("ada", Grant("admin"))
    with studio.write() as session:
        user = create_user(session, SYSTEM, name="marie", email="marie@example.org")
    path = f"/studio/people/{user.id}"
    assert "Bassin minier" in ada.page(path).text_content()
    assert ada.post(f"{path}/openid").status_code == 303
    client = studio.app.test_client()
    assert come_back(client, go(client, provider)).status_code == 303
    assert "Signs in with Bassin minier" in ada.page(path).text_content()
    # Allowed again, another account takes its place.
    ada.post(f"{path}/openid")
    provider.person["sub"] = "4712"
    other = studio.app.test_client()
    assert come_back(other, go(other, provider)).status_code == 303
    with studio.write() as session:
        assert [row.subject for row in session.scalars(select(ExternalIdentity))] == ["4712"]
        assert session.get_one(User, user.id).password_hash is None


# -- Settings --------------------------------------------------------------------------------

GIVEN = {
    "CONTENT_API_OIDC_ISSUER": "https://accounts.example.org",
    "CONTENT_API_OIDC_CLIENT_ID": "lampisterie",
    "CONTENT_API_OIDC_CLIENT_SECRET": "s3cret",
}


def test_settings_name_a_provider_and_hide_its_secret() -> None:
    settings = load_settings(GIVEN)
    assert settings.oidc_issuer == "https://accounts.example.org"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"CONTENT_API_OIDC_ISSUER": "http://accounts.example.org"}, "OIDC_ISSUER"),
        ({"CONTENT_API_OIDC_ISSUER": "accounts.example.org"}, "OIDC_ISSUER"),
        ({"CONTENT_API_OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID"),
        ({"CONTENT_API_OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings({**GIVEN, **change})
