"""The venue's PIN: who knows it may use the technician's page and old sticks.

Kept as a scrypt hash, in the device's own `settings.json` or, when that has
none, in the settings of the assignment. Wrong tries are counted on the disk
before they are judged, so that neither a power cut nor a restart gives more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import sys
import threading
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from kiosk_client.config import DataDir, load_assignment
from kiosk_client.durable import read_json, remove_json, write_json
from kiosk_client.errors import KioskError, PinThrottled

FREE_TRIES = 5
"""Wrong PINs in a row that cost no waiting."""
FIRST_WAIT = 30.0
LONGEST_WAIT = 3600.0
"""Seconds to wait after the fifth wrong PIN, doubled for each further one, up to an hour."""

_N, _R, _P = 2**14, 8, 1
# A hash from the server must not be able to take all memory of a small board.
_MOST_MEMORY = 64 * 1024 * 1024
_PIN = re.compile(r"[0-9]{4,12}")

log = logging.getLogger("kiosk_client.pin")
_judging = threading.Lock()
# What a disk that takes no writes could not keep.
_unwritten: dict[str, tuple[int, datetime]] = {}


@dataclass(frozen=True, slots=True)
class Tries:
    """Wrong PINs in a row, and when the last one was given."""

    wrong: int
    last: datetime


def normal_pin(typed: str) -> str:
    """`typed` as plain digits: full-width ones become narrow, spaces go.

    Raises:
        KioskError: it is not 4 to 12 digits.
    """
    found = unicodedata.normalize("NFKC", typed)
    found = "".join(sign for sign in found if sign.isalnum())
    if not _PIN.fullmatch(found):
        # The PIN itself stays out of the message: messages are logged.
        raise KioskError(
            f"expected a PIN of 4 to 12 digits, got {len(found)} signs: choose another"
        )
    return found


def hash_pin(pin: str) -> str:
    """A hash of `pin` to keep: `scrypt$N$r$p$SALT$HASH`, the last two in base64.

    Raises:
        KioskError: it is not 4 to 12 digits.
    """
    salt = os.urandom(16)
    digest = _scrypt(normal_pin(pin), salt, _N, _R, _P)
    words = (base64.b64encode(raw).decode("ascii") for raw in (salt, digest))
    return "$".join(("scrypt", str(_N), str(_R), str(_P), *words))


def pin_matches(kept: str, pin: str) -> bool:
    """Whether `pin` is the one hashed in `kept`; False also for a hash that does not read."""
    try:
        kind, n, r, p, salt, digest = kept.split("$")
        if kind != "scrypt" or 128 * int(n) * int(r) * int(p) > _MOST_MEMORY:
            return False
        found = _scrypt(
            normal_pin(pin), base64.b64decode(salt, validate=True), int(n), int(r), int(p)
        )
        return hmac.compare_digest(found, base64.b64decode(digest, validate=True))
    except (ValueError, KioskError, binascii.Error):
        return False


def kept_hash(data: DataDir) -> str | None:
    """The hash of this device's PIN: the venue's own, else the server's, else None."""
    own = read_json(data.root / "settings.json")
    chosen = own.get("technician_pin") if isinstance(own, dict) else None
    if not isinstance(chosen, str):
        assignment = load_assignment(data)
        chosen = assignment.settings.get("technician_pin") if assignment else None
    return chosen if isinstance(chosen, str) and chosen else None


def wait_seconds(tries: Tries, now: datetime) -> float:
    """Seconds until another PIN is judged; 0 when one may be given at once."""
    if tries.wrong < FREE_TRIES:
        return 0.0
    pause = min(FIRST_WAIT * 2.0 ** min(tries.wrong - FREE_TRIES, 20), LONGEST_WAIT)
    # A clock that was set back must not lock the venue out for years.
    return max(0.0, pause - max(0.0, (now - tries.last).total_seconds()))


def check_pin(data: DataDir, pin: str, now: datetime) -> bool:
    """Whether `pin` is this device's; never when none was set.

    Counts a wrong try durably, and forgets all of them at a right one.

    Raises:
        PinThrottled: too many were wrong; this one was not looked at.
    """
    kept = kept_hash(data)
    if kept is None:
        return False
    with _judging:
        tries = _load_tries(data)
        if now < tries.last:
            tries = Tries(tries.wrong, now)
        left = wait_seconds(tries, now)
        if left > 0:
            _save_tries(data, tries)
            raise PinThrottled(
                f"expected a pause after {tries.wrong} wrong PINs, got another at once: "
                f"wait {left:.0f} seconds",
                seconds=left,
            )
        _save_tries(data, Tries(tries.wrong + 1, now))
        if pin_matches(kept, pin):
            _save_tries(data, Tries(0, now))
            return True
    log.warning("a wrong PIN was given, %d in a row", tries.wrong + 1)
    return False


def _scrypt(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        pin.encode("ascii"), salt=salt, n=n, r=r, p=p, maxmem=2 * _MOST_MEMORY, dklen=32
    )


def _load_tries(data: DataDir) -> Tries:
    held = _unwritten.get(str(data.root))
    if held is not None:
        return Tries(*held)
    found = read_json(data.root / "pin.json")
    try:
        return Tries(max(0, int(found["wrong"])), datetime.fromisoformat(found["last"]))
    except (TypeError, KeyError, ValueError):
        return Tries(0, datetime.fromtimestamp(0, UTC))


def _save_tries(data: DataDir, tries: Tries) -> None:
    try:
        write_json(
            data.root / "pin.json",
            {"wrong": tries.wrong, "last": tries.last.astimezone(UTC).isoformat()},
            mode=0o600,
        )
        _unwritten.pop(str(data.root), None)
    except OSError as error:
        _unwritten[str(data.root)] = (tries.wrong, tries.last)
        log.warning("wrong PINs are counted in memory alone: %s", error)


def save_pin(data: DataDir, pin: str | None) -> None:
    """Make `pin` this device's own, or (None) leave it to the server; wrong tries are forgotten.

    Raises:
        KioskError: it is not 4 to 12 digits.
        OSError: the disk refused.
    """
    path = data.root / "settings.json"
    own = read_json(path)
    settings = dict(own) if isinstance(own, dict) else {}
    if pin is None:
        settings.pop("technician_pin", None)
    else:
        settings["technician_pin"] = hash_pin(pin)
    write_json(path, settings, mode=0o600)
    _unwritten.pop(str(data.root), None)
    remove_json(data.root / "pin.json")


@click.command()
@click.option("--remove", is_flag=True, help="Forget this device's own PIN; the server's applies.")
@click.option("--hash", "as_hash", is_flag=True, help="Set nothing; print what the server takes.")
@click.pass_context
def pin(ctx: click.Context, remove: bool, as_hash: bool) -> None:
    """Set the PIN of the technician's page: 4 to 12 digits, asked for, never an argument."""
    from kiosk_client.config import load_device, open_data_dir

    if as_hash:
        click.echo(hash_pin(_ask_pin()))
        return
    data = open_data_dir(ctx.obj)
    load_device(data)
    if remove:
        save_pin(data, None)
        has = "the server's PIN applies" if kept_hash(data) else "the page opens for nobody"
        click.echo(f"The PIN was removed: {has}.")
        return
    save_pin(data, _ask_pin())
    click.echo("The PIN is set.")


def _ask_pin() -> str:
    if sys.stdin.isatty():
        asked = click.prompt("New PIN", hide_input=True, confirmation_prompt="The same again")
        return str(asked)
    return sys.stdin.readline()
