"""Signing keys: Ed25519, one file each, readable by their owner alone.

Root keys live in a folder the operator takes away; the server needs them only to rotate.
The online keys (targets, snapshot, timestamp) stay in the data directory. While a key is
being replaced, `<role>.next.pem` lies beside it: both sign until the new root names the
new one, so that an interrupted rotation leaves metadata every client can check.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from content_api.problems import ContentError
from content_api.repository.store import sync_folder, write_atomically

ONLINE_ROLES = ("targets", "snapshot", "timestamp")


class KeysMissing(ContentError):
    """A signing key is not where it should be, or cannot be read."""

    code = "keys-missing"
    status = 503  # type: ignore[assignment]


def load_online(keys_dir: Path) -> dict[str, list[CryptoSigner]]:
    """Signers of each online role: the current key, and the next one during a rotation.

    Raises:
        KeysMissing: a role has no key that can be read.
    """
    found = {}
    for role in ONLINE_ROLES:
        signers = [load_key(keys_dir / f"{role}.pem")]
        following = keys_dir / f"{role}.next.pem"
        if following.exists():
            signers.append(load_key(following))
        found[role] = signers
    return found


def ensure_online(keys_dir: Path) -> dict[str, list[CryptoSigner]]:
    """The online signers, made where there are none yet."""
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for role in ONLINE_ROLES:
        path = keys_dir / f"{role}.pem"
        if not path.exists():
            write_key(path, CryptoSigner.generate_ed25519())
    return load_online(keys_dir)


def prepare_next(keys_dir: Path) -> dict[str, CryptoSigner]:
    """A next key for each online role; one left by an interrupted rotation is used again."""
    found = {}
    for role in ONLINE_ROLES:
        path = keys_dir / f"{role}.next.pem"
        if not path.exists():
            write_key(path, CryptoSigner.generate_ed25519())
        found[role] = load_key(path)
    return found


def promote_next(keys_dir: Path, known: set[str]) -> None:
    """Make each next key whose id the root now names (`known`) the current one."""
    for role in ONLINE_ROLES:
        path = keys_dir / f"{role}.next.pem"
        if path.exists() and load_key(path).public_key.keyid in known:
            os.replace(path, keys_dir / f"{role}.pem")
    sync_folder(keys_dir)


def ensure_root(folder: Path, count: int) -> list[CryptoSigner]:
    """The `count` root signers in `folder`, made when there are none.

    Raises:
        KeysMissing: the folder holds another number of root keys.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not list(folder.glob("root-*.pem")):
        for number in range(1, count + 1):
            write_key(folder / f"root-{number}.pem", CryptoSigner.generate_ed25519())
    found = load_root(folder)
    if len(found) != count:
        raise KeysMissing(f"{folder}: expected {count} root keys or none, got {len(found)}")
    return found


def load_root(folder: Path) -> list[CryptoSigner]:
    """The root signers in `folder`, in the order of their names.

    Raises:
        KeysMissing: there are none, or one cannot be read.
    """
    paths = sorted(folder.glob("root-*.pem"))
    if not paths:
        raise KeysMissing(f"{folder}: expected root keys named root-1.pem, root-2.pem …")
    return [load_key(path) for path in paths]


def write_key(path: Path, signer: CryptoSigner) -> None:
    """Store a private key, readable by its owner alone."""
    write_atomically(path, signer.private_bytes, mode=0o600)


def load_key(path: Path) -> CryptoSigner:
    """The signer in a PEM file.

    Raises:
        KeysMissing: the file is missing or holds no Ed25519 private key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise KeysMissing(
            f"{path}: the signing key is missing; run `content-api keys init` or restore it"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise KeysMissing(f"{path}: expected a readable Ed25519 key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysMissing(f"{path}: expected an Ed25519 key, got {type(key).__name__}")
    return CryptoSigner(key)
