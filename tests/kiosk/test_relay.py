"""A kiosk that serves its store to its neighbours, and what bad neighbours cannot do."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk_client import discovery
from kiosk_client.config import load_assignment, load_device, open_data_dir, save_assignment
from kiosk_client.durable import write_json
from kiosk_client.errors import NoNetwork
from kiosk_client.holdings import anchor_name
from kiosk_client.relay import CONNECTIONS, LARGEST_QUESTION, Keeper, RelayServer
from kiosk_client.sources import Reach, Source, neighbour_url
from package_format.layout import BLOCK_SIZE, blob_path
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Attack, Content, Origin, harbour, noise

_SEARCH = """
import sys
from kiosk_client.discovery import find_relays
find_relays("nobody", "kiosk-a")
print(",".join(sys.modules))
"""


def files(*, edition: int = 1) -> dict[str, Content]:
    """The package's files, with a film of two blocks."""
    found = harbour(edition=edition)
    film = noise(BLOCK_SIZE + 300_000, f"film {edition}")
    return {**found, "media/film/720.mp4": Content(film, "video/mp4", (), ("tablet",))}


def settings(kiosk: Kiosk, **values: Any) -> None:
    write_json(kiosk.data.root / "settings.json", values)


def cut(origin: Origin) -> None:
    """From now on nobody answers at the origin's address."""
    origin.attack("", "drop")


@pytest.fixture
def second(kiosk: Kiosk, origin: Origin, tmp_path: Path) -> Kiosk:
    """A device next to `kiosk`, enrolled, with nothing on it yet."""
    found = Kiosk(open_data_dir(tmp_path / "second", create=True), origin)
    origin.codes.add("AAAABBBBCCCC")
    found.enrol("AAAABBBBCCCC")
    return found


@pytest.fixture
def relay(kiosk: Kiosk) -> Iterator[RelayServer]:
    found = RelayServer(kiosk.data, "127.0.0.1", 0)
    yield found
    found.close()


@pytest.fixture
def base(relay: RelayServer) -> str:
    return f"http://127.0.0.1:{relay.port}/repository/"


def ask(
    url: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return found.status, dict(found.headers), found.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


class TestServing:
    def test_it_is_the_repository_as_far_as_it_is_here(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.rotate_root()
        manifest = origin.publish(files())
        kiosk.sync()
        held = {path.name for path in kiosk.data.root.glob("blobs/*/*")}
        for name, raw in origin.files.items():
            wanted = name.rpartition("/")[2] in held if "blobs/" in name else True
            if name.startswith(("metadata/1.t", "metadata/1.s")):
                # Of before the only publication this device saw.
                wanted = False
            status, headers, body = ask(base + name)
            assert (status, body if status == 200 else raw) == (200 if wanted else 404, raw), name
            if status == 200 and name != "metadata/timestamp.json":
                assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert ask(base + "metadata/timestamp.json")[1]["Cache-Control"] == "no-cache"
        status, headers, _ = ask(base + "metadata/3.root.json")
        assert (status, headers["Cache-Control"]) == (404, "no-store")
        film = next(
            entry
            for entry in manifest.files
            if entry.path.endswith(".mp4") and entry.sha256 in held
        )
        status, headers, body = ask(base + blob_path(film.sha256), Range="bytes=10-19")
        assert (status, headers["Etag"]) == (206, f'"{film.sha256}"')
        assert body == files()["media/film/720.mp4"].raw[10:20]

    def test_it_says_in_one_answer_which_blobs_it_has(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        manifest = origin.publish(files())
        kiosk.sync()
        asked = [entry.sha256 for entry in manifest.files] + ["ab" * 32]
        held = {path.name for path in kiosk.data.root.glob("blobs/*/*")}
        status, _, raw = ask(
            base + "have", method="POST", body=json.dumps({"sha256": asked}).encode()
        )
        mask = base64.b64decode(json.loads(raw)["have"])
        assert status == 200
        assert [bool(mask[at // 8] >> at % 8 & 1) for at in range(len(asked))] == [
            sha256 in held for sha256 in asked
        ]

    def test_a_blob_that_was_touched_is_neither_offered_nor_given(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        blob = kiosk.blob("media/crane/640.webp")
        blob.chmod(0o600)
        blob.write_bytes(b"\0" * 40_000)
        question = json.dumps({"sha256": [blob.name]}).encode()
        assert json.loads(ask(base + "have", method="POST", body=question)[2])["have"] == "AA=="
        assert ask(base + blob_path(blob.name))[0] == 404

    @pytest.mark.parametrize(
        "path",
        [
            "../device.json",
            "../repository/../device.json",
            "metadata/../../device.json",
            "metadata/root.json",
            "metadata/root_history/1.root.json",
            "blobs/..%2f..%2fdevice.json",
            "blobs/aa/../../device.json",
            f"blobs/aa/{'ab' * 32}",
            "targets/packages/harbour/live.json",
            f"targets/packages/harbour/{'ab' * 32}.live.json",
            "targets/packages/../../device.json",
            "",
            "settings.json",
            "have",
        ],
    )
    def test_nothing_else_can_be_read(
        self, kiosk: Kiosk, origin: Origin, base: str, path: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        with socket.create_connection(("127.0.0.1", int(base.split(":")[2].split("/")[0]))) as raw:
            raw.sendall(f"GET /repository/{path} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while chunk := raw.recv(65536):
                answer += chunk
        assert answer.split(b" ", 2)[1] in (b"404", b"405")
        assert load_device(kiosk.data).token.encode() not in answer

    def test_a_manifest_is_given_at_its_own_place_alone(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        (sha256,) = (path.stem for path in kiosk.data.sets.glob("*.json"))
        assert ask(f"{base}targets/packages/harbour/{sha256}.live.json")[0] == 200
        assert ask(f"{base}targets/packages/harbour/{sha256}.preview.json")[0] == 404
        assert ask(f"{base}targets/packages/noir/{sha256}.live.json")[0] == 404

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"[]", 400),
            (b'{"sha256":"aa"}', 400),
            (b'{"sha256":["../device.json"]}', 400),
            (json.dumps({"sha256": ["ab" * 32] * 10_001}).encode(), 400),
            (b"[" * 100_000, 400),
        ],
    )
    def test_questions_are_bounded(self, base: str, body: bytes, status: int) -> None:
        assert ask(base + "have", method="POST", body=body)[0] == status

    def test_a_question_that_is_too_long_is_not_even_read(self, relay: RelayServer) -> None:
        with socket.create_connection(("127.0.0.1", relay.port)) as raw:
            length = LARGEST_QUESTION + 1
            head = f"POST /repository/have HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
            raw.sendall(head.encode())
            raw.settimeout(10)
            assert raw.recv(1000).split(b" ", 2)[1] == b"413"

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "OPTIONS"])
    def test_nothing_can_be_written(
        self, kiosk: Kiosk, origin: Origin, base: str, method: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        before = kiosk.snapshot()
        assert ask(base + "metadata/timestamp.json", method=method, body=b"x")[0] == 405
        assert kiosk.snapshot() == before

    def test_idle_connections_keep_nobody_out(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        port = int(base.split(":")[2].split("/")[0])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS - 6)]
        try:
            assert ask(base + "metadata/timestamp.json")[0] == 200
        finally:
            for one in held:
                one.close()

    def test_a_state_half_replaced_is_never_given(
        self, kiosk: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        first = ask(base + "metadata/timestamp.json")[2]
        origin.publish(files(edition=2))
        # python-tuf was killed after its first file.
        (kiosk.data.metadata / "timestamp.json").write_bytes(
            origin.files["metadata/timestamp.json"]
        )
        assert ask(base + "metadata/timestamp.json")[2] == first
        kiosk.sync()
        assert ask(base + "metadata/timestamp.json")[2] != first
        # Who began with the older state still finds the rest of it.
        assert ask(base + "metadata/2.snapshot.json")[0] == 200


class TestFromTheKioskNextToIt:
    def test_with_the_origin_cut_a_second_kiosk_gets_everything_from_the_first(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        cut(origin)
        origin.forget_hits()
        settings(second, relays=[base])
        result = second.sync()
        assert (result.outcome, result.release) == ("activated", 1)
        assert set(result.sources) == {"relay"}
        assert {hit.status for hit in origin.hits} == {0}
        # Nothing newer there, and only the origin knows whether there is anywhere.
        with pytest.raises(NoNetwork):
            second.sync()
        assert second.release == 1

    def test_with_the_origin_up_only_what_is_new_comes_from_there(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        settings(second, relays=[base])
        origin.forget_hits()
        result = second.sync()
        assert result.sources == {"relay": result.fetched_bytes}
        assert not origin.asked("/blobs/")
        origin.publish(files(edition=2))
        result = second.sync()
        assert set(result.sources) == {"origin"}

    def test_a_hole_is_mended_by_a_neighbour_while_the_origin_is_away(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        second.sync()
        settings(second, relays=[base])
        cut(origin)
        blob = second.blob("media/film/720.mp4")
        blob.unlink()
        assert second.sync().outcome == "repaired"
        assert blob.exists()

    def test_a_neighbour_that_lacks_a_file_is_no_origin_that_fails(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        second.sync()
        origin.publish(files(edition=2))
        kiosk.sync()
        kiosk.blob("media/film/720.mp4").unlink()
        settings(second, relays=[base])
        cut(origin)
        before = second.snapshot()
        with pytest.raises(NoNetwork):
            second.sync()
        after = second.snapshot()
        assert {name: after[name] for name in before} == before
        # What came already is not fetched again.
        origin.attacks.clear()
        assert list(second.sync().sources) == ["origin"]
        assert second.release == 2

    def test_a_neighbour_of_yesterday_still_mends_a_hole(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        origin.refresh()
        second.sync()
        settings(second, relays=[base])
        cut(origin)
        blob = second.blob("media/film/720.mp4")
        blob.unlink()
        with pytest.raises(NoNetwork):
            second.sync()
        assert blob.exists()

    def test_the_servers_list_and_a_typed_address_do_without_multicast(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, relay: RelayServer
    ) -> None:
        assignment = load_assignment(second.data)
        assert assignment is not None
        listed = replace(assignment, settings={"relays": [f"127.0.0.1:{relay.port}"]})
        save_assignment(second.data, listed)
        origin.publish(files())
        kiosk.sync()
        cut(origin)
        assert set(second.sync().sources) == {"relay"}

    def test_a_relay_that_appears_is_found_where_a_search_finds_it(
        self, kiosk: Kiosk, second: Kiosk, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        cut(origin)
        asked: list[tuple[str, str]] = []

        def find(anchor: str, own: str) -> list[str]:
            asked.append((anchor, own))
            return ["not an address", base]

        assert set(second.sync(discovery=find).sources) == {"relay"}
        assert asked == [
            (anchor_name(kiosk.data, load_device(kiosk.data)), discovery.service_name("d1"))
        ]
        settings(second, discover=False)
        with pytest.raises(NoNetwork):
            second.sync(discovery=find)
        assert len(asked) == 1


@pytest.mark.parametrize(
    "answered",
    [
        b'{"have":"/w=="}',
        b'{"have":"////"}',
        b'{"have":""}',
        b'{"have":7}',
        b'{"have":"not base64!"}',
        b'{"had":"/w=="}',
        b"[]",
        b"<html>log in</html>",
        b"",
        b'{"have":"' + b"A" * 100_000 + b'"}',
        None,
    ],
)
def test_a_neighbour_that_answers_nonsense_is_passed_over(
    second: Kiosk, origin: Origin, answered: bytes | None
) -> None:
    origin.publish(files())
    neighbour = Origin()
    # It has nothing: believed by its word, each file costs a question at most.
    neighbour.files = {} if answered is None else {"have": answered}
    with neighbour.serving():
        settings(second, relays=[neighbour.url])
        result = second.sync()
    assert (result.outcome, set(result.sources)) == ("activated", {"origin"})
    assert len(neighbour.asked("/blobs/")) <= 6


class TestBadNeighbours:
    """A neighbour that misbehaves is a second simulated server; the origin is well."""

    @pytest.fixture
    def liar(self, origin: Origin) -> Iterator[Origin]:
        found = Origin()
        # The very same repository; `have` says yes to all.
        found.files = origin.files
        with found.serving():
            yield found

    @pytest.fixture
    def victim(self, second: Kiosk, liar: Origin) -> Kiosk:
        settings(second, relays=[liar.url])
        return second

    @pytest.fixture(autouse=True)
    def everything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A relay that claims to have all that it is asked for."""
        from kiosk_client import sources

        real = sources.ask_relay

        def ask_relay(wire: Any, source: Source, wanted: Any) -> Any:
            real_answer = source.url.endswith("/honest/repository/")
            return real(wire, source, wanted) if real_answer else list(wanted)

        monkeypatch.setattr(sources, "ask_relay", ask_relay)

    @pytest.mark.parametrize(
        ("how", "argument"),
        [
            ("flip", [5]),
            ("status", 404),
            ("status", 500),
            ("html", None),
            ("cut", 1000),
            ("short", None),
            ("wrong-range", None),
            ("endless", None),
            ("bomb", None),
            ("drop", None),
            ("redirect", "http://127.0.0.1:9/"),
            ("busy", 60),
        ],
    )
    def test_wrong_blobs_cost_nothing_but_a_moment(
        self, victim: Kiosk, liar: Origin, origin: Origin, how: str, argument: Any
    ) -> None:
        origin.publish(files())
        liar.attack("/blobs/", how, argument=argument)
        began = time.monotonic()
        result = victim.sync()
        assert (result.outcome, result.release) == ("activated", 1)
        assert result.sources["origin"] > 4_000_000
        # Dropped at once, not asked for each file.
        assert len(liar.asked("/blobs/")) <= 12
        assert time.monotonic() - began < 10

    @pytest.mark.parametrize(("how", "argument"), [("stall", 30), ("drip", 0.2)])
    def test_a_neighbour_that_stalls_is_left_alone_soon(
        self, victim: Kiosk, liar: Origin, origin: Origin, how: str, argument: Any
    ) -> None:
        origin.publish(files())
        victim.limits = replace(victim.limits, gap_seconds=0.5, rate_window_seconds=0.5)
        liar.attack("/blobs/", how, argument=argument)
        began = time.monotonic()
        assert victim.sync().outcome == "activated"
        assert time.monotonic() - began < 10

    def test_one_that_vanishes_amid_a_film_leaves_its_proven_blocks(
        self, victim: Kiosk, liar: Origin, origin: Origin
    ) -> None:
        manifest = origin.publish(files())
        film = next(entry for entry in manifest.files if entry.path.endswith(".mp4"))
        liar.attack(film.sha256, "cut", argument=BLOCK_SIZE + 5000)
        origin.forget_hits()
        result = victim.sync()
        assert result.outcome == "activated"
        assert result.sources["relay"] > BLOCK_SIZE
        (hit,) = origin.asked(film.sha256)
        assert hit.range is not None
        assert hit.sent <= film.size - BLOCK_SIZE

    def test_what_it_lacks_comes_from_the_next(
        self, kiosk: Kiosk, second: Kiosk, liar: Origin, origin: Origin, base: str
    ) -> None:
        origin.publish(files())
        kiosk.sync()
        cut(origin)
        liar.attack("/blobs/", "flip", argument=[5])
        settings(second, relays=[liar.url, base])
        result = second.sync()
        assert (result.outcome, set(result.sources)) == ("activated", {"relay"})

    @pytest.mark.parametrize("how", ["old", "stranger", "html", "endless", "drop"])
    def test_wrong_metadata_changes_nothing_while_the_origin_is_away(
        self, victim: Kiosk, liar: Origin, origin: Origin, how: str
    ) -> None:
        origin.publish(files())
        backup = dict(origin.files)
        origin.publish(files(edition=2))
        victim.sync()
        before = victim.snapshot()
        liar.files = backup
        if how == "stranger":
            stranger = Origin()
            stranger.publish(files(edition=9))
            liar.files = stranger.files
        elif how != "old":
            liar.attacks.append(Attack("/metadata/", how))
        cut(origin)
        with pytest.raises(NoNetwork):
            victim.sync()
        assert victim.snapshot() == before
        origin.attacks.clear()
        assert victim.sync().outcome == "unchanged"

    def test_a_mirror_that_lags_is_asked_only_for_what_it_has(
        self, second: Kiosk, liar: Origin, origin: Origin
    ) -> None:
        origin.publish(files())
        liar.files = dict(origin.files)
        origin.publish(files(edition=2))
        settings(second, mirrors=[liar.url + "repository/"])
        result = second.sync()
        assert set(result.sources) == {"mirror", "origin"}
        assert second.release == 2

    def test_a_mirror_stands_in_for_an_origin_that_is_down(
        self, second: Kiosk, liar: Origin, origin: Origin
    ) -> None:
        origin.publish(files())
        settings(second, mirrors=[liar.url + "repository/"])
        cut(origin)
        assert set(second.sync().sources) == {"mirror"}
        assert second.sync().outcome == "unchanged"


class TestKeeping:
    def test_a_relay_is_served_only_while_the_settings_want_one(self, kiosk: Kiosk) -> None:
        keeper = Keeper(kiosk.data, port=None, host="127.0.0.1")
        keeper.look()
        assert keeper.port is None

    def test_the_settings_switch_it_on_and_off(
        self, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from kiosk_client import relay

        monkeypatch.setattr(relay, "RELAY_PORT", 0)
        monkeypatch.setattr(discovery, "machine_addresses", lambda: ())
        announced: list[Any] = []

        class Announcement:
            def __init__(self, **given: Any) -> None:
                self.addresses = given["addresses"]
                announced.append(given)

            def close(self) -> None:
                announced.append("closed")

        monkeypatch.setattr(discovery, "Announcement", Announcement)
        keeper = Keeper(kiosk.data, port=None, host="127.0.0.1")
        settings(kiosk, relay=True)
        keeper.look()
        keeper.look()
        port = keeper.port
        assert port
        assert ask(f"http://127.0.0.1:{port}/repository/metadata/timestamp.json")[0] == 404
        assert [one["port"] for one in announced] == [port]
        monkeypatch.setattr(discovery, "machine_addresses", lambda: ("10.0.0.9",))
        keeper.look()
        assert announced[1:] == ["closed", announced[2]]
        settings(kiosk, relay=False)
        keeper.look()
        assert keeper.port is None
        with pytest.raises(urllib.error.URLError):
            ask(f"http://127.0.0.1:{port}/repository/metadata/timestamp.json")


class TestFinding:
    @pytest.fixture
    def interfaces(self) -> list[str]:
        """Loopback, where this machine lets multicast through it."""
        group, port = "224.0.0.251", 5353
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as says,
        ):
            try:
                hears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                hears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                hears.bind(("", port))
                member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
                hears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
                hears.settimeout(1)
                says.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
                )
                says.sendto(b"\0" * 12, (group, port))
                hears.recv(100)
            except OSError as error:
                reason = f"no multicast on this machine's loopback: {error}"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)
        return ["127.0.0.1"]

    def test_kiosks_that_trust_the_same_find_each_other(self, interfaces: list[str]) -> None:
        given: dict[str, Any] = {"addresses": ["127.0.0.1"], "interfaces": interfaces}
        first = discovery.Announcement(name="kiosk-a", anchor="ours", port=8081, **given)
        other = discovery.Announcement(name="kiosk-b", anchor="theirs", port=8082, **given)
        try:
            found = discovery.search("ours", "kiosk-c", interfaces=interfaces, seconds=5)
            assert found == ("http://127.0.0.1:8081",)
            itself = discovery.search("ours", "kiosk-a", interfaces=interfaces, seconds=0.5)
            assert itself == ()
        finally:
            first.close()
            other.close()

    def test_without_multicast_nothing_is_found_and_nothing_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(**given: Any) -> None:
            raise OSError(19, "No such device")

        monkeypatch.setattr("zeroconf.Zeroconf", refuse)
        assert discovery.search("ours", "kiosk-a", seconds=0.1) == ()
        discovery.Announcement(name="kiosk-a", anchor="ours", port=1, addresses=[]).close()

    def test_a_device_searches_in_a_process_of_its_own(self) -> None:
        assert discovery.find_relays("nobody-trusts-this", "kiosk-a") == ()
        assert "zeroconf" not in subprocess.run(
            [sys.executable, "-c", _SEARCH], check=True, capture_output=True, text=True
        ).stdout.split(",")

    def test_this_machines_addresses_are_those_others_may_reach(self) -> None:
        assert not [one for one in discovery.machine_addresses() if one.startswith("127.")]


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("10.0.0.5", "http://10.0.0.5:8081/repository/"),
        ("10.0.0.5:9000", "http://10.0.0.5:9000/repository/"),
        ("http://10.0.0.5:8081", "http://10.0.0.5:8081/repository/"),
        ("http://kiosk.local:8081/repository/", "http://kiosk.local:8081/repository/"),
        ("http://[fe80::1]:8081", "http://[fe80::1]:8081/repository/"),
        ("https://relay.example.org", "https://relay.example.org:443/repository/"),
    ],
)
def test_a_neighbours_address_may_be_typed_as_people_do(typed: str, url: str) -> None:
    assert neighbour_url(typed) == url


@pytest.mark.parametrize("typed", ["", "file:///etc/passwd", "http://a:b@10.0.0.5", "10.0.0.5:x"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        neighbour_url(typed)


def test_sources_are_ordered_from_near_to_far(kiosk: Kiosk, tmp_path: Path) -> None:
    settings(
        kiosk,
        relays=["10.0.0.5", 7, "10.0.0.5"],
        mirrors=["https://m.example.org/r", "ftp://x"],
        stick=str(tmp_path),
    )
    reach = Reach(kiosk.data, load_device(kiosk.data), load_assignment(kiosk.data))
    assignment = load_assignment(kiosk.data)
    assert assignment is not None
    told = replace(assignment, mirrors=("https://told.example.org/r/",))
    assert [(one.kind, one.url) for one in reach.ordered()] == [
        ("stick", ""),
        ("relay", "http://10.0.0.5:8081/repository/"),
        ("mirror", "https://m.example.org/r/"),
        ("origin", kiosk.origin.url + "repository/"),
    ]
    settings(kiosk)
    assert [one.url for one in Reach(kiosk.data, load_device(kiosk.data), told).ordered()] == [
        "https://told.example.org/r/",
        kiosk.origin.url + "repository/",
    ]
