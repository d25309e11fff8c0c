"""Venues and devices, by the names their callers use; each part lives in its own module."""

from content_api.devices.assignments import assignment
from content_api.devices.enrolment import (
    ALL_TRIES,
    TRIES,
    TRIES_WINDOW,
    CodeExpired,
    CodeInvalid,
    check_tries,
    device_actor,
    enrol_device,
    find_device_actor,
    invite_device,
    invite_named_device,
    note_try,
    open_codes,
    revoke_device,
)
from content_api.devices.heartbeats import HEARTBEATS_KEPT, list_heartbeats, note_heartbeat
from content_api.devices.polls import DeviceRevoked
from content_api.devices.pruning import has_old_rows, prune
from content_api.devices.registry import (
    change_device,
    change_venue,
    create_device,
    create_venue,
    get_device,
    get_venue,
    list_devices,
    list_venues,
    live_releases,
)
from content_api.problems import RateLimited

__all__ = [
    "ALL_TRIES",
    "HEARTBEATS_KEPT",
    "TRIES",
    "TRIES_WINDOW",
    "CodeExpired",
    "CodeInvalid",
    "DeviceRevoked",
    "RateLimited",
    "assignment",
    "change_device",
    "change_venue",
    "check_tries",
    "create_device",
    "create_venue",
    "device_actor",
    "enrol_device",
    "find_device_actor",
    "get_device",
    "get_venue",
    "has_old_rows",
    "invite_device",
    "invite_named_device",
    "list_devices",
    "list_heartbeats",
    "list_venues",
    "live_releases",
    "note_heartbeat",
    "note_try",
    "open_codes",
    "prune",
    "revoke_device",
]
