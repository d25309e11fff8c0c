"""Trading a code for an identity, and what the server assigns."""

from __future__ import annotations

import json
import stat

import pytest

from kiosk_client.activation import read_active
from kiosk_client.config import load_assignment, load_device, server_url
from kiosk_client.errors import (
    EnrolmentRefused,
    ForeignAnswer,
    KioskError,
    NotEnrolled,
    NotTrusted,
)
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import TOKEN, Origin, harbour


def test_a_code_makes_a_device(newcomer: Kiosk, origin: Origin) -> None:
    newcomer.enrol(name="Quay, left screen")
    device = load_device(newcomer.data)
    assert (device.name, device.token) == ("Quay, left screen", TOKEN)
    assert device.root == origin.root_bytes()
    assert device.repository_url == origin.url + "repository/"
    assignment = load_assignment(newcomer.data)
    assert assignment is not None
    assert assignment.languages == ("ja", "en")


def test_the_token_is_its_owners_alone_and_shown_nowhere(newcomer: Kiosk) -> None:
    newcomer.enrol()
    assert stat.S_IMODE(newcomer.data.device.stat().st_mode) == 0o600
    holding = [
        path.name
        for path in newcomer.data.root.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert holding == ["device.json"]
    assert TOKEN not in repr(load_device(newcomer.data))


def test_a_wrong_code_is_refused_in_the_servers_words(newcomer: Kiosk) -> None:
    with pytest.raises(EnrolmentRefused, match=r"No such code\. \(enrolment-code-invalid\)"):
        newcomer.enrol("0000-0000-0000")
    with pytest.raises(NotEnrolled):
        load_device(newcomer.data)


def test_a_code_works_once(kiosk: Kiosk) -> None:
    with pytest.raises(EnrolmentRefused):
        kiosk.enrol()
    assert load_device(kiosk.data).token == TOKEN


def test_a_login_page_does_not_enrol(newcomer: Kiosk, origin: Origin) -> None:
    origin.attack("/api/", "html")
    with pytest.raises(ForeignAnswer, match="login page"):
        newcomer.enrol()
    assert not newcomer.data.device.exists()


def test_a_root_that_is_not_signed_does_not_enrol(newcomer: Kiosk, origin: Origin) -> None:
    root = json.loads(origin.root_bytes())
    root["signatures"] = []
    origin.files["metadata/1.root.json"] = json.dumps(root).encode()
    with pytest.raises(NotTrusted, match="signed root"):
        newcomer.enrol()
    assert not newcomer.data.device.exists()


@pytest.mark.parametrize(
    "url", ["", "content.example.org", "ftp://x/", "https://", "http://a:b@c/"]
)
def test_an_address_that_is_none_is_told_what_was_expected(newcomer: Kiosk, url: str) -> None:
    with pytest.raises(KioskError, match="such as https://content"):
        server_url(url)


def test_an_address_keeps_its_path() -> None:
    assert server_url("https://example.org/lamp") == "https://example.org/lamp/"


def test_enrolling_anew_trusts_the_new_server_and_plays_on_meanwhile(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(release=9)
    kiosk.sync()
    with Origin().serving() as other:
        other.publish(harbour(edition=2), release=1)
        kiosk.origin = other
        kiosk.enrol()
        assert kiosk.release == 9
        assert load_device(kiosk.data).server == other.url
        result = kiosk.sync()
    assert (result.release, result.fetched_files) == (1, 2)
    active = read_active(kiosk.data)
    assert active is not None
    assert active.previous is not None
    assert active.previous.release == 9


def test_an_assignment_that_is_none_is_a_foreign_answer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    assert origin.assignment is not None
    known = load_assignment(kiosk.data)
    for odd in ({"package": "../etc"}, {"languages": ["not a tag!"]}, {"profile": 5}):
        origin.assignment = {**origin.assignment, **odd}
        # The assignment known is kept: a broken server changes nothing on a screen.
        assert kiosk.sync().package == "harbour"
        assert load_assignment(kiosk.data) == known
