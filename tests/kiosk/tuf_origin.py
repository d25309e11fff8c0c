"""A TUF repository of any shape to test the trust module against, and the client driven alone.

What the content server never publishes is here: delegations, metadata without
consistent snapshots, hashes in the metadata, several keys a role.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from click.testing import CliRunner, Result
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from kiosk_client.cli import main
from tests.kiosk.simulator import Origin

METADATA = "metadata/"


def later(days: float) -> datetime:
    """Whole seconds, `days` from now."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


class TufOrigin(Origin):
    """Any TUF repository. Change `roles` and `root`, then `publish_roles` names of roles."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files.clear()
        self.hashes = False
        self.roles: dict[str, Any] = {
            "timestamp": Timestamp(version=1, snapshot_meta=MetaFile(1), expires=later(30)),
            "snapshot": Snapshot(version=1, expires=later(30)),
            "targets": Targets(version=1, expires=later(30)),
        }
        self.keys = {role: [signer] for role, signer in self.signers.items()}
        self.root = Root(consistent_snapshot=True, expires=later(30))
        for role in ("root", *self.roles):
            self.root.add_key(self.keys[role][0].public_key, role)
        self.sign_root()
        self.publish_roles(bump=False)

    def delegate(
        self, name: str, *, by: str = "targets", paths: list[str] | None = None, **options: Any
    ) -> Targets:
        """A new role `name` that `by` trusts for `paths`; not published yet."""
        parent: Targets = self.roles[by]
        if parent.delegations is None:
            parent.delegations = Delegations({}, {})
        assert parent.delegations.roles is not None
        terminating = options.pop("terminating", False)
        parent.delegations.roles[name] = DelegatedRole(name, [], 1, terminating, paths or ["*"])
        if name not in self.keys:
            self.keys[name] = [CryptoSigner.generate_ed25519()]
        parent.add_key(self.keys[name][0].public_key, name)
        found: Targets = self.roles.setdefault(name, Targets(version=1, expires=later(30)))
        return found

    def add_target(
        self, name: str, raw: bytes, *, role: str = "targets", prefix: bool | None = None
    ) -> None:
        """Put a target in `role`; not published yet."""
        target = TargetFile.from_data(name, raw, ["sha256"])
        self.roles[role].targets[name] = target
        folder, slash, last = name.rpartition("/")
        prefixed = self.root.consistent_snapshot if prefix is None else prefix
        head = f"{target.hashes['sha256']}." if prefixed else ""
        self.files[f"targets/{folder}{slash}{head}{last}"] = raw

    def publish_roles(self, *names: str, bump: bool = True) -> None:
        """Sign these targets roles one version on, then snapshot and timestamp."""
        for name in names:
            if name not in ("snapshot", "timestamp") and bump:
                self.roles[name].version += 1
        for name, role in self.roles.items():
            if name not in ("snapshot", "timestamp"):
                raw = self.write(name)
                self.roles["snapshot"].meta[f"{name}.json"] = self.meta(role.version, raw)
        if bump:
            self.roles["snapshot"].version += 1
        self.publish_timestamp(bump=bump)

    def publish_timestamp(self, *, bump: bool = True) -> None:
        """Sign the snapshot as it is, and a timestamp that names it."""
        raw = self.write("snapshot")
        self.roles["timestamp"].snapshot_meta = self.meta(self.roles["snapshot"].version, raw)
        if bump:
            self.roles["timestamp"].version += 1
        self.write("timestamp")

    def meta(self, version: int, raw: bytes) -> MetaFile:
        """What one role says of another's file."""
        if not self.hashes:
            return MetaFile(version)
        return MetaFile.from_data(version, raw, ["sha256"])

    def write(self, name: str) -> bytes:
        """Sign role `name` with all its keys and place it."""
        metadata = Metadata(self.roles[name])
        for signer in self.keys[name]:
            metadata.sign(signer, append=True)
        raw: bytes = metadata.to_bytes()
        versioned = self.root.consistent_snapshot and name != "timestamp"
        head = f"{self.roles[name].version}." if versioned else ""
        self.files[f"{METADATA}{head}{quote(name, '')}.json"] = raw
        return raw

    def sign_root(self, *signers: CryptoSigner) -> None:
        """Sign the root with `signers` (its own keys unless told) and place it."""
        metadata = Metadata(self.root)
        for signer in signers or self.keys["root"]:
            metadata.sign(signer, append=True)
        self.files[f"{METADATA}{self.root.version}.root.json"] = metadata.to_bytes()

    def next_root(self, *signers: CryptoSigner) -> None:
        """Publish the root one version on."""
        self.root.version += 1
        self.sign_root(*signers)

    def rotate(self, role: str) -> None:
        """A new key for `role`, in a new root."""
        before = self.keys[role][0]
        self.root.revoke_key(before.public_key.keyid, role)
        self.keys[role] = [CryptoSigner.generate_ed25519()]
        self.root.add_key(self.keys[role][0].public_key, role)
        self.next_root(*([before, *self.keys["root"]] if role == "root" else ()))

    def metadata_asked(self) -> list[str]:
        """Names of the metadata files asked for, as asked."""
        return [hit.path.rpartition("/metadata/")[2] for hit in self.asked("/metadata/")]


@dataclass
class Client:
    """`kiosk-client trust` with a folder of its own."""

    origin: TufOrigin
    folder: Path
    said: str = ""
    options: list[str] = field(default_factory=list)

    @property
    def metadata(self) -> Path:
        return self.folder / "metadata"

    @property
    def targets(self) -> Path:
        return self.folder / "targets"

    def init(self, root: bytes | None = None) -> int:
        path = self.folder / "root-given.json"
        path.write_bytes(self.origin.files[f"{METADATA}1.root.json"] if root is None else root)
        return self._run("init", str(path))

    def refresh(self, *options: str) -> int:
        return self._run("refresh", *options)

    def download(self, name: str, *options: str) -> int:
        return self._run("download", "--target-name", name, *options)

    def version(self, role: str) -> int | None:
        path = self.metadata / f"{role}.json"
        return Metadata.from_file(str(path)).signed.version if path.exists() else None

    def versions(self) -> dict[str, int]:
        """What lies in the folder, as an outside suite reads it: every *.json is a role."""
        return {
            unquote(path.name.removesuffix(".json")): Metadata.from_file(str(path)).signed.version
            for path in sorted(self.metadata.glob("*.json"))
        }

    def downloaded(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.targets.glob("**/*")) if path.is_file()]

    def _run(self, command: str, *arguments: str) -> int:
        base = f"{self.origin.url}repository/"
        found: Result = CliRunner().invoke(
            main,
            [
                "trust",
                *("--metadata-url", f"{base}metadata/", "--metadata-dir", str(self.metadata)),
                *("--target-base-url", f"{base}targets/", "--target-dir", str(self.targets)),
                *self.options,
                command,
                *arguments,
            ],
        )
        self.said = found.output
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code


@contextmanager
def tuf_client(folder: Path) -> Iterator[Client]:
    """A repository that is being served and a client that trusts its first root."""
    with TufOrigin().serving() as origin:
        assert isinstance(origin, TufOrigin)
        client = Client(origin, folder)
        assert client.init() == 0
        yield client
