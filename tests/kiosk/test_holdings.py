"""What a device may hand on: coherent metadata, and the whole chain of roots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from kiosk_client import trust
from kiosk_client.config import load_device
from kiosk_client.durable import write_json
from kiosk_client.holdings import anchor_name, keep_root_chain, read_metadata, root_path
from kiosk_client.sources import Reach
from kiosk_client.wire import Wire
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour

Fetch = Callable[[int], bytes | None]


@pytest.fixture
def late(newcomer: Kiosk, origin: Origin) -> Kiosk:
    """A device that was enrolled at the third root."""
    origin.rotate_root()
    origin.rotate_root(role="snapshot")
    origin.publish(harbour(film=300_000))
    newcomer.enrol()
    return newcomer


def from_origin(origin: Origin) -> Fetch:
    return lambda version: origin.files.get(f"metadata/{version}.root.json")


def test_roots_from_before_the_enrolment_are_kept_by_the_first_sync(
    late: Kiosk, origin: Origin
) -> None:
    late.sync()
    for version in (1, 2, 3):
        raw = origin.files[f"metadata/{version}.root.json"]
        assert root_path(late.data, version).read_bytes() == raw
    origin.forget_hits()
    late.sync()
    assert not origin.asked(r"metadata/[12]\.root\.json")


@pytest.mark.parametrize("wrong", ["none", "noise", "stranger", "itself"])
def test_a_root_that_does_not_sign_the_next_is_not_kept(
    late: Kiosk, origin: Origin, wrong: str
) -> None:
    answers: dict[str, Fetch] = {
        "none": lambda version: None,
        "noise": lambda version: b"{}",
        "stranger": lambda version: Origin().root_bytes(),
        "itself": lambda version: origin.root_bytes(),
    }
    device = load_device(late.data)
    assert not keep_root_chain(late.data, device, answers[wrong], trust.precedes)
    assert not root_path(late.data, 2).exists()
    assert keep_root_chain(late.data, device, from_origin(origin), trust.precedes)
    assert root_path(late.data, 1).exists()


def test_an_origin_without_its_old_roots_does_not_stop_a_sync(late: Kiosk, origin: Origin) -> None:
    del origin.files["metadata/1.root.json"]
    assert late.sync().outcome == "activated"
    origin.forget_hits()
    assert late.sync().outcome == "unchanged"
    assert not origin.asked(r"metadata/1\.root\.json")


def test_devices_enrolled_before_and_after_a_change_of_keys_share_a_name(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=300_000))
    kiosk.sync()
    device = load_device(kiosk.data)
    name = anchor_name(kiosk.data, device)
    origin.rotate_root()
    later = replace(device, root=origin.root_bytes())
    assert later.anchor != device.anchor
    assert anchor_name(kiosk.data, later) == name


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_does_not_fit_together_is_handed_to_nobody(
    kiosk: Kiosk, origin: Origin, role: str
) -> None:
    origin.publish(harbour(film=300_000))
    kiosk.sync()
    assert read_metadata(kiosk.data) is not None
    path = kiosk.data.metadata / f"{role}.json"
    whole = path.read_bytes()
    value = json.loads(whole)
    value["signed"]["version"] += 1
    for broken in (json.dumps(value).encode(), b"", b"[]", b"{", whole[:-10]):
        path.write_bytes(broken)
        if role == "timestamp" and broken == json.dumps(value).encode():
            # Nothing here names the timestamp's version.
            continue
        assert read_metadata(kiosk.data) is None
    path.unlink()
    assert read_metadata(kiosk.data) is None


@pytest.mark.parametrize(
    ("server", "size", "searched"),
    [
        ("https://content.example.org/", 40_000_000, True),
        ("https://content.example.org/", 1_000_000, False),
        ("http://10.0.0.2:8000/", 40_000_000, False),
        ("http://museum.local/", 40_000_000, False),
        ("http://localhost:8000/", 40_000_000, False),
    ],
)
def test_neighbours_are_searched_for_where_that_is_worth_a_second(
    kiosk: Kiosk, server: str, size: int, searched: bool
) -> None:
    asked: list[str] = []

    def find(anchor: str, own: str) -> tuple[str, ...]:
        asked.append(anchor)
        return ("http://10.0.0.9:8081",)

    device = replace(load_device(kiosk.data), server=server)
    reach = Reach(kiosk.data, device, None, find)
    kinds = [one.kind for one in reach.for_bytes(size)]
    assert kinds == (["relay", "origin"] if searched else ["origin"])
    reach.for_bytes(size)
    assert len(asked) == searched


def test_neighbours_are_reached_without_proxy_and_cap(kiosk: Kiosk) -> None:
    wire = Wire(limits=kiosk.limits)
    near = wire.with_limits(replace(kiosk.limits, attempts=1), near=True)
    assert near.network == type(near.network)()
    assert near.limits.attempts == 1
    assert near.cancel is wire.cancel


def test_a_venue_may_ask_for_the_search_also_with_a_near_origin(kiosk: Kiosk) -> None:
    write_json(kiosk.data.root / "settings.json", {"discover": True})
    reach = Reach(kiosk.data, load_device(kiosk.data), None, lambda anchor, own: ("10.0.0.9",))
    assert [one.kind for one in reach.for_bytes(40_000_000)] == ["relay", "origin"]
