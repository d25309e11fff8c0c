"""Guessing passwords gets slower, and a stranger cannot easily keep a person out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from content_api.accounts.models import LoginThrottle
from content_api.accounts.rules import Grant
from content_api.accounts.throttle import (
    FORGET_AFTER,
    LONGEST_WAIT,
    count_try,
    forgive_try,
    limits_of,
    wait_seconds,
)
from content_api.database import write_session
from content_api.problems import RateLimited
from tests.accounts.people import PASSWORD, make_user

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)


def attempt(engine: Engine, account: str, address: str, now: datetime = NOW) -> int:
    """Count one failed try; the seconds to wait if it was turned away, else 0."""
    try:
        with write_session(engine) as session:
            count_try(session, account, address, now)
    except RateLimited as error:
        return int(error.headers["Retry-After"])
    return 0


def test_the_wait_doubles_from_the_first_failure_too_many_up_to_a_quarter_of_an_hour() -> None:
    assert [wait_seconds(failures, 5) for failures in range(3, 9)] == [0, 0, 5, 10, 20, 40]
    assert wait_seconds(10**6, 5) == LONGEST_WAIT == 900


def test_five_tries_cost_nothing_and_the_sixth_waits(engine: Engine) -> None:
    assert [attempt(engine, "marie", "192.0.2.1") for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_a_try_that_was_turned_away_does_not_lengthen_the_wait(engine: Engine) -> None:
    for _ in range(30):
        attempt(engine, "marie", "192.0.2.1")
    assert attempt(engine, "marie", "192.0.2.1", NOW + timedelta(seconds=6)) == 0
    assert attempt(engine, "marie", "192.0.2.1", NOW + timedelta(seconds=7)) == 9


def test_a_stranger_elsewhere_does_not_keep_a_person_out(engine: Engine) -> None:
    for _ in range(10):
        attempt(engine, "marie", "203.0.113.9")
    assert attempt(engine, "marie", "192.0.2.1") == 0


def test_many_addresses_on_one_name_are_slowed_down_too(engine: Engine) -> None:
    waits = [attempt(engine, "marie", f"198.51.100.{number}") for number in range(60)]
    assert waits[:50] == [0] * 50
    assert all(waits[50:])


def test_one_address_with_many_names_is_slowed_down(engine: Engine) -> None:
    waits = [attempt(engine, f"user{number}", "192.0.2.1") for number in range(40)]
    assert waits[:30] == [0] * 30
    assert all(waits[30:])


def test_addresses_of_one_ipv6_network_count_together() -> None:
    one, two, other = (
        limits_of("marie", address) for address in ("2001:db8::1", "2001:db8::2", "2001:db8:1::1")
    )
    assert one == two
    assert one != other


def test_failures_are_forgotten_after_an_hour_without_one(engine: Engine) -> None:
    for _ in range(5):
        attempt(engine, "marie", "192.0.2.1")
    later = NOW + FORGET_AFTER + timedelta(seconds=1)
    assert [attempt(engine, "marie", "192.0.2.1", later) for _ in range(6)][-1] == 5


def test_signing_in_forgets_the_failures_of_this_name_from_here(engine: Engine) -> None:
    for _ in range(4):
        attempt(engine, "marie", "192.0.2.1")
    with write_session(engine) as session:
        count_try(session, "marie", "192.0.2.1", NOW)
        forgive_try(session, "marie", "192.0.2.1", NOW)
    assert [attempt(engine, "marie", "192.0.2.1") for _ in range(5)] == [0] * 5


def test_neither_names_nor_addresses_are_kept_in_the_clear(engine: Engine) -> None:
    attempt(engine, "my-password-typed-as-a-name", "192.0.2.1")
    with write_session(engine) as session:
        for key in session.scalars(select(LoginThrottle.key)):
            assert len(key) == 64
            assert int(key, 16)


def test_wrong_passwords_over_http_end_in_429_with_the_seconds_to_wait(
    app: Flask, client: FlaskClient
) -> None:
    make_user(app, "marie", Grant("editor"), password=PASSWORD)
    wrong = {"name": "marie", "password": "wrong password"}
    for _ in range(5):
        assert client.post("/api/v1/sessions", json=wrong).status_code == 401
    response = client.post("/api/v1/sessions", json=wrong)
    assert response.status_code == 429
    assert response.json["code"] == "rate-limited"
    assert 1 <= int(response.headers["Retry-After"]) <= 5


def test_the_right_password_waits_as_well_once_the_tries_are_used_up(
    app: Flask, client: FlaskClient
) -> None:
    make_user(app, "marie", Grant("editor"), password=PASSWORD)
    for _ in range(5):
        client.post("/api/v1/sessions", json={"name": "marie", "password": "wrong password"})
    response = client.post("/api/v1/sessions", json={"name": "marie", "password": PASSWORD})
    assert response.status_code == 429


def test_a_try_counts_although_its_request_is_refused_and_rolled_back(
    app: Flask, client: FlaskClient
) -> None:
    client.post("/api/v1/sessions", json={"name": "nobody", "password": "wrong password"})
    with write_session(app.extensions["lampisterie_engine"]) as session:
        assert set(session.scalars(select(LoginThrottle.failures))) == {1}


@pytest.mark.parametrize("address", ["", "not an address", "127.0.0.1"])
def test_any_address_can_be_counted(engine: Engine, address: str) -> None:
    assert attempt(engine, "marie", address) == 0
