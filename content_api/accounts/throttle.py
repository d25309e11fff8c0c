"""Slowing down who guesses passwords, by what the database remembers.

Three counts: a name from one address, a name from anywhere, an address. The first is
strict; the second allows more, so that a stranger cannot easily keep a person out; the
third catches one machine trying many names. A try is counted before the password is
looked at, in a transaction of its own: neither the refusal's rollback nor a burst of
parallel tries escapes the count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from content_api.accounts.models import LoginThrottle
from content_api.problems import RateLimited

FIRST_WAIT = 5
"""Seconds after the first failure too many; doubled with each further one."""

LONGEST_WAIT = 900
"""Seconds."""

FORGET_AFTER = timedelta(hours=1)
"""Failures count until this long has passed without a new one."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that failures are counted for, and how many cost nothing."""

    key: str
    free: int


def limits_of(account: str, address: str) -> tuple[Limit, ...]:
    """What a try to sign in as `account` from `address` counts against."""
    network = _network(address)
    return (
        Limit(_key("pair", account, network), 5),
        Limit(_key("account", account), 50),
        Limit(_key("address", network), 30),
    )


def wait_seconds(failures: int, free: int) -> int:
    """How long to wait after that many failures."""
    if failures < free:
        return 0
    return int(min(FIRST_WAIT * 2 ** min(failures - free, 20), LONGEST_WAIT))


def count_try(session: Session, account: str, address: str, now: datetime) -> None:
    """Count a try before its outcome is known.

    Raises:
        RateLimited: there were too many failures; this try is not counted.
    """
    limits = limits_of(account, address)
    rows = _locked_rows(session, limits, now)
    waits = [
        (row.last_at - now).total_seconds() + wait_seconds(row.failures, limit.free)
        for row, limit in zip(rows, limits, strict=True)
    ]
    if max(waits) > 0:
        seconds = math.ceil(max(waits))
        raise RateLimited(
            f"Too many failed tries to sign in: try again in {seconds} seconds.",
            retry_after=seconds,
        )
    for row in rows:
        row.failures += 1
        row.last_at = now
    session.execute(delete(LoginThrottle).where(LoginThrottle.last_at < now - 2 * FORGET_AFTER))
    session.flush()


def forgive_try(session: Session, account: str, address: str, now: datetime) -> None:
    """Take a counted try back: it succeeded, and this name's failures from here are forgotten."""
    pair, *others = _locked_rows(session, limits_of(account, address), now)
    pair.failures = 0
    for row in others:
        row.failures = max(0, row.failures - 1)
    session.flush()


def _locked_rows(session: Session, limits: tuple[Limit, ...], now: datetime) -> list[LoginThrottle]:
    on_postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if on_postgres else sqlite.insert
    keys = sorted(limit.key for limit in limits)
    for key in keys:
        # Made first, then locked: of two first tries at once, both find the same row.
        session.execute(
            insert(LoginThrottle)
            .values(key=key, failures=0, last_at=now)
            .on_conflict_do_nothing(index_elements=["key"])
        )
    found = {
        row.key: row
        for row in session.scalars(
            select(LoginThrottle)
            .where(LoginThrottle.key.in_(keys))
            .order_by(LoginThrottle.key)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    for row in found.values():
        if now - row.last_at > FORGET_AFTER:
            row.failures = 0
    return [found[limit.key] for limit in limits]


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    # One customer holds a /64: counting single addresses would count nothing.
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else str(parsed)


def _key(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()
