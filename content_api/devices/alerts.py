"""Alerts: what wants a person, who is told, and the messages that tell them.

The jobs thread looks, and writes down what begins and what is over. Another thread sends, so
that a mail server that sleeps keeps no release waiting. A message may arrive twice when a
process dies between sending and noting; its `delivery` numbers tell.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.database import read_session, utc_now, write_session
from content_api.devices.alert_rules import Cause, Open, Plan, is_told, plan_alerts, wait_after
from content_api.devices.fleet_models import Alert, AlertDelivery, AlertSubscription, Rollout
from content_api.devices.models import Device, Venue
from content_api.devices.rules import OVERDUE_AFTER
from content_api.outgoing import (
    SIGNATURE_HEADER,
    AddressRefused,
    check_hook_address,
    post_json,
    send_mail,
    sign,
)
from content_api.problems import ContentError, NotFound, PreconditionFailed
from content_api.repository.service import health
from content_api.settings import Settings

log = logging.getLogger(__name__)

PAYLOAD = "lampisterie-alerts/1"
"""What a webhook's body says it is."""

EVENTS_AT_ONCE = 200
"""Events that one message tells at most: an outage must not become thousands of e-mails."""

_CHANGEABLE = ("name", "channel", "target", "conditions", "venues", "active")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one subscriber: what is sent, and which deliveries it settles."""

    channel: str
    target: str
    secret: str
    events: tuple[dict[str, Any], ...]
    deliveries: tuple[int, ...] = ()


# -- Subscriptions ---------------------------------------------------------------------------


def list_subscriptions(session: Session) -> list[AlertSubscription]:
    """Every subscription, by id."""
    return list(session.scalars(select(AlertSubscription).order_by(AlertSubscription.id)))


def get_subscription(session: Session, subscription_id: int) -> AlertSubscription:
    """The subscription.

    Raises:
        NotFound: there is none of that id.
    """
    found = session.get(AlertSubscription, subscription_id)
    if found is None:
        raise NotFound(f"There is no subscription {subscription_id}.")
    return found


def create_subscription(
    session: Session, actor: Actor, values: Mapping[str, Any]
) -> AlertSubscription:
    """Tell somebody of alerts from now on; a webhook's secret is new and on the answer.

    Raises:
        AddressRefused: the target is not one of the channel.
    """
    _check_target(values["channel"], values["target"])
    found = AlertSubscription(
        **{name: values[name] for name in _CHANGEABLE if name in values},
        secret=token_hex(32),
        created_by=actor.id,
    )
    session.add(found)
    session.flush()
    _note(session, actor, "alert.subscribe", found)
    return found


def change_subscription(
    session: Session,
    actor: Actor,
    subscription_id: int,
    values: Mapping[str, Any],
    *,
    expected: int | None = None,
) -> AlertSubscription:
    """Change who is told or of what.

    Raises:
        NotFound: there is none of that id.
        AddressRefused: the target is not one of the channel.
        PreconditionFailed: it is not at version `expected`.
    """
    found = get_subscription(session, subscription_id)
    _check_version(found, expected)
    _check_target(values.get("channel", found.channel), values.get("target", found.target))
    for name in _CHANGEABLE:
        if name in values:
            setattr(found, name, values[name])
    found.version += 1
    session.flush()
    _note(session, actor, "alert.change", found)
    return found


def renew_secret(session: Session, actor: Actor, subscription_id: int) -> AlertSubscription:
    """Give a webhook another secret; from now on messages are signed with it alone.

    Raises:
        NotFound: there is none of that id.
    """
    found = get_subscription(session, subscription_id)
    found.secret = token_hex(32)
    session.flush()
    _note(session, actor, "alert.secret", found)
    return found


def delete_subscription(
    session: Session, actor: Actor, subscription_id: int, *, expected: int | None = None
) -> None:
    """Tell them nothing more; messages that wait are dropped.

    Raises:
        NotFound: there is none of that id.
        PreconditionFailed: it is not at version `expected`.
    """
    found = get_subscription(session, subscription_id)
    _check_version(found, expected)
    _note(session, actor, "alert.unsubscribe", found)
    session.delete(found)
    session.flush()


def trial_letter(subscription: AlertSubscription) -> Letter:
    """A message that says only that messages arrive."""
    event = {"delivery": 0, "event": "test", "alert": None}
    return Letter(subscription.channel, subscription.target, subscription.secret, events=(event,))


def last_deliveries(session: Session) -> dict[int, AlertDelivery]:
    """The newest message to each subscriber, by subscription: how it went."""
    newest = select(func.max(AlertDelivery.id)).group_by(AlertDelivery.subscription)
    query = select(AlertDelivery).where(AlertDelivery.id.in_(newest))
    return {row.subscription: row for row in session.scalars(query)}


# -- Alerts ----------------------------------------------------------------------------------


def list_alerts(
    session: Session,
    *,
    is_open: bool | None = None,
    condition: str | None = None,
    device: str | None = None,
    venue: str | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[Alert]:
    """Alerts, newest first: open ones, those that are over, or both."""
    query = select(Alert).order_by(Alert.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(
            Alert.resolved_at.is_(None) if is_open else Alert.resolved_at.is_not(None)
        )
    for column, value in (
        (Alert.condition, condition),
        (Alert.device, device),
        (Alert.venue, venue),
    ):
        if value is not None:
            query = query.where(column == value)
    return list(session.scalars(query.where(Alert.id < before) if before is not None else query))


def count_open(session: Session) -> dict[str, int]:
    """How many alerts of each condition are open."""
    query = select(Alert.condition, func.count()).where(Alert.resolved_at.is_(None))
    return {row[0]: row[1] for row in session.execute(query.group_by(Alert.condition))}


def look(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """Raise what begins and resolve what is over, and queue the messages; a line each.

    Writes only when there is something to write.
    """
    with read_session(engine) as session:
        causes = {cause.key: cause for cause in _causes(session, settings, now)}
        plan = plan_alerts(_open_alerts(session), causes, now)
    if not plan:
        return []
    with write_session(engine) as session:
        # Asked again inside: another process may have looked meanwhile.
        plan = plan_alerts(_open_alerts(session), causes, now)
        return _carry_out(session, plan, causes, now)


# -- Sending ---------------------------------------------------------------------------------


def send_due(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """Send the messages whose time has come, one to each subscriber; a line each."""
    with read_session(engine) as session:
        letters = _letters(session, settings, now)
    done = []
    for letter in letters:
        error = None
        try:
            send_letter(settings, letter)
        except ContentError as failure:
            error = failure.message
            log.warning("alerts to a subscriber wait: %s", error)
        with write_session(engine) as session:
            _settle(session, letter.deliveries, error, utc_now())
        if error is None:
            done.append(f"told a subscriber of {len(letter.events)} alerts")
    return done


def send_letter(settings: Settings, letter: Letter) -> None:
    """Send one message now; nothing is written down.

    Raises:
        AddressRefused: the webhook must not be called.
        SendingFailed: it was not taken; the text says why.
    """
    now = utc_now()
    if letter.channel == "email":
        subject, text = mail_of(letter.events, settings.public_url)
        send_mail(settings, letter.target, subject, text)
        return
    body = json.dumps(
        {
            "format": PAYLOAD,
            "server": settings.public_url,
            "sent_at": _time(now),
            "events": letter.events,
        },
        ensure_ascii=False,
    ).encode()
    signature = sign(letter.secret, body, int(now.timestamp()))
    post_json(
        letter.target,
        body,
        {SIGNATURE_HEADER: signature},
        allow_private=settings.allow_private_hooks,
    )


def mail_of(events: Sequence[Mapping[str, Any]], server: str) -> tuple[str, str]:
    """Subject and text of a message. Pure."""
    if events and events[0]["event"] == "test":
        return "Lampisterie: test", "Alerts of this server reach you here.\n"
    lines = [_sentence(event) for event in events]
    raised = sum(event["event"] == "raised" for event in events)
    over = len(events) - raised
    if len(lines) == 1:
        subject = f"Lampisterie: {lines[0]}"
    else:
        parts = [f"{raised} new alerts"] * bool(raised) + [f"{over} over"] * bool(over)
        subject = f"Lampisterie: {', '.join(parts)}"
    where = f"\n{server}/studio/venues/\n" if server else ""
    return subject, "\n".join(lines) + "\n" + where


def _sentence(event: Mapping[str, Any]) -> str:
    alert = event["alert"]
    device = alert["device"] or {}
    venue = alert["venue"] or {}
    name = f"{device.get('name', '')} ({venue.get('name', '')})"
    details = alert["details"]
    said = {
        "overdue": f"{name} has not been heard of since {details.get('last_seen_at')}",
        "fault": f"{name} reports {alert['code']}",
        "timestamp": f"the repository's signature needs care: {details.get('message')}",
        "rollout-held": f"release {details.get('release')} of {details.get('package')} is held",
    }[alert["condition"]]
    return f"over: {said}" if event["event"] == "resolved" else said


def _causes(session: Session, settings: Settings, now: datetime) -> Iterable[Cause]:
    known = select(Device.id, Device.venue, Device.last_seen_at, Device.trouble).where(
        Device.token_hash.is_not(None), Device.revoked_at.is_(None)
    )
    heard = func.coalesce(Device.last_seen_at, Device.enrolled_at)
    for row in session.execute(known.where(heard < now - OVERDUE_AFTER)):
        seen = _time(row.last_seen_at) if row.last_seen_at is not None else None
        yield Cause(f"overdue/{row.id}", "overdue", None, row.id, row.venue, {"last_seen_at": seen})
    for row in session.execute(known.where(Device.trouble.is_not(None))):
        for word in row.trouble.split():
            yield Cause(f"fault/{row.id}/{word}", "fault", word[:80], row.id, row.venue)
    found = health(settings, now)
    if found.level != "ok":
        message = "; ".join(found.messages)[:500]
        yield Cause("timestamp", "timestamp", found.level, details={"message": message})
    for rollout in session.scalars(select(Rollout).where(Rollout.state == "held")):
        slot = f"{rollout.package}/{rollout.channel}"
        yield Cause(
            f"rollout-held/{slot}/{rollout.release}",
            "rollout-held",
            details={
                "package": rollout.package,
                "channel": rollout.channel,
                "release": rollout.release,
                "reason": rollout.reason,
            },
        )


def _open_alerts(session: Session) -> dict[str, Open]:
    query = select(Alert.key, Alert.condition, Alert.quiet_since).where(Alert.resolved_at.is_(None))
    return {
        row.key: Open(row.key, row.condition, row.quiet_since) for row in session.execute(query)
    }


def _carry_out(
    session: Session, plan: Plan, causes: Mapping[str, Cause], now: datetime
) -> list[str]:
    subscribers = list(
        session.scalars(select(AlertSubscription).where(AlertSubscription.active.is_(True)))
    )
    done = []
    for cause in plan.begin:
        alert = Alert(
            key=cause.key,
            condition=cause.condition,
            code=cause.code,
            device=cause.device,
            venue=cause.venue,
            details=dict(cause.details),
            raised_at=now,
        )
        session.add(alert)
        session.flush()
        _queue(session, subscribers, alert, "raised", now)
        done.append(f"alert: {cause.key}")
    touched = {*plan.quiet, *plan.again, *plan.over}
    for alert in session.scalars(select(Alert).where(Alert.resolved_at.is_(None))):
        if alert.key not in touched:
            continue
        if alert.key in plan.over:
            alert.resolved_at = now
            _queue(session, subscribers, alert, "resolved", now)
            done.append(f"alert over: {alert.key}")
        else:
            alert.quiet_since = now if alert.key in plan.quiet else None
    session.flush()
    return done


def _queue(
    session: Session,
    subscribers: Iterable[AlertSubscription],
    alert: Alert,
    event: str,
    now: datetime,
) -> None:
    session.add_all(
        AlertDelivery(
            subscription=subscriber.id,
            alert=alert.id,
            event=event,
            created_at=now,
            next_try_at=now,
        )
        for subscriber in subscribers
        if is_told(subscriber.conditions, subscriber.venues, alert.condition, alert.venue)
    )


def _letters(session: Session, settings: Settings, now: datetime) -> list[Letter]:
    query = (
        select(AlertDelivery, Alert, AlertSubscription, Device.name, Venue.name)
        .join(Alert, Alert.id == AlertDelivery.alert)
        .join(AlertSubscription, AlertSubscription.id == AlertDelivery.subscription)
        .outerjoin(Device, Device.id == Alert.device)
        .outerjoin(Venue, Venue.id == Alert.venue)
        .where(AlertDelivery.state == "waiting", AlertDelivery.next_try_at <= now)
        .order_by(AlertDelivery.subscription, AlertDelivery.id)
    )
    found: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    who: dict[int, AlertSubscription] = {}
    for delivery, alert, subscriber, device, venue in session.execute(query):
        who[subscriber.id] = subscriber
        events = found.setdefault(subscriber.id, [])
        if len(events) < EVENTS_AT_ONCE:
            events.append((delivery.id, _event(delivery, alert, device, venue)))
    return [
        Letter(
            who[key].channel,
            who[key].target,
            who[key].secret,
            events=tuple(event for _, event in events),
            deliveries=tuple(number for number, _ in events),
        )
        for key, events in found.items()
    ]


def _event(
    delivery: AlertDelivery, alert: Alert, device: str | None, venue: str | None
) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "event": delivery.event,
        "alert": {
            "id": alert.id,
            "condition": alert.condition,
            "code": alert.code,
            "device": {"id": alert.device, "name": device} if alert.device else None,
            "venue": {"id": alert.venue, "name": venue} if alert.venue else None,
            "details": alert.details,
            "raised_at": _time(alert.raised_at),
            "resolved_at": _time(alert.resolved_at) if alert.resolved_at else None,
        },
    }


def _settle(session: Session, deliveries: Sequence[int], error: str | None, now: datetime) -> None:
    query = select(AlertDelivery).where(AlertDelivery.id.in_(deliveries))
    for delivery in session.scalars(query):
        delivery.tries += 1
        if error is None:
            delivery.state, delivery.sent_at, delivery.error = "sent", now, None
            continue
        wait = wait_after(delivery.tries)
        delivery.error = error[:300]
        if wait is None:
            delivery.state = "failed"
        else:
            delivery.next_try_at = now + wait
    session.flush()


def _note(session: Session, actor: Actor, action: str, found: AlertSubscription) -> None:
    # A webhook's path is often its secret: the trail keeps the channel alone.
    details = {
        "name": found.name,
        "channel": found.channel,
        "conditions": found.conditions,
        "venues": found.venues,
    }
    record(session, actor, action, f"alert-subscription/{found.id}", details=details)


def _check_target(channel: str, target: str) -> None:
    if channel == "webhook":
        check_hook_address(target)
    elif not re.fullmatch(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,190}", target):
        raise AddressRefused(f"Expected an e-mail address, got {target[:80]!r}.")
    elif not (target.isascii() and target.isprintable()):
        raise AddressRefused("Expected an e-mail address in plain letters.")


def _check_version(found: AlertSubscription, expected: int | None) -> None:
    if expected is not None and found.version != expected:
        raise PreconditionFailed(
            f"The subscription is at version {found.version}, not {expected}.",
            details={"version": found.version},
        )


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
