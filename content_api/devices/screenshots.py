"""Pictures of devices' screens: foreign bytes, never kept or shown as they came.

What a device sends is decoded and made anew: smaller, stripped, of one known kind. Each device
has one picture, the last; it is shown to people who may read devices, and to nobody else.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pyvips
from flask import Response
from sqlalchemy.orm import Session

from content_api.devices.models import Device
from content_api.devices.orders import own_order
from content_api.media.errors import FileDamaged, TypeNotAccepted
from content_api.media.sending import SANDBOX
from content_api.media.sniff import JPEG, PNG, sniff
from content_api.problems import Conflict, NotFound, TooLarge
from content_api.settings import Settings

MEDIA_TYPE = "image/jpeg"

MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 40_000_000
"""A screen of 7,680 × 4,320 has 33 million."""

SCREENSHOT_AGE = timedelta(days=90)

MAX_SIDE = 1920
"""Pixels along a side of what is kept."""


def remake(raw: bytes) -> bytes:
    """The picture as a JPEG of at most MAX_SIDE pixels along a side, with nothing else inside.

    Raises:
        TooLarge: more than MAX_BYTES or MAX_PIXELS.
        TypeNotAccepted: not a PNG or JPEG from its first byte to its last.
        FileDamaged: cut short, or it does not decode.
    """
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"Expected a screenshot of at most {MAX_BYTES} bytes, got {len(raw)}.")
    found = sniff(raw)
    if found not in (PNG, JPEG):
        raise TypeNotAccepted(f"Expected a PNG or JPEG picture, got a {found.label}.")
    try:
        header = pyvips.Image.new_from_buffer(raw, "")
        if header.width * header.height > MAX_PIXELS:
            raise TooLarge(
                f"The screenshot has {header.width} × {header.height} pixels: "
                f"expected at most {MAX_PIXELS} in all."
            )
        image = pyvips.Image.thumbnail_buffer(
            raw, MAX_SIDE, height=MAX_SIDE, size="down", fail_on="truncated"
        )
        made: bytes = image.jpegsave_buffer(Q=80, keep="none", background=[255])
    except pyvips.Error as error:
        raise FileDamaged(f"The {found.label} is cut short or damaged.") from error
    return made


def keep_screenshot(
    session: Session, settings: Settings, device_id: str, order_id: int, raw: bytes, now: datetime
) -> None:
    """Keep what a device sent for an order to take one; it replaces the picture before.

    Raises:
        NotFound: the device has no such order.
        Conflict: the order asks for something else, or is over.
        TooLarge, TypeNotAccepted, FileDamaged: as `remake`.
    """
    order = own_order(session, device_id, order_id)
    if order.kind != "screenshot" or order.state not in ("queued", "taken"):
        raise Conflict(f"The order {order_id} does not wait for a screenshot.")
    made = remake(raw)
    settings.screenshots_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    _write(screenshot_path(settings, device_id), made)
    device = session.get_one(Device, device_id)
    device.screenshot_at = now
    session.flush()


def read_screenshot(session: Session, settings: Settings, device_id: str) -> bytes:
    """The last picture of a device's screen, a JPEG.

    Raises:
        NotFound: there is none.
    """
    device = session.get(Device, device_id)
    if device is None or device.screenshot_at is None:
        raise NotFound("There is no picture of this device's screen.")
    try:
        return screenshot_path(settings, device.id).read_bytes()
    except FileNotFoundError as error:
        raise NotFound("There is no picture of this device's screen.") from error


def screenshot_path(settings: Settings, device_id: str) -> Path:
    """Where the picture of a device lies; its id is a slug, so it cannot lead elsewhere."""
    return settings.screenshots_dir / f"{device_id}.jpg"


def send(raw: bytes) -> Response:
    """The answer that carries a picture: shown, never run, kept by nobody on the way."""
    return Response(
        raw,
        content_type=MEDIA_TYPE,
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": SANDBOX,
            "Cache-Control": "private, no-store",
        },
    )


def _write(path: Path, raw: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def drop_old(settings: Settings, before: float) -> int:
    """Remove pictures that came before `before` (Unix seconds); how many."""
    removed = 0
    for path in settings.screenshots_dir.glob("*.jpg"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
