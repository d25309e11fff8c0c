"""The device's side of the device API: enrol, ask what is assigned, say how it goes."""

from __future__ import annotations

import base64
import binascii
import json
import platform
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from kiosk_client import __version__
from kiosk_client.config import (
    Assignment,
    DataDir,
    Device,
    parse_assignment,
    save_assignment,
    save_device,
    server_url,
)
from kiosk_client.durable import alone, remove_json, write_json
from kiosk_client.errors import (
    DeviceRefused,
    EnrolmentRefused,
    ForeignAnswer,
    KioskError,
    OriginTrouble,
    from_os_error,
)
from kiosk_client.orders import OrderGone
from kiosk_client.wire import SMALL_ANSWER, Reply, Wire, json_object


@dataclass(frozen=True, slots=True)
class Assigned:
    """What the server says of this device now. `unchanged`: the assignment known still holds."""

    assignment: Assignment | None
    server_time: datetime | None
    unchanged: bool = False


def enrol(
    data: DataDir, wire: Wire, server: str, code: str, *, name: str | None = None
) -> tuple[Device, Assignment | None]:
    """Trade a code for this device's identity, token and first trusted root, and keep them.

    Everything that may refuse here is tried before the code is spent. What a
    former enrolment trusted is forgotten; stored blobs and the playing set stay.

    Raises:
        EnrolmentRefused: the server does not accept the code.
        NotTrusted: the root it sent is not one.
        NoNetwork, ForeignAnswer, OriginTrouble: no answer, or not the content server's.
        KioskError: the data directory takes no writes.
    """
    # Here, for `status` and `serve` must start without python-tuf.
    from kiosk_client import trust

    address = server_url(server)
    with alone(data.lock):
        try:
            write_json(data.root / "enrolling", {"server": address})
            remove_json(data.root / "enrolling")
        except OSError as error:
            raise from_os_error(error) from error
        body = {"code": code.strip(), "client": __version__, "platform": platform.platform()}
        if name:
            body["name"] = name
        url = urljoin(address, "api/v1/enrolments")
        reply = _send(wire, "POST", url, body, attempts=1)
        if reply.status != 201:
            raise _refusal(reply, url, EnrolmentRefused)
        value = json_object(reply, url)
        device = _parse_device(value, address)
        trust.check_root(device.root)
        assignment = parse_assignment(value.get("assignment"))
        try:
            trust.forget_metadata(data.metadata)
            trust.start_anew(data.trust)
            save_assignment(data, assignment)
            save_device(data, device)
        except OSError as error:
            raise from_os_error(error) from error
    return device, assignment


def ask_assignment(wire: Wire, device: Device, known: Assignment | None) -> Assigned:
    """What is assigned now; one small request, answered 304 when nothing changed.

    Raises:
        DeviceRefused: the token is revoked or unknown.
        NoNetwork, ForeignAnswer, OriginTrouble: no answer, or not the content server's.
    """
    url = urljoin(device.server, "api/v1/device")
    headers = {"Authorization": f"Bearer {device.token}", "Accept": "application/json"}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    reply = wire.ask("GET", url, limit=SMALL_ANSWER, headers=headers)
    if reply.status == 304:
        return Assigned(known, _date(reply), unchanged=True)
    if reply.status != 200:
        raise _refusal(reply, url, DeviceRefused)
    value = json_object(reply, url)
    if "assignment" not in value:
        raise ForeignAnswer(f"expected this device's assignment from {url}, got something else")
    return Assigned(
        parse_assignment(value["assignment"], reply.headers.get("etag", "")),
        _time(value.get("server_time")) or _date(reply),
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """What a heartbeat was answered: the assignment's version, and what this device is to do."""

    version: int | None
    orders: tuple[dict[str, Any], ...] = ()


def send_heartbeat(wire: Wire, device: Device, facts: dict[str, Any]) -> Answered:
    """Report `facts`; what the server has for this device.

    Raises: as `ask_assignment`.
    """
    url = urljoin(device.server, "api/v1/device/heartbeats")
    reply = _send(wire, "POST", url, facts, token=device.token, attempts=1)
    if reply.status not in (200, 202):
        raise _refusal(reply, url, DeviceRefused)
    value = json_object(reply, url)
    version, orders = value.get("assignment_version"), value.get("orders")
    return Answered(
        version if isinstance(version, int) else None,
        tuple(one for one in orders if isinstance(one, dict)) if isinstance(orders, list) else (),
    )


def tell_order(
    wire: Wire, device: Device, number: int, state: str, message: str | None = None
) -> None:
    """Say that an order was `taken`, is `done` or has `failed`; again is fine.

    Raises:
        OrderGone: it is not to be done any more.
        Others: as `ask_assignment`.
    """
    url = urljoin(device.server, f"api/v1/device/orders/{number}/acknowledgement")
    body = {"state": state, "message": message}
    reply = _send(wire, "POST", url, body, token=device.token, attempts=2)
    if reply.status != 200:
        gone = reply.status in (404, 409, 410, 422)
        raise _refusal(reply, url, OrderGone if gone else DeviceRefused)


def send_screenshot(wire: Wire, device: Device, number: int, picture: bytes) -> None:
    """Send what the screen shows, as JPEG or PNG, for an order.

    Raises: as `ask_assignment`.
    """
    url = urljoin(device.server, f"api/v1/device/orders/{number}/screenshot")
    kind = "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
    headers = {"Authorization": f"Bearer {device.token}", "Content-Type": kind}
    reply = wire.ask("PUT", url, limit=SMALL_ANSWER, headers=headers, body=picture, attempts=2)
    if reply.status not in (200, 204):
        raise _refusal(reply, url, DeviceRefused)


def send_plays(wire: Wire, device: Device, batch: str, rows: list[dict[str, Any]]) -> bool:
    """Report how often entries were shown; whether the server takes such rows at all.

    Raises: as `ask_assignment`.
    """
    url = urljoin(device.server, "api/v1/device/plays")
    body = {"batch": batch, "rows": rows}
    reply = _send(wire, "POST", url, body, token=device.token, attempts=2)
    if reply.status in (200, 202):
        return True
    if reply.status in (400, 413, 422):
        return False
    raise _refusal(reply, url, DeviceRefused)


def _send(
    wire: Wire,
    method: str,
    url: str,
    value: dict[str, Any],
    *,
    token: str | None = None,
    attempts: int,
) -> Reply:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return wire.ask(method, url, limit=SMALL_ANSWER, headers=headers, body=raw, attempts=attempts)


def _refusal(reply: Reply, url: str, refused: type[KioskError]) -> KioskError:
    """The error for an answer that is no success, in the server's own words if it has any."""
    if reply.status >= 500 or (reply.status == 429 and refused is DeviceRefused):
        words = f"expected an answer from {_host(url)}, got status {reply.status}"
        if reply.headers.get("content-type", "").startswith("application/problem+json"):
            words += f": {str(json_object(reply, url).get('detail'))[:300]}"
        return OriginTrouble(words)
    problem = json_object(reply, url)
    code = problem.get("code")
    words = problem.get("detail") or problem.get("title") or f"status {reply.status}"
    if reply.status == 429:
        seconds = reply.headers.get("retry-after", "")
        wait = f" Try again in {seconds} seconds." if seconds.isdecimal() else ""
        return refused(f"{_host(url)} answered: {str(words)[:300]}{wait}")
    if not isinstance(code, str) and reply.status == 404:
        return ForeignAnswer(
            f"expected the content server at {_host(url)}, got a server without its device pages"
        )
    return refused(
        f"{_host(url)} answered: {str(words)[:300]}" + (f" ({code[:60]})" if code else "")
    )


def _parse_device(value: dict[str, Any], server: str) -> Device:
    try:
        device = value["device"]
        found = Device(
            id=device["id"],
            name=device.get("name") or device["id"],
            server=server,
            repository=value.get("repository") or "repository/",
            token=value["token"],
            root=base64.b64decode(value["root"], validate=True),
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ForeignAnswer(f"expected an enrolment from {server}, got: {error}") from error
    if not all(isinstance(text, str) for text in (found.id, found.name, found.token)):
        raise ForeignAnswer(f"expected an enrolment from {server}, got other types")
    if urlsplit(found.repository_url).scheme not in ("http", "https"):
        raise ForeignAnswer(f"expected a repository address, got {found.repository!r}")
    return found


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _date(reply: Reply) -> datetime | None:
    try:
        found = parsedate_to_datetime(reply.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _host(url: str) -> str:
    return urlsplit(url).netloc
