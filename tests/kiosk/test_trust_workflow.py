"""The TUF client workflow, clause by clause: `kiosk-client trust` and a served repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from tests.kiosk.tuf_origin import METADATA, Client, later, tuf_client

PLAIN = {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with tuf_client(tmp_path) as found:
        yield found


def test_a_refresh_asks_for_each_role_once_and_in_order(client: Client) -> None:
    assert client.refresh() == 0
    assert client.origin.metadata_asked() == [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
    ]
    assert client.versions() == PLAIN


def test_a_second_refresh_asks_for_what_can_be_new_alone(client: Client) -> None:
    client.refresh()
    client.origin.forget_hits()
    assert client.refresh() == 0
    assert client.origin.metadata_asked() == ["2.root.json", "timestamp.json"]


def test_initialising_asks_nobody(client: Client) -> None:
    assert client.origin.hits == []
    assert client.versions() == {"root": 1}


@pytest.mark.parametrize("damage", ["no version", "a strange signature", "no JSON"])
def test_a_first_root_that_is_none_is_never_used(client: Client, damage: str) -> None:
    root = json.loads(client.origin.files[f"{METADATA}1.root.json"])
    if damage == "no version":
        del root["signed"]["version"]
    root["signatures"][0]["sig"] = "3045022100ee448afe2d25dd1f"
    raw = b"{half" if damage == "no JSON" else json.dumps(root).encode()
    fresh = Client(client.origin, client.folder / "fresh")
    fresh.folder.mkdir()
    assert fresh.init(raw) == 1
    assert fresh.said.startswith("not-trusted: ")
    assert fresh.refresh() == 1
    assert client.origin.hits == []


def test_metadata_without_consistent_snapshots_is_asked_by_its_plain_name(client: Client) -> None:
    origin = client.origin
    origin.root.consistent_snapshot = False
    origin.next_root()
    origin.add_target("a/b.txt", b"plain")
    origin.publish_roles("targets")
    assert client.download("a/b.txt") == 0
    assert "snapshot.json" in origin.metadata_asked()
    assert origin.asked("/targets/a/")[0].path.endswith("/a/b.txt")


def test_metadata_is_kept_byte_for_byte(client: Client) -> None:
    raw = json.dumps(json.loads(client.origin.files[f"{METADATA}timestamp.json"]), indent=7)
    client.origin.files[f"{METADATA}timestamp.json"] = raw.encode()
    assert client.refresh() == 0
    assert (client.metadata / "timestamp.json").read_bytes() == raw.encode()


def test_fields_nobody_knows_are_signed_like_all_others(client: Client) -> None:
    origin = client.origin
    keyid = origin.root.roles["root"].keyids[0]
    origin.root.unrecognized_fields["custom"] = "value"
    origin.root.keys[keyid].unrecognized_fields["extra"] = {"a": 1}
    origin.root.roles["root"].unrecognized_fields["another"] = "value"
    origin.next_root()
    origin.roles["timestamp"].unrecognized_fields["published_at"] = "2026-11-24T06:00:00Z"
    origin.publish_timestamp()
    assert client.refresh() == 0
    assert client.version("root") == 2
    origin.roles["timestamp"].version += 1
    raw = origin.write("timestamp").replace(b"06:00:00", b"07:00:00")
    origin.files[f"{METADATA}timestamp.json"] = raw
    assert client.refresh() == 1
    assert client.said.startswith("not-trusted: ")


# Expiry


def test_an_expired_root_is_kept_and_ends_the_refresh(client: Client) -> None:
    origin = client.origin
    client.refresh()
    origin.root.expires = later(-1)
    origin.next_root()
    origin.publish_roles("targets")
    assert client.refresh() == 1
    assert client.said.startswith("metadata-expired: ")
    assert (client.version("root"), client.version("timestamp")) == (2, 1)


def test_an_expired_root_in_between_is_no_hindrance(client: Client) -> None:
    origin = client.origin
    origin.root.expires = later(-1)
    origin.next_root()
    origin.root.expires = later(9)
    origin.next_root()
    assert client.refresh() == 0
    assert client.version("root") == 3


@pytest.mark.parametrize(
    ("role", "kept"),
    [
        ("timestamp", {"timestamp": 1, "snapshot": 1, "targets": 1}),
        ("snapshot", {"timestamp": 2, "snapshot": 1, "targets": 1}),
        ("targets", {"timestamp": 2, "snapshot": 2, "targets": 1}),
    ],
)
def test_expired_metadata_is_not_kept(client: Client, role: str, kept: dict[str, int]) -> None:
    client.refresh()
    client.origin.roles[role].expires = later(-5)
    client.origin.publish_roles("targets")
    assert client.refresh() == 1
    assert client.said.startswith("metadata-expired: ")
    assert client.versions() == {"root": 1, **kept}


def test_local_metadata_that_expired_still_leads_to_newer(client: Client) -> None:
    origin = client.origin
    origin.roles["timestamp"].expires = later(7)
    origin.publish_timestamp()
    client.refresh()
    origin.roles["timestamp"].expires = later(21)
    origin.publish_roles("targets")
    assert client.refresh("--time", later(18).isoformat()) == 0
    assert client.versions() == {"root": 1, "snapshot": 2, "targets": 2, "timestamp": 3}


def test_local_metadata_that_expired_is_good_for_nothing_else(client: Client) -> None:
    client.refresh()
    assert client.refresh("--time", later(31).isoformat()) == 1
    assert client.said.startswith("metadata-expired: ")


def test_the_time_must_be_a_time(client: Client) -> None:
    assert client.refresh("--time", "tomorrow") == 2
    assert "expected --time" in client.said


# Rollback, and the way out of a fast-forward


def test_a_lower_timestamp_is_refused(client: Client) -> None:
    origin = client.origin
    origin.publish_timestamp()
    client.refresh()
    origin.roles["timestamp"].version = 1
    origin.write("timestamp")
    assert client.refresh() == 1
    assert client.said.startswith("rollback-refused: ")
    assert client.version("timestamp") == 2
    assert origin.metadata_asked()[-1] == "timestamp.json"


def test_an_equal_timestamp_is_not_read(client: Client) -> None:
    client.refresh()
    kept = (client.metadata / "timestamp.json").read_bytes()
    client.origin.roles["timestamp"].snapshot_meta.version = 100
    client.origin.write("timestamp")
    assert client.refresh() == 0
    assert (client.metadata / "timestamp.json").read_bytes() == kept


@pytest.mark.parametrize("hashes", [False, True])
def test_a_lower_snapshot_is_refused(client: Client, hashes: bool) -> None:
    origin = client.origin
    origin.hashes = hashes
    origin.publish_roles("targets")
    client.refresh()
    origin.roles["snapshot"].version = 1
    origin.publish_timestamp()
    assert client.refresh() == 1
    assert client.said.startswith("rollback-refused: ")
    assert (client.version("timestamp"), client.version("snapshot")) == (2, 2)


@pytest.mark.parametrize("hashes", [False, True])
def test_lower_targets_are_refused(client: Client, hashes: bool) -> None:
    origin = client.origin
    origin.hashes = hashes
    origin.publish_roles("targets")
    client.refresh()
    origin.roles["targets"].version = 0
    origin.publish_roles("targets")
    assert origin.roles["targets"].version == 1
    assert client.refresh() == 1
    assert client.version("targets") == 2


def test_a_role_never_leaves_the_snapshot(client: Client) -> None:
    origin = client.origin
    origin.delegate("quay")
    origin.publish_roles("targets")
    client.refresh()
    del origin.roles["snapshot"].meta["quay.json"]
    origin.roles["snapshot"].version += 1
    origin.publish_timestamp()
    for _ in range(2):
        assert client.refresh() == 1
    assert client.version("snapshot") == 2
    # Not even after the local files are lost: the versions accepted are kept by themselves.
    (client.metadata / "snapshot.json").unlink()
    (client.metadata / "timestamp.json").unlink()
    assert client.refresh() == 1
    assert "quay version 1 or newer, got a snapshot without it" in client.said


def test_a_delegated_role_never_goes_back(client: Client) -> None:
    origin = client.origin
    origin.delegate("quay")
    origin.publish_roles("targets", "quay")
    client.refresh()
    origin.roles["quay"].version = 1
    origin.publish_roles()
    assert client.refresh() == 1
    (client.metadata / "snapshot.json").unlink()
    assert client.refresh() == 1
    assert client.said.startswith("rollback-refused: ")


@pytest.mark.parametrize(
    ("fast", "rotated"),
    [
        ("timestamp", ["timestamp"]),
        ("snapshot", ["timestamp", "snapshot"]),
        ("targets", ["snapshot"]),
    ],
)
def test_new_keys_lead_out_of_versions_set_too_far_ahead(
    client: Client, fast: str, rotated: list[str]
) -> None:
    origin = client.origin
    origin.roles[fast].version = 99_999
    origin.publish_roles(bump=False)
    origin.publish_timestamp() if fast != "timestamp" else None
    assert client.refresh() == 0
    for role in rotated:
        origin.rotate(role)
    origin.roles[fast].version = 1
    origin.publish_roles(bump=fast != "timestamp")
    assert client.refresh() == 0
    assert client.version(fast) in (1, 2)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_file_of_another_version_than_its_name_is_refused(client: Client, role: str) -> None:
    origin = client.origin
    client.refresh()
    origin.publish_roles("targets")
    name = f"{METADATA}2.{role}.json"
    origin.roles[role].version = 7
    wrong = origin.write(role)
    origin.files[name] = wrong
    assert client.refresh() == 1
    assert client.version(role) == 1


@pytest.mark.parametrize("number", [1, 3])
def test_a_root_of_another_version_than_its_name_is_refused(client: Client, number: int) -> None:
    origin = client.origin
    origin.root.version = number
    origin.sign_root()
    origin.files[f"{METADATA}2.root.json"] = origin.files[f"{METADATA}{number}.root.json"]
    assert client.refresh() == 1
    assert client.versions() == {"root": 1}


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_file_with_another_hash_than_named_is_refused(client: Client, role: str) -> None:
    origin = client.origin
    origin.hashes = True
    client.refresh()
    origin.publish_roles("targets")
    name = f"{METADATA}2.{role}.json"
    origin.files[name] = origin.files[name] + b" "
    assert client.refresh() == 1
    assert client.said.startswith("damaged-transfer: ")
    assert client.version(role) == 1


# Keys


def test_three_rotations_of_the_root_are_followed_one_by_one(client: Client) -> None:
    for _ in range(3):
        client.origin.rotate("root")
    assert client.refresh() == 0
    assert client.version("root") == 4
    assert client.origin.metadata_asked()[:4] == [f"{n}.root.json" for n in (2, 3, 4, 5)]


@pytest.mark.parametrize("missing", ["old", "new"])
def test_a_new_root_needs_old_and_new_keys(client: Client, missing: str) -> None:
    origin = client.origin
    old = origin.keys["root"][0]
    origin.rotate("root")
    signer = origin.keys["root"][0] if missing == "old" else old
    origin.sign_root(signer)
    assert client.refresh() == 1
    assert client.versions() == {"root": 1}


@pytest.mark.parametrize(
    ("keys", "threshold", "signing", "good"),
    [
        (3, 2, [0, 2], True),
        (3, 2, [1], False),
        (5, 3, [0, 2, 4], True),
        (5, 3, [0, 2], False),
        (2, 3, [0, 1], False),
    ],
)
def test_a_threshold_counts_distinct_keys(
    client: Client, keys: int, threshold: int, signing: list[int], good: bool
) -> None:
    origin = client.origin
    signers = [CryptoSigner.generate_ed25519() for _ in range(keys)]
    origin.root.roles["snapshot"].keyids.clear()
    for signer in signers:
        origin.root.add_key(signer.public_key, "snapshot")
    origin.root.roles["snapshot"].threshold = threshold
    origin.next_root()
    origin.keys["snapshot"] = [signers[n] for n in signing]
    origin.publish_roles("targets")
    assert (client.refresh() == 0) is good
    assert client.version("root") == 2


def test_one_key_under_several_names_counts_once(client: Client) -> None:
    origin = client.origin
    signer = CryptoSigner.generate_ed25519()
    client.refresh()
    for number in range(4):
        key = type(signer.public_key).from_dict(f"{number:064x}", signer.public_key.to_dict())
        origin.root.add_key(key, "snapshot")
    origin.root.roles["snapshot"].threshold = 3
    origin.next_root()
    origin.keys["snapshot"] = [origin.keys["snapshot"][0], signer]
    origin.publish_roles("targets")
    assert client.refresh() == 1
    assert client.version("snapshot") == 1


def test_a_key_of_an_unknown_kind_is_no_hindrance(client: Client) -> None:
    origin = client.origin
    keyid = origin.root.roles["snapshot"].keyids[0]
    origin.root.keys[keyid].unrecognized_fields["keyid_hash_algorithms"] = ["md5"]
    origin.next_root()
    assert client.refresh() == 0


# Delegations


@pytest.mark.parametrize(
    ("graph", "visited"),
    [
        ([("targets", "a", {}), ("targets", "b", {})], ["a", "b"]),
        (
            [("targets", "a", {}), ("targets", "b", {}), ("a", "c", {}), ("a", "d", {})],
            ["a", "c", "d", "b"],
        ),
        (
            [
                ("targets", "a", {}),
                ("targets", "b", {}),
                ("a", "c", {"terminating": True}),
                ("a", "d", {}),
            ],
            ["a", "c"],
        ),
        ([("targets", "a", {"paths": ["*.py"]}), ("targets", "b", {}), ("a", "c", {})], ["b"]),
        (
            [("targets", "a", {}), ("a", "b", {}), ("b", "a", {}), ("b", "c", {})],
            ["a", "b", "c"],
        ),
    ],
)
def test_delegations_are_searched_depth_first_and_once(
    client: Client, graph: list[tuple[str, str, dict[str, object]]], visited: list[str]
) -> None:
    for parent, name, options in graph:
        client.origin.delegate(name, by=parent, **options)  # type: ignore[arg-type]
    client.origin.publish_roles("targets")
    assert client.download("nowhere") == 1
    assert client.said.startswith("origin-trouble: ")
    assert client.origin.metadata_asked()[4:] == [f"1.{name}.json" for name in visited]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("README.md", True),
        ("releases/x/one", True),
        ("releases/x/deep/one", False),
        ("docs/README.md", False),
        ("releases/z/one", False),
    ],
)
def test_a_pattern_does_not_match_across_a_slash(client: Client, name: str, found: bool) -> None:
    origin = client.origin
    origin.delegate("a", paths=["*.md"])
    origin.delegate("b", paths=["releases/*/*"])
    origin.delegate("c", by="b", paths=["releases/x/*"])
    for role in ("a", "c"):
        origin.add_target(name, b"bytes", role=role)
    origin.publish_roles("targets")
    assert client.download(name) == (0 if found else 1)
    assert client.downloaded() == ([b"bytes"] if found else [])


@pytest.mark.parametrize("name", ["?", "#", "/role", "../role", "a b", "ロール", "."])
def test_a_role_of_an_odd_name_is_one_file_here_and_there(client: Client, name: str) -> None:
    origin = client.origin
    origin.delegate(name)
    origin.publish_roles("targets")
    assert client.download("nowhere") == 1
    assert f"1.{quote(name, '')}.json" in origin.metadata_asked()
    assert len(list(client.metadata.glob("*.json"))) + (name == ".") >= 5
    outside = set(client.folder.iterdir()) - {client.metadata}
    assert {path.name for path in outside} == {"root-given.json"}


def test_an_expired_delegated_role_names_no_target(client: Client) -> None:
    origin = client.origin
    origin.delegate("quay").expires = later(-1)
    origin.add_target("crane", b"crane", role="quay")
    origin.publish_roles("targets", "quay")
    assert client.refresh() == 0
    assert client.download("crane") == 1
    assert client.downloaded() == []
    assert "quay" not in client.versions()


def test_a_delegated_role_that_expires_here_is_used_again_once_renewed(client: Client) -> None:
    origin = client.origin
    origin.delegate("quay").expires = later(7)
    origin.add_target("one", b"one", role="quay")
    origin.add_target("two", b"two", role="quay")
    origin.publish_roles("targets")
    assert client.download("one") == 0
    late = ("--time", later(18).isoformat())
    assert client.download("two", *late) == 1
    origin.roles["quay"].expires = later(21)
    origin.publish_roles("quay")
    assert client.download("two", *late) == 0


def test_a_delegated_role_signed_by_a_stranger_is_refused(client: Client) -> None:
    origin = client.origin
    origin.delegate("quay")
    origin.add_target("crane", b"crane", role="quay")
    origin.keys["quay"] = [CryptoSigner.generate_ed25519()]
    origin.publish_roles("targets")
    assert client.download("crane") == 1
    assert client.said.startswith("not-trusted: ")


# Targets


def test_a_target_is_fetched_once_and_again_when_it_changed(client: Client) -> None:
    origin = client.origin
    origin.add_target("a/crane.txt", b"crane")
    origin.publish_roles("targets")
    assert client.download("a/crane.txt") == 0
    assert client.download("a/crane.txt") == 0
    assert len(origin.asked("/targets/")) == 1
    origin.add_target("a/crane.txt", b"new crane")
    origin.publish_roles("targets")
    assert client.download("a/crane.txt") == 0
    assert client.downloaded() == [b"new crane"]


def test_a_target_without_its_hash_before_its_name(client: Client) -> None:
    client.origin.add_target("crane.txt", b"crane", prefix=False)
    client.origin.publish_roles("targets")
    assert client.download("crane.txt") == 1
    assert client.download("crane.txt", "--no-hash-prefix") == 0


@pytest.mark.parametrize("other", [b"CRANE", b"crane and more", b"cr", b""])
def test_other_bytes_than_signed_are_not_kept(client: Client, other: bytes) -> None:
    origin = client.origin
    origin.add_target("crane.txt", b"crane")
    origin.publish_roles("targets")
    path = next(path for path in origin.files if path.startswith("targets/"))
    origin.files[path] = other
    assert client.download("crane.txt") == 1
    assert client.said.startswith("damaged-transfer: ")
    assert client.downloaded() == []


def test_a_target_that_changed_wrongly_leaves_the_one_before(client: Client) -> None:
    origin = client.origin
    origin.add_target("crane.txt", b"crane")
    origin.publish_roles("targets")
    client.download("crane.txt")
    origin.add_target("crane.txt", b"other")
    origin.publish_roles("targets")
    origin.attack("/targets/", "flip", argument=[0])
    assert client.download("crane.txt") == 1
    assert client.downloaded() == [b"crane"]


@pytest.mark.parametrize("name", ["../crane", "/etc/crane", "a/../../crane"])
def test_no_targets_name_leads_out_of_the_folder(client: Client, name: str) -> None:
    origin = client.origin
    origin.add_target(name, b"crane")
    origin.publish_roles("targets")
    client.download(name)
    found = list(client.folder.rglob("*crane*"))
    assert all(client.targets in path.parents for path in found)


def test_the_folder_may_hold_a_link_where_a_target_goes(client: Client, tmp_path: Path) -> None:
    origin = client.origin
    origin.add_target("crane", b"crane")
    origin.publish_roles("targets")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    client.targets.mkdir()
    (client.targets / "crane").symlink_to(secret)
    assert client.download("crane") == 0
    assert secret.read_bytes() == b"secret"


def test_an_endless_target_ends_at_its_length(client: Client) -> None:
    client.origin.add_target("crane", b"crane")
    client.origin.publish_roles("targets")
    client.origin.attack("/targets/", "endless")
    assert client.download("crane") == 1
    assert client.downloaded() == []


# The command itself


def test_what_is_missing_is_told(client: Client, tmp_path: Path) -> None:
    fresh = Client(client.origin, tmp_path / "fresh")
    assert fresh.refresh() == 1
    assert "run `init ROOTFILE` first" in fresh.said
    assert client._run("download") == 2


def test_a_server_that_is_away_is_told(client: Client) -> None:
    client.options = ["--metadata-url", "http://127.0.0.1:9/"]
    assert client.refresh() == 1
    assert client.said.startswith("no-network: ")


def test_it_runs_as_an_outside_suite_runs_it(client: Client, tmp_path: Path) -> None:
    client.origin.add_target("crane", b"crane")
    client.origin.publish_roles("targets")
    base = f"{client.origin.url}repository/"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kiosk_client.cli", "trust"),
            *("--metadata-url", f"{base}metadata", "--metadata-dir", str(client.metadata)),
            *("--target-name", "crane", "--target-dir", str(client.targets)),
            *("--target-base-url", f"{base}targets", "download"),
        ],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert client.downloaded() == [b"crane"]


def test_a_repository_that_many_years_signed_is_followed(client: Client) -> None:
    for _ in range(40):
        client.origin.next_root()
    assert client.refresh() == 0
    assert client.version("root") == 41
    root = Metadata.from_file(str(client.metadata / "root.json")).signed
    assert root.expires > later(1) - timedelta(days=1)
