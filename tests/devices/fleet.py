"""A small fleet for tests: a venue, devices with tokens, and their reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.devices import service
from content_api.devices.models import Device, Venue
from content_api.packages.models import Package, Release

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def make_venue(session: Session, venue_id: str = "port") -> Venue:
    """A venue in Tokyo, once."""
    found = session.get(Venue, venue_id)
    if found is None:
        found = service.create_venue(
            session, SYSTEM, name=venue_id.title(), timezone="Asia/Tokyo", venue_id=venue_id
        )
    return found


def make_device(session: Session, device_id: str = "wall-1", **values: Any) -> Device:
    """A device with a token at the venue `port`, which shows `harbour`."""
    make_venue(session, values.get("venue", "port"))
    device = service.create_device(
        session,
        SYSTEM,
        {
            "id": device_id,
            "venue": "port",
            "name": device_id.title(),
            "package": "harbour",
            "profile": "wall",
            "languages": ["fr"],
            **values,
        },
    )
    device.token_hash = hash_token(f"token of {device_id}")
    device.enrolled_at = NOW
    session.flush()
    return device


def give_token(session: Session, device_id: str) -> dict[str, str]:
    """Headers of a device."""
    secret = new_token(DEVICE_PREFIX)
    session.get_one(Device, device_id).token_hash = hash_token(secret)
    session.flush()
    return {"Authorization": f"Bearer {secret}"}


def publish(session: Session, number: int, package: str = "harbour") -> None:
    """Make a release live, as the database sees it."""
    if session.get(Package, package) is None:
        session.add(Package(slug=package, body={"languages": ["fr"]}))
        session.flush()
    for release in session.query(Release).filter_by(package=package, state="live"):
        release.state = "superseded"
    session.flush()
    session.add(
        Release(package=package, number=number, state="live", created_by="system", channel="live")
    )
    session.flush()


def report(release: int | None = None, **more: Any) -> dict[str, Any]:
    """A heartbeat of a healthy device that plays `release` of harbour."""
    playing = (
        {"package": "harbour", "release": release, "manifest_sha256": "a" * 64}
        if release is not None
        else None
    )
    return {
        "at": "2026-11-24T06:00:00Z",
        "client": "0.1.0",
        "active": playing,
        "complete": playing,
        **more,
    }


def fault(code: str = "display-off") -> list[dict[str, str]]:
    """The faults of a report with one fault."""
    return [{"code": code, "message": "no cable"}]
