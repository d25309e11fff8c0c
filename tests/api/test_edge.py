"""What every answer carries: ids, security headers, the log; and the three pages for monitors."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from content_api.accounts.rules import Grant
from content_api.database import utc_now
from content_api.repository.service import init_repository
from content_api.settings import Settings
from tests.accounts.people import sign_up


def test_every_answer_forbids_sniffing_and_tells_no_one_where_it_was_linked_from(
    client: FlaskClient,
) -> None:
    for path in ("/healthz", "/api/v1/me", "/api/docs", "/nothing", "/api/v1/openapi.json"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin", path
        assert "Strict-Transport-Security" not in headers, path


def test_browsers_are_kept_to_https_only_where_they_came_by_it(client: FlaskClient) -> None:
    headers = client.get("/healthz", base_url="https://content.example.org").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_drawing_may_run_nothing_when_a_browser_opens_it(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/drawing", view_func=lambda: Response("<svg/>", mimetype="image/svg+xml"))
    policy = client.get("/drawing").headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def test_a_feature_that_brings_its_own_policy_keeps_it(app: Flask, client: FlaskClient) -> None:
    headers = {"Content-Security-Policy": "frame-ancestors *"}
    app.add_url_rule("/embed-me", view_func=lambda: ("<p>", 200, headers))
    found = client.get("/embed-me").headers
    assert found.getlist("Content-Security-Policy") == ["frame-ancestors *"]


def test_a_request_keeps_the_id_a_proxy_gave_it_and_gets_one_otherwise(
    client: FlaskClient,
) -> None:
    given = client.get("/healthz", headers={"X-Request-ID": "proxy-7f.3"})
    assert given.headers["X-Request-ID"] == "proxy-7f.3"
    for forged in ("", "a b", "x" * 65, "é", 'a"b'):
        made = client.get("/healthz", headers={"X-Request-ID": forged}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", made), forged


def test_answers_of_the_api_are_private_and_kept_from_proxies_that_change_them(
    app: Flask, client: FlaskClient
) -> None:
    headers = sign_up(app, "marie")
    found = client.get("/api/v1/me", headers=headers).headers["Cache-Control"]
    assert found == "private, no-cache, no-transform"


def test_the_access_log_names_path_status_and_actor_and_no_query(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    headers = sign_up(app, "boss", Grant("admin"))
    caplog.set_level(logging.INFO, "content_api.access")
    client.get("/api/v1/audit?actor=somebody%0aelse", headers=headers)
    client.get("/a%0ab")
    [first, second] = [row.getMessage() for row in caplog.records if row.name.endswith(".access")]
    assert re.match(r"GET /api/v1/audit 200 \d+ms user:[0-9a-f]{32} [0-9a-f]{32}$", first)
    assert second.startswith("GET /a\\nb 404 ")


def test_head_and_options_change_nothing_and_always_answer(app: Flask, client: FlaskClient) -> None:
    headers = sign_up(app, "boss", Grant("admin"))
    for _ in range(2):
        response = client.head("/api/v1/users", headers=headers)
        assert response.status_code == 200
        assert response.data == b""
        response = client.options("/api/v1/users")
        assert response.status_code == 200
        assert {"GET", "HEAD", "OPTIONS", "POST"} == set(response.headers["Allow"].split(", "))
    assert client.head("/api/v1/users").status_code == 401


def test_no_route_is_open_to_other_origins_unless_its_feature_says_so(
    app: Flask, client: FlaskClient
) -> None:
    headers = sign_up(app, "marie") | {"Origin": "https://elsewhere.example"}
    for path in ("/api/v1/me", "/healthz", "/api/docs"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers=headers).headers


def test_the_process_is_alive_even_when_nothing_is_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json["status"] == "alive"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["checks"] == {"database": True, "repository": False}


def test_a_signed_repository_and_a_database_of_this_version_are_ready(
    client: FlaskClient, settings: Settings
) -> None:
    init_repository(settings, settings.keys_dir / "root-offline", utc_now())
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json == {"status": "ready", "checks": {"database": True, "repository": True}}


def test_an_expired_timestamp_is_not_ready_and_the_metric_says_since_when(
    client: FlaskClient, settings: Settings
) -> None:
    signed_at = utc_now() - timedelta(days=60)
    init_repository(settings, settings.keys_dir / "root-offline", signed_at)
    assert client.get("/readyz").json["checks"] == {"database": True, "repository": False}
    assert metrics(client)["lampisterie_timestamp_seconds_left"] < 0


def test_the_metrics_are_plain_prometheus_text(app: Flask, client: FlaskClient) -> None:
    client.get("/healthz")
    client.get("/nothing")
    found = metrics(client)
    assert found['lampisterie_build_info{version="0.1.0"}'] == 1
    assert found['lampisterie_requests_total{status="2xx"}'] == 1
    assert found['lampisterie_requests_total{status="4xx"}'] == 1
    assert found["lampisterie_releases_live"] == 0
    assert found["lampisterie_devices_enrolled"] == 0


def metrics(client: FlaskClient) -> dict[str, float]:
    """Samples by name and labels."""
    response = client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
