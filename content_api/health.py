"""Whether the server lives, whether it can do its work, and a few numbers for a monitor.

`/healthz` asks nothing but this process: a restart would not heal a database that is
away. `/readyz` asks everything an answer needs. Neither tells a stranger more than
which check failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import func, select

from content_api import __version__
from content_api.database import engine, read_session, utc_now
from content_api.settings import current_settings

log = logging.getLogger(__name__)

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> Response:
    """This process answers."""
    response = jsonify(status="alive", version=__version__)
    response.headers["Cache-Control"] = "no-store"
    return response


@health.get("/readyz")
def ready() -> tuple[Response, int]:
    """Every part that an answer needs is there; 503 and the failed checks if not."""
    checks = {name: _passes(name, check) for name, check in CHECKS.items()}
    passed = all(checks.values())
    response = jsonify(status="ready" if passed else "not-ready", checks=checks)
    response.headers["Cache-Control"] = "no-store"
    return response, 200 if passed else 503


@health.get("/metrics")
def metrics() -> Response:
    """Numbers in Prometheus' text format, version 0.0.4."""
    return Response(
        "".join(_metric_lines()),
        content_type="text/plain; version=0.0.4; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


def check_database() -> bool:
    """The database answers, and its tables are those of this version."""
    from content_api.migrations.upgrade import current_revision, head_revision

    with engine().connect() as connection:
        return current_revision(connection) == head_revision()


def check_repository() -> bool:
    """The repository is signed, and its timestamp has not expired."""
    from content_api.repository.service import health as repository_health

    return repository_health(current_settings(), utc_now()).level in ("ok", "warning")


CHECKS: dict[str, Callable[[], bool]] = {
    "database": check_database,
    "repository": check_repository,
}


def _passes(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # whatever it is, the part is not ready, and the log says why
        log.exception("readiness check %s failed", name)
        return False


def _metric_lines() -> Iterator[str]:
    yield from _metric(
        "lampisterie_build_info", "gauge", "Version that runs.", {f'version="{__version__}"': 1}
    )
    counts = current_app.extensions["lampisterie_requests"].totals()
    yield from _metric(
        "lampisterie_requests_total",
        "counter",
        "Answers of this process by class of status.",
        {f'status="{status}"': count for status, count in sorted(counts.items())},
    )
    for name, help_text, measure in (
        ("lampisterie_releases_live", "Releases that devices are offered.", _releases_live),
        ("lampisterie_devices_enrolled", "Devices with a token.", _devices_enrolled),
        (
            "lampisterie_timestamp_seconds_left",
            "Seconds until the repository's timestamp expires; negative when it has.",
            _timestamp_seconds_left,
        ),
    ):
        try:
            value = measure()
        except Exception:  # a number that cannot be had must not hide the others
            log.exception("metric %s failed", name)
            continue
        if value is not None:
            yield from _metric(name, "gauge", help_text, {"": value})
    yield from _fleet_lines()


def _metric(name: str, kind: str, help_text: str, values: dict[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n"


def _releases_live() -> float:
    from content_api.packages.models import Release

    return _count(select(func.count()).select_from(Release).where(Release.state == "live"))


def _devices_enrolled() -> float:
    from content_api.devices.models import Device

    return _count(
        select(func.count())
        .select_from(Device)
        .where(Device.token_hash.is_not(None), Device.revoked_at.is_(None))
    )


def _timestamp_seconds_left() -> float | None:
    from content_api.repository.service import health as repository_health

    now = utc_now()
    roles = {role.role: role.expires for role in repository_health(current_settings(), now).roles}
    expires = roles.get("timestamp")
    return (expires - now).total_seconds() if expires is not None else None


def _fleet_lines() -> Iterator[str]:
    from content_api.devices.metrics import fleet_metrics

    buffer = current_app.extensions["lampisterie_heartbeats"]
    yield from _metric(
        "lampisterie_heartbeats_waiting",
        "gauge",
        "Reports of devices that this process has not written yet.",
        {"": buffer.waiting},
    )
    yield from _metric(
        "lampisterie_heartbeats_dropped_total",
        "counter",
        "Reports that this process had no room for.",
        {"": buffer.dropped},
    )
    try:
        with read_session(engine()) as session:
            found = fleet_metrics(session, utc_now())
    except Exception:  # as above: the other numbers stay
        log.exception("metrics of the fleet failed")
        return
    for name, help_text, label, values in found:
        yield from _metric(
            name, "gauge", help_text, {f'{label}="{key}"': value for key, value in values.items()}
        )


def _count(query: Any) -> float:
    with read_session(engine()) as session:
        return float(session.scalar(query) or 0)
