"""A small fleet in which something of everything happens, for pages to show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.database import utc_now
from content_api.devices import alerts, groups, orders, plays, rollouts, service
from content_api.devices.fleet_models import Alert
from tests.devices.test_status import report

SHELL = {"browser": "running", "restarts": 1, "page_seen_seconds": 4, "screen": "attract"}


def full_report(package: str, release: int, **more: Any) -> dict[str, Any]:
    """A report that names every fact a device can report, all of them good."""
    now = utc_now()
    playing = {"package": package, "release": release, "manifest_sha256": "a" * 64}
    return report(
        client="0.2.0",
        at=now.isoformat(),
        active=playing,
        complete=playing,
        slots=[
            {"package": package, "channel": "live", "release": release, "complete": True},
            {"package": "noir", "channel": "live", "release": 3, "complete": True},
        ],
        clock={"trusted": True, "offset_seconds": 1, "source": "ntp"},
        last_ntp_at=(now - timedelta(hours=2)).isoformat(),
        disk={"free": 48 * 10**9, "reserve": 2**28, "total": 120 * 10**9, "verdict": "ok"},
        last_sync={
            "at": now.isoformat(),
            "outcome": "unchanged",
            "error_code": None,
            "trigger": "poll",
            "sources": {"relay": 1_200_000_000, "origin": 40_000},
        },
        timestamp_expires_at=(now + timedelta(days=12)).isoformat(),
        last_full_verify_at=(now - timedelta(days=3)).isoformat(),
        queued=3,
        open=True,
        **{"shell": SHELL, **more},
    )


def make_fleet(
    session: Session,
    venue: str,
    package: str,
    device: str,
    *,
    said: Callable[[str], str] = lambda text: text,
) -> int:
    """Bring a venue's `device` to life, with others beside it; a subscription's id.

    Every text that a person or a device says goes through `said`.
    """
    now = utc_now()
    groups.create_group(
        session,
        SYSTEM,
        {"id": "halls", "name": said("Halls"), "package": package, "settings": {"dim": False}},
    )
    for number, name in enumerate(("Quiet", "Broken", "Away")):
        made = service.create_device(
            session,
            SYSTEM,
            {
                "id": f"{venue}-{name.lower()}",
                "name": said(name),
                "venue": venue,
                "package": package,
                "profile": "wall",
                "languages": ["ja"],
            },
        )
        made.enrolled_at = made.last_seen_at = now - timedelta(days=9 * (number == 2))
        made.token_hash = f"{number:064}"
    session.flush()
    rollouts.set_policy(session, SYSTEM, package, "live", first_share=50, fault_bound=10)
    rollout = rollouts.get_rollout(session, package, "live")
    rollout.base, rollout.release, rollout.share, rollout.state = 1, 2, 50, "rolling"
    session.flush()
    back = {"package": package, "release": 2, "reason": "page-crashed", "at": now.isoformat()}
    service.note_heartbeat(session, f"{venue}-broken", full_report(package, 1, returned=back), now)
    faults = {"kind": "faults", "troubled": 1, "taken": 2, "devices": [f"{venue}-broken"]}
    rollouts.hold(session, SYSTEM, package, "live", reason=faults)
    service.change_device(session, SYSTEM, device, {"group": "halls"})
    service.change_device(session, SYSTEM, device, {"languages": ["en"]})
    shown = service.get_device(session, device)
    shown.token_hash, shown.enrolled_at = "f" * 64, now
    session.flush()
    service.note_heartbeat(session, device, full_report(package, 1), now - timedelta(hours=3))
    service.note_heartbeat(session, device, full_report(package, 1), now)
    for state in ("", "taken", "failed", "done"):
        kind = {"": "sync", "taken": "screenshot", "failed": "verify"}.get(state, "restart-player")
        order = orders.give_order(session, SYSTEM, kind, device=device)[0]
        if state:
            actor = service.device_actor(shown)
            orders.acknowledge_order(session, actor, order.id, state, now, message=said("said so"))
    rows = [
        {
            **{"day": now.date(), "package": package, "release": 1, "language": "fr"},
            **{"entry": entry, "title": said(entry.title()), "views": 12, "seconds": 700},
        }
        for entry in ("fosse", "terril")
    ]
    plays.note_plays(session, device, "batch", rows, now)
    for over in (None, now):
        session.add(
            Alert(
                key=f"fault/{venue}-broken/returned-{over}",
                condition="fault",
                code="returned",
                device=f"{venue}-broken",
                venue=venue,
                raised_at=now - timedelta(hours=1),
                resolved_at=over,
            )
        )
    told = {"name": said("Duty"), "channel": "webhook", "target": "https://hooks.example.org/a"}
    return alerts.create_subscription(session, SYSTEM, told).id
