"""Polls and heartbeats of a fleet against a real server, while an editor saves.

python -m benchmarks.fleet_polls                       10,000 devices, SQLite with one process
python -m benchmarks.fleet_polls --small               a few hundred devices, some seconds
LAMPISTERIE_TEST_POSTGRES=postgresql+psycopg://… \\
python -m benchmarks.fleet_polls --postgres            PostgreSQL with 4 processes as well

The server is `content-api serve` on a free port, its data made from a seed. The devices are a
few processes that hold kept-alive connections; each connection takes the next device, asks
`GET /api/v1/device` with the ETag it has, sends a heartbeat, and goes on to the next at once:
ten minutes of a fleet that polls once a minute are told in as little time as the server
needs. Two heartbeats of three say nothing new; in the third a release, a fault or the disk
has changed. Meanwhile an editor saves an entry ten times a second. Printed are polls a second,
what was not answered as it should be, and the time that saves took, from the editor's side.
Exit code 1 only when something was answered wrongly or could not be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import yaml
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_token, create_user
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.content.service import create_entry
from content_api.content.types import load_types
from content_api.database import open_engine, read_session, utc_now, write_session
from content_api.devices.models import Device, Venue
from content_api.languages.service import put_languages
from content_api.settings import Settings, load_settings
from content_api.setup_server import prepare_server, sample_dir

SEED = 1931
"""The year in which the pit Delloye was sunk."""

DEVICES = 10_000
ROUNDS = 10
"""Polls of each device: ten minutes at one a minute."""

SMALL = (300, 3)
ENTRIES = 100
CONNECTIONS = 16
CLIENTS = 2
SAVE_EVERY = 0.1
LEAST_SAVES = 5
"""Saves of a run so short that its devices were done before the editor began."""

TARGET_POLLS = {1: 500, 4: 1500}
TARGET_SAVE_MS = 200


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the clients need of a prepared server."""

    settings: Settings
    tokens: tuple[str, ...]
    editor: str


@dataclass
class Run:
    """What one run found. Times in seconds."""

    label: str
    workers: int
    polls: int = 0
    spent: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    saves: list[float] = field(default_factory=list)
    reached: int = 0
    cpu: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--small", action="store_true", help="for CI: a few hundred devices")
    parser.add_argument("--devices", type=int, metavar="N")
    parser.add_argument("--rounds", type=int, metavar="N", help="polls of each device")
    parser.add_argument("--seconds", type=float, default=600.0, help="stop a run after this long")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="of each client")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="client processes")
    parser.add_argument("--postgres", action="store_true", help="also PostgreSQL, 4 processes")
    parser.add_argument("--no-sqlite", action="store_true")
    options = parser.parse_args(arguments)
    devices, rounds = SMALL if options.small else (DEVICES, ROUNDS)
    options.devices = options.devices or devices
    options.rounds = options.rounds or rounds
    runs = []
    with tempfile.TemporaryDirectory(prefix="lampisterie-bench-") as folder:
        if not options.no_sqlite:
            settings = load_settings({}, data_dir=Path(folder) / "sqlite")
            runs.append(measure("SQLite", settings, 1, options))
        if options.postgres:
            with postgres_database() as url:
                settings = load_settings({}, data_dir=Path(folder) / "postgres", database_url=url)
                runs.append(measure("PostgreSQL", settings, 4, options))
    report(runs, options)
    return 1 if any(run.errors or not run.polls or not run.saves for run in runs) else 0


def measure(label: str, settings: Settings, workers: int, options: argparse.Namespace) -> Run:
    """Prepare a server, let the fleet poll it, and count."""
    fleet = make_fleet(settings, options.devices)
    run = Run(label, workers)
    with serving(settings, workers) as (port, server):
        context = multiprocessing.get_context("spawn")
        with context.Pool(options.clients + 1) as pool:
            flag = settings.data_dir / "clients-done"
            editor = pool.apply_async(save_entries, (port, fleet.editor, str(flag)))
            until = time.time() + options.seconds + 5
            before = processor_time(server)
            shares = [fleet.tokens[start :: options.clients] for start in range(options.clients)]
            clients = [
                pool.apply_async(
                    poll_all, (port, share, options.rounds, options.connections, until)
                )
                for share in shares
            ]
            for client in clients:
                polls, errors, spent = client.get()
                run.polls += polls
                run.errors.update(errors)
                run.spent = max(run.spent, spent)
            run.cpu = processor_time(server) - before
            flag.touch()
            times, errors = editor.get()
            run.saves = times
            run.errors.update(errors)
    # The server has been stopped: what waited in its memory must be in the database.
    run.reached = count_seen(settings, options.rounds - 1)
    if run.polls == options.devices * options.rounds and run.reached < options.devices:
        run.errors["heartbeats of devices lost"] = options.devices - run.reached
    return run


def make_fleet(settings: Settings, devices: int) -> Fleet:
    """A server with entries, an editor, and devices that were enrolled."""
    prepare_server(settings, say=lambda _text: None)
    types = load_types(settings.types_dir)
    database = open_engine(settings.database_url)
    with write_session(database) as session:
        rows = yaml.safe_load((sample_dir() / "languages.yml").read_text("utf-8"))
        put_languages(session, SYSTEM, rows)
        user = create_user(session, SYSTEM, name="editor", grants=[Grant("admin")])
        _, editor = create_token(session, SYSTEM, user.id, name="b", life=timedelta(hours=12))
        for number in range(ENTRIES):
            title = {"op": "set", "path": "title", "scope": "fr", "value": f"Fosse {number}"}
            create_entry(session, SYSTEM, "story", [title], entry_id=f"story-{number}", types=types)
        tokens = enrol_all(session, devices)
    database.dispose()
    return Fleet(settings, tokens, editor)


def enrol_all(session: Session, devices: int) -> tuple[str, ...]:
    """Rows of devices with tokens, a hundred to a venue; their tokens."""
    now = utc_now()
    tokens = [new_token(DEVICE_PREFIX) for _ in range(devices)]
    venues = range(0, devices, 100)
    session.execute(
        insert(Venue),
        [{"id": f"venue-{number}", "name": f"Venue {number}"} for number in venues],
    )
    session.execute(
        insert(Device),
        [
            {
                "id": f"device-{number}",
                "venue": f"venue-{number // 100 * 100}",
                "name": f"Tablet {number}",
                "package": "harbour",
                "profile": "tablet",
                "languages": ["fr", "ja"],
                "token_hash": hash_token(token),
                "enrolled_at": now,
            }
            for number, token in enumerate(tokens)
        ],
    )
    return tuple(tokens)


@contextmanager
def serving(settings: Settings, workers: int) -> Iterator[tuple[int, int]]:
    """`content-api serve`, from when it is ready until the block ends: its port and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "CONTENT_API_DATA": str(settings.data_dir),
        "CONTENT_API_DATABASE": settings.database_url,
    }
    command = [sys.executable, "-m", "content_api.cli", "serve", "--port", str(port)]
    server = subprocess.Popen([*command, "--workers", str(workers)], env=environment)
    try:
        deadline = time.monotonic() + 60
        while not is_ready(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.2)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def processor_time(process: int) -> float:
    """Seconds that a process and its children have computed (Linux)."""
    folder = Path("/proc") / str(process)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        children = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_time(int(child)) for child in children)


def is_ready(port: int) -> bool:
    """Whether the server answers."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


# -- Devices ---------------------------------------------------------------------------------


def poll_all(
    port: int, tokens: Sequence[str], rounds: int, connections: int, until: float
) -> tuple[int, Counter[str], float]:
    """Let every device poll `rounds` times; polls done, what went wrong, and the seconds."""
    started = time.perf_counter()
    done, errors = asyncio.run(_poll_all(port, tokens, rounds, connections, until))
    return done, errors, time.perf_counter() - started


async def _poll_all(
    port: int, tokens: Sequence[str], rounds: int, connections: int, until: float
) -> tuple[int, Counter[str]]:
    work = iter([(token, number) for number in range(rounds) for token in tokens])
    errors: Counter[str] = Counter()
    done = 0

    async def one_connection() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for token, number in work:
            if time.time() > until:
                break
            try:
                went_well = await _poll(reader, writer, token, number, errors)
                done += went_well
            except (OSError, asyncio.IncompleteReadError) as error:
                errors[type(error).__name__] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return done, errors


async def _poll(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    token: str,
    number: int,
    errors: Counter[str],
) -> int:
    head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"
    known = 'If-None-Match: "a1"\r\n' if number else ""
    writer.write(f"GET /api/v1/device HTTP/1.1\r\n{head}{known}\r\n".encode())
    status = await _answer(reader)
    expected = 304 if number else 200
    if status != expected:
        errors[f"GET answered {status}"] += 1
        return 0
    body = json.dumps(heartbeat(token, number)).encode()
    writer.write(
        f"POST /api/v1/device/heartbeats HTTP/1.1\r\n{head}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    status = await _answer(reader)
    if status != 202:
        errors[f"POST answered {status}"] += 1
        return 0
    return 1


async def _answer(reader: asyncio.StreamReader) -> int:
    raw = await reader.readuntil(b"\r\n\r\n")
    head = raw.lower()
    place = head.find(b"content-length:")
    if place >= 0:
        length = int(head[place + 15 : head.index(b"\r", place)])
        if length:
            await reader.readexactly(length)
    return int(raw[9:12])


def heartbeat(token: str, number: int) -> dict[str, Any]:
    """A report such as a device sends; every third one says something new."""
    chance = random.Random(f"{token}{number // 3}")  # noqa: S311 - a benchmark repeats itself
    playing = {"package": "harbour", "release": 1 + number // 3, "manifest_sha256": "a" * 64}
    return {
        "at": "2026-11-24T06:00:00Z",
        "client": "0.1.0",
        "active": playing,
        "complete": playing,
        "known": {"package": "harbour", "release": playing["release"]},
        "missing_bytes": 0,
        "slots": [{"package": "harbour", "channel": "live", "release": 1, "complete": True}],
        "last_sync": {
            "at": f"2026-11-24T06:00:{number:02}Z",
            "outcome": "unchanged",
            "error_code": None,
            "trigger": "poll",
            "sources": {"origin": 1500},
        },
        "last_full_verify_at": "2026-11-23T03:00:00Z",
        "last_ntp_at": "2026-11-24T05:00:00Z",
        "clock": {"trusted": True, "offset_seconds": number / 10, "source": "ntp"},
        "disk": {
            "free": 12_000_000_000 - number,
            "reserve": 500_000_000,
            "total": 32_000_000_000,
            "verdict": "ok",
            "read_only": False,
        },
        "shell": {"browser": "running", "restarts": 0, "page_seen_seconds": 4, "heap": 41_000_000},
        "faults": [{"code": "display-off", "message": "no cable"}]
        if chance.random() < 0.02
        else [],
    }


# -- The editor ------------------------------------------------------------------------------


def save_entries(port: int, token: str, done: str) -> tuple[list[float], Counter[str]]:
    """Save entries in turn until the file `done` is there; seconds of each save."""
    times: list[float] = []
    errors: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    number = 0
    while number < LEAST_SAVES or not Path(done).exists():
        entry, rev = number % ENTRIES, 1 + number // ENTRIES
        value = f"Fosse {entry}, {number}"
        operation = {"op": "set", "path": "title", "scope": "fr", "value": value}
        body = json.dumps({"operations": [operation], "expected_rev": rev})
        started = time.perf_counter()
        try:
            connection.request("PATCH", f"/api/v1/entries/story-{entry}", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                errors[f"a save answered {answer.status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            errors[f"a save: {type(error).__name__}"] += 1
            connection.close()
        times.append(time.perf_counter() - started)
        number += 1
        time.sleep(SAVE_EVERY)
    return times, errors


# -- Around it -------------------------------------------------------------------------------


def count_seen(settings: Settings, last: int) -> int:
    """Devices whose heartbeat of round `last` is in the database after the server has ended."""
    database = open_engine(settings.database_url)
    with read_session(database) as session:
        rows = session.scalars(select(Device.last_heartbeat)).all()
    database.dispose()
    word = heartbeat("", last)["last_sync"]
    return sum(body is not None and body["last_sync"]["at"] == word["at"] for body in rows)


@contextmanager
def postgres_database() -> Iterator[str]:
    """A new database on the server that LAMPISTERIE_TEST_POSTGRES names; dropped at the end."""
    server = os.environ.get("LAMPISTERIE_TEST_POSTGRES", "")
    if not server:
        raise click.ClickException("LAMPISTERIE_TEST_POSTGRES: expected a PostgreSQL server")
    name = f"lampisterie_bench_{uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


def report(runs: Sequence[Run], options: argparse.Namespace) -> None:
    """Print what was found beside what was asked for."""
    click.echo(
        f"{options.devices:,} devices, {options.rounds} polls each, "
        f"{options.clients * options.connections} connections; load of the machine before "
        f"and during the run counts: {os.getloadavg()[0]:.1f} now"
    )
    for run in runs:
        rate = run.polls / run.spent if run.spent else 0.0
        wanted = TARGET_POLLS.get(run.workers)
        click.echo(
            f"{run.label}, {run.workers} process{'es' if run.workers > 1 else ''}: "
            f"{run.polls:,} polls in {run.spent:.0f} s = {rate:.0f} a second"
            + (f" (asked for: {wanted})" if wanted else "")
        )
        if run.polls:
            click.echo(
                f"  {run.cpu * 1000 / run.polls:.2f} ms of processor time for a poll, of which "
                "the server got "
                f"{run.cpu / run.spent:.2f} of {os.cpu_count()} processors"
            )
        if len(run.saves) > 1:
            ordered = sorted(run.saves)
            worst = ordered[int(len(ordered) * 0.95)] * 1000
            click.echo(
                f"  {len(run.saves)} saves: median {statistics.median(run.saves) * 1000:.0f} ms, "
                f"p95 {worst:.0f} ms (asked for: {TARGET_SAVE_MS}), "
                f"slowest {ordered[-1] * 1000:.0f} ms"
            )
        click.echo(f"  {run.reached:,} devices' last heartbeats are in the database")
        for what, count in sorted(run.errors.items()):
            click.echo(f"  wrong: {what}, {count} times")


if __name__ == "__main__":
    sys.exit(main())
