"""The fleet from a terminal, and its numbers for a monitor."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine

from content_api.cli import main
from content_api.database import write_session
from content_api.devices import rollouts
from content_api.devices.fleet_commands import KINDS
from content_api.devices.fleet_models import ORDER_KINDS
from content_api.settings import Settings

from .fleet import NOW, make_device, publish


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> object:
    """A function that runs `content-api` and gives its output."""
    monkeypatch.setenv("CONTENT_API_DATABASE", settings.database_url)

    def call(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["--data-dir", str(settings.data_dir), *arguments])
        assert done.exit_code == code, done.output
        return done.output

    return call


def test_the_command_knows_every_kind_of_order() -> None:
    assert KINDS == ORDER_KINDS


def test_orders_from_a_terminal(run, engine: Engine) -> None:  # type: ignore[no-untyped-def]
    with write_session(engine) as session:
        make_device(session)
    assert "sync" in run("device", "order", "sync", "--venue", "port")
    found = json.loads(run("device", "orders", "--json"))
    assert [(row["device"], row["kind"], row["state"]) for row in found] == [
        ("wall-1", "sync", "queued")
    ]
    assert "exactly one of device" in run("device", "order", "sync", code=1)


def test_a_rollout_from_a_terminal(run, engine: Engine) -> None:  # type: ignore[no-untyped-def]
    with write_session(engine) as session:
        make_device(session)
        publish(session, 14)
    assert "begin with 10 %" in run("rollout", "policy", "harbour", "10")
    with write_session(engine) as session:
        publish(session, 15)
    rollouts.advance(engine, NOW)
    assert "release 15 to 10 %" in run("rollout", "list")
    assert run("rollout", "hold", "harbour") == "Release 15: held, 10 % of the devices.\n"
    assert run("rollout", "resume", "harbour") == "Release 15: rolling, 10 % of the devices.\n"
    assert run("rollout", "share", "harbour", "40") == "Release 15: rolling, 40 % of the devices.\n"
    assert run("rollout", "finish", "harbour") == "Release 15 is for all devices.\n"
    run("rollout", "remove", "harbour")
    assert json.loads(run("rollout", "list", "--json")) == []


def test_the_fleets_numbers(client: FlaskClient, engine: Engine) -> None:
    with write_session(engine) as session:
        make_device(session).trouble = "disk-full"
    text = client.get("/metrics").text
    assert 'lampisterie_devices{state="online"} 0' in text
    assert 'lampisterie_devices_trouble{kind="fault"} 1' in text
    assert 'lampisterie_alerts_open{condition="overdue"} 0' in text
    assert "lampisterie_heartbeats_waiting 0" in text
    assert "wall-1" not in text
