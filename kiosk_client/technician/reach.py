"""The network test: from the cable to the server, one line each, until one says what to do.

Each step tells a different person what to repair: the cable, the router, a
firewall, the hour, a login page. Nothing here changes the device.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk_client.config import DataDir, load_device
from kiosk_client.errors import ForeignAnswer, KioskError
from kiosk_client.network import Network, bypasses
from kiosk_client.technician.work import Note
from kiosk_client.wire import Limits, Wire

PATIENCE = 8.0
"""Seconds a step may take."""
CLOCK_OFF = 300
"""Seconds the clock may differ from the server's before somebody should look at it."""

QUICK = Limits(
    connect_seconds=PATIENCE, gap_seconds=PATIENCE, attempts=1, rate_window_seconds=PATIENCE
)


def try_network(
    data: DataDir,
    note: Note,
    network: Network | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sysfs: Path = Path("/sys/class/net"),
) -> None:
    """Write what works and what does not to `note`, step by step; the first failure ends it.

    Where the venue has a proxy, names and certificates are its business.

    Raises:
        NotEnrolled: there is no server to look for.
    """
    parts = urlsplit(load_device(data).server)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_here(host) and not _link(note, sysfs):
        return
    network = network or Network()
    if network.proxy is not None and not bypasses(host, network.no_proxy):
        note.line("net.proxy", "none")
    else:
        found = _resolve(note, host, port)
        if found is None or not _connect(note, host, port, found):
            return
        if parts.scheme == "https" and not _handshake(note, host, port, network):
            return
    _ask(data, note, host, now, network)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _link(note: Note, sysfs: Path) -> bool:
    """Whether any network interface but the loopback one is up."""
    up = []
    for interface in sorted(sysfs.glob("*")):
        if interface.name == "lo":
            continue
        try:
            if (interface / "operstate").read_text().strip() in ("up", "unknown"):
                up.append(interface.name)
        except OSError:
            continue
    if up:
        note.line("net.link", "ok", interfaces=", ".join(up))
        return True
    note.line("net.linkBad", "bad")
    return False


def _resolve(note: Note, host: str, port: int) -> list[tuple[Any, ...]] | None:
    """Addresses of the server, None when its name is not known here."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        note.line("net.nameBad", "bad", host=host)
        return None
    if not _is_number(host):
        note.line("net.name", "ok", host=host, address=found[0][4][0])
    return list(found)


def _connect(note: Note, host: str, port: int, found: list[tuple[Any, ...]]) -> bool:
    for family, kind, protocol, _, address in found[:4]:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.settimeout(PATIENCE)
                probe.connect(address)
        except OSError:
            continue
        note.line("net.reach", "ok", host=host, port=port)
        return True
    note.line("net.reachBad", "bad", host=host, port=port)
    return False


def _handshake(note: Note, host: str, port: int, network: Network) -> bool:
    try:
        context = ssl.create_default_context()
        if network.ca_file is not None:
            context.load_verify_locations(network.ca_file)
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            note.line("net.tls", "ok")
            return True
    except ssl.SSLCertVerificationError as error:
        # 9 and 10 of OpenSSL's X509_V_ERR: not valid yet, expired. A wrong clock does both.
        key = "net.tlsTime" if error.verify_code in (9, 10) else "net.tlsBad"
        note.line(key, "bad", host=host, detail=error.verify_message)
    except OSError as error:
        note.line("net.tlsBad", "bad", host=host, detail=error.strerror or str(error))
    return False


def _ask(
    data: DataDir,
    note: Note,
    host: str,
    now: Callable[[], datetime],
    network: Network,
) -> None:
    url = load_device(data).repository_url + "metadata/timestamp.json"
    asking = Wire(limits=QUICK, network=network, now=now)
    try:
        reply = asking.ask("GET", url, limit=64 * 1024, attempts=1)
    except ForeignAnswer as error:
        note.line("net.portal", "bad", detail=str(error))
        return
    except KioskError as error:
        note.line(f"error.{error.code}", "bad", detail=str(error))
        return
    finally:
        asking.close()
    if reply.status != 200:
        note.line("net.serverBad", "bad", host=host, status=reply.status)
        return
    if not reply.body.lstrip().startswith(b"{"):
        note.line("net.portal", "bad", detail=reply.headers.get("content-type", ""))
        return
    note.line("net.server", "ok", host=host)
    _clock(note, reply.headers.get("date"), now())


def _clock(note: Note, date: str | None, now: datetime) -> None:
    try:
        there = parsedate_to_datetime(date or "")
        off = round((now - there).total_seconds())
    except (ValueError, TypeError):
        return
    if abs(off) <= CLOCK_OFF:
        note.line("net.clock", "ok", seconds=abs(off))
    else:
        note.line(
            "net.clockBad", "bad", server=there.astimezone(UTC).isoformat(), here=now.isoformat()
        )


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
