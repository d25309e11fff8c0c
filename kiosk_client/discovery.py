"""Finding the kiosk next door by mDNS, and being found; a hint, trusted for nothing.

Multicast fails in many venues (firewalls, separate networks, sleepy access
points); a typed address and the server's list do the same without it. Needs
`zeroconf`, which is read only when it is used: it takes memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zeroconf import Zeroconf

SERVICE = "_lampisterie._tcp.local."
SEARCH_SECONDS = 1.5
"""Longest search; a neighbour that is awake answers in a tenth of that."""

LINGER_SECONDS = 0.3
"""After the first answer, for the others."""

MOST_FOUND = 8

log = logging.getLogger("kiosk_client.discovery")


def service_name(device_id: str) -> str:
    """The instance name of a device: stable, and no more told than needed."""
    return f"kiosk-{hashlib.sha256(b'relay ' + device_id.encode()).hexdigest()[:12]}"


def find_relays(anchor: str, own: str) -> tuple[str, ...]:
    """Addresses of relays here that announce the trust anchor `anchor`, but not the one `own`.

    Empty when nobody answers soon, or when this machine has no multicast or no
    `zeroconf`. Searches in a process of its own: what that library takes of
    memory would stay with a device that hardly ever needs it.
    """
    command = [sys.executable, "-m", "kiosk_client.discovery", anchor, own]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=20 * SEARCH_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("no search for neighbours: %s", error)
        return ()
    if done.returncode:
        log.info("no search for neighbours: it ended with %d", done.returncode)
    return tuple(done.stdout.split())


def search(
    anchor: str,
    own: str,
    *,
    seconds: float = SEARCH_SECONDS,
    interfaces: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """As `find_relays`, in this process. `interfaces` are addresses to search at."""
    try:
        from zeroconf import ServiceBrowser, ServiceStateChange
    except ImportError:
        return ()
    found: dict[str, str] = {}
    first = threading.Event()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: Any) -> None:
        if state_change is ServiceStateChange.Removed or len(found) >= MOST_FOUND:
            return
        if name.partition(".")[0] == own:
            return
        info = zeroconf.get_service_info(service_type, name, timeout=int(seconds * 1000))
        url = _address(info, anchor)
        if url is not None:
            found[name] = url
            first.set()

    with _zeroconf(interfaces) as zeroconf:
        if zeroconf is None:
            return ()
        browser = ServiceBrowser(zeroconf, SERVICE, handlers=[changed])
        try:
            if first.wait(seconds):
                threading.Event().wait(min(LINGER_SECONDS, seconds))
        finally:
            browser.cancel()
    return tuple(dict.fromkeys(found.values()))


class Announcement:
    """Says on the network that a relay is here, until `close`d."""

    def __init__(
        self,
        *,
        name: str,
        anchor: str,
        port: int,
        addresses: Sequence[str],
        interfaces: Sequence[str] | None = None,
    ) -> None:
        """Announce; where this machine has no multicast, that is logged and all.

        `name` is the instance's (`service_name`), `addresses` are this machine's.
        """
        self.addresses = tuple(addresses)
        self._held = contextlib.ExitStack()
        try:
            from zeroconf import Error, ServiceInfo
        except ImportError:
            log.info("not announced: zeroconf is not installed")
            return
        zeroconf = self._held.enter_context(_zeroconf(interfaces))
        if zeroconf is None:
            return
        info = ServiceInfo(
            SERVICE,
            f"{name}.{SERVICE}",
            parsed_addresses=list(addresses),
            port=port,
            properties={"anchor": anchor, "v": "1"},
            server=f"{name}.local.",
        )
        try:
            zeroconf.register_service(info, cooperating_responders=True)
        except (Error, OSError) as error:
            log.info("not announced: %s", error)
            self.close()

    def close(self) -> None:
        """Say goodbye."""
        self._held.close()


def machine_addresses() -> tuple[str, ...]:
    """The IPv4 addresses of this machine that others may reach, sorted."""
    found = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                # SIOCGIFADDR (man 7 netdevice).
                raw = fcntl.ioctl(asking.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found.add(socket.inet_ntoa(raw[20:24]))
    return tuple(sorted(one for one in found if not one.startswith("127.")))


def _address(info: Any, anchor: str) -> str | None:
    """The address in an answer, if it is of a relay that trusts the same."""
    if info is None or not info.port:
        return None
    if (info.properties.get(b"anchor") or b"").decode("ascii", "replace") != anchor:
        return None
    for address in info.parsed_addresses():
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{info.port}"
    return None


@contextlib.contextmanager
def _zeroconf(interfaces: Sequence[str] | None) -> Iterator[Zeroconf | None]:
    from zeroconf import Error, InterfaceChoice, IPVersion, Zeroconf

    try:
        opened = Zeroconf(
            interfaces=list(interfaces) if interfaces else InterfaceChoice.All,
            ip_version=IPVersion.V4Only,
        )
    except (Error, OSError, RuntimeError) as error:
        log.info("no multicast on this machine: %s", error)
        yield None
        return
    try:
        yield opened
    finally:
        opened.close()


if __name__ == "__main__":
    click.echo("\n".join(search(*sys.argv[1:3])))
