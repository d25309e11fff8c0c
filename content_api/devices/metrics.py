"""Numbers of the fleet for a monitor: counts alone, no names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from content_api.devices.alerts import count_open
from content_api.devices.fleet_models import CONDITIONS, ROLLOUT_STATES, Rollout
from content_api.devices.models import Device
from content_api.devices.orders import count_orders
from content_api.devices.rules import OVERDUE_AFTER, SILENT_AFTER

STATES = ("online", "silent", "overdue", "never-enrolled", "revoked")
"""As `rules.fleet_word` has them."""

Metric = tuple[str, str, str, Mapping[str, float]]
"""Name, help, label, and a value by the label's."""


def fleet_metrics(session: Session, now: datetime) -> list[Metric]:
    """Gauges of devices by state and trouble, orders, rollouts and alerts."""
    trouble = select(func.count()).where(Device.trouble.is_not(None), Device.revoked_at.is_(None))
    rollouts = select(Rollout.state, func.count()).group_by(Rollout.state)
    return [
        (
            "lampisterie_devices",
            "Devices by how they stand.",
            "state",
            {**dict.fromkeys(STATES, 0), **count_states(session, now)},
        ),
        (
            "lampisterie_devices_trouble",
            "Devices whose last report tells of trouble.",
            "kind",
            {"fault": session.scalar(trouble) or 0},
        ),
        (
            "lampisterie_orders",
            "Orders that are not over.",
            "state",
            {"queued": 0, "taken": 0, **count_orders(session)},
        ),
        (
            "lampisterie_rollouts",
            "Packages and channels with a rollout policy.",
            "state",
            {
                **dict.fromkeys(ROLLOUT_STATES, 0),
                **{row[0]: row[1] for row in session.execute(rollouts)},
            },
        ),
        (
            "lampisterie_alerts_open",
            "Alerts that are not over.",
            "condition",
            {**dict.fromkeys(CONDITIONS, 0), **count_open(session)},
        ),
    ]


def count_states(session: Session, now: datetime) -> dict[str, int]:
    """How many devices stand how, counted by the database."""
    heard = func.coalesce(Device.last_seen_at, Device.enrolled_at)
    word = case(
        (Device.revoked_at.is_not(None), "revoked"),
        (Device.enrolled_at.is_(None), "never-enrolled"),
        (heard >= now - SILENT_AFTER, "online"),
        (heard >= now - OVERDUE_AFTER, "silent"),
        else_="overdue",
    )
    query = select(word, func.count()).select_from(Device).group_by(word)
    return {row[0]: row[1] for row in session.execute(query)}
