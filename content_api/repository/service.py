"""Keeping the repository signed: first signing, rotation, the daily signature, health, sweep.

Everything that writes holds one lock, a file locked by the operating system, so that of all
the processes that share the data directory one writes at a time and a killed one lets go.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from content_api.problems import Conflict, NotReady
from content_api.repository import keys, metadata
from content_api.repository.store import (
    RepositoryDamaged,
    hash_file,
    read_target,
    stored_blobs,
    sweep_blobs,
)
from content_api.settings import Settings
from package_format.layout import blob_path, manifest_target, target_file
from package_format.manifest import Manifest, parse_manifest

log = logging.getLogger(__name__)

DAILY = timedelta(hours=24)
SWEEP_AGE = timedelta(days=7)
"""A blob nobody needs is kept this long, for devices still fetching."""


@dataclass(frozen=True, slots=True)
class Health:
    """What an operator must know of the signatures.

    `level` is `ok`, `warning` (past half of a role's life), `expired`, or `missing` when
    the repository was never signed or cannot be read; `messages` say what to do.
    """

    level: str
    messages: tuple[str, ...]
    roles: tuple[metadata.RoleState, ...] = ()
    published_at: datetime | None = None


@contextmanager
def repository_lock(settings: Settings, *, wait: float = 60.0) -> Iterator[None]:
    """Be the only writer of the repository.

    Raises:
        NotReady: another process still writes after `wait` seconds.
    """
    settings.locks_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(settings.locks_dir / "repository.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise NotReady(
                        "Another publication is being written; try again in a moment.",
                        headers={"Retry-After": "5"},
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def init_repository(
    settings: Settings,
    root_keys_dir: Path,
    now: datetime,
    *,
    threshold: int = 2,
    keys_count: int = 3,
) -> bool:
    """Make keys and sign an empty repository; False when that was done before.

    The root keys are written to `root_keys_dir`, which the operator takes away. An attempt
    that was interrupted is taken up with the keys it had made.

    Raises:
        Conflict: `threshold` is not between 1 and `keys_count`.
        KeysMissing: `root_keys_dir` holds another number of keys.
    """
    if not 1 <= threshold <= keys_count:
        raise Conflict(f"expected a threshold from 1 to {keys_count}, got {threshold}")
    with repository_lock(settings):
        if metadata.is_initialised(settings.repository_dir):
            return False
        root = keys.ensure_root(root_keys_dir, keys_count)
        online = keys.ensure_online(settings.keys_dir)
        metadata.create(settings.repository_dir, root, threshold, online, now)
    return True


def rotate_online(settings: Settings, root_keys_dir: Path, now: datetime) -> None:
    """Replace the targets, snapshot and timestamp keys, and sign everything with the new.

    Until the new root is written both keys sign, so an interruption anywhere leaves
    metadata that clients of either root can check; running it again completes it.

    Raises:
        KeysMissing: no root keys in `root_keys_dir`.
        RepositoryDamaged: they are not the keys the newest root names.
    """
    repository = settings.repository_dir
    with repository_lock(settings):
        root = keys.load_root(root_keys_dir)
        following = keys.prepare_next(settings.keys_dir)
        metadata.resign(repository, keys.load_online(settings.keys_dir), now)
        metadata.replace_online(repository, root, following, now)
        keys.promote_next(settings.keys_dir, metadata.online_key_ids(repository))
        metadata.resign(repository, keys.load_online(settings.keys_dir), now)


def rotate_root(
    settings: Settings,
    root_keys_dir: Path,
    new_keys_dir: Path | None,
    now: datetime,
    *,
    threshold: int = 2,
    keys_count: int = 3,
) -> None:
    """Write the next root, signed by the old threshold and the new; None keeps the keys.

    Raises:
        Conflict: `threshold` is not between 1 and the number of keys.
        KeysMissing: a folder does not hold the keys it should.
        RepositoryDamaged: too few of the old keys are there.
    """
    with repository_lock(settings):
        old = keys.load_root(root_keys_dir)
        new = keys.ensure_root(new_keys_dir, keys_count) if new_keys_dir else old
        if not 1 <= threshold <= len(new):
            raise Conflict(f"expected a threshold from 1 to {len(new)}, got {threshold}")
        metadata.replace_root(settings.repository_dir, old, new, threshold, now)


def refresh(settings: Settings, now: datetime, *, force: bool = False) -> list[str]:
    """Sign again what is due: the timestamp daily, the rest before half of its life is gone.

    Returns the roles that were signed. Does nothing before the repository is initialised.
    """
    repository = settings.repository_dir
    with repository_lock(settings):
        if not metadata.is_initialised(repository):
            return []
        finish_rotation(settings)
        states, signed_at = metadata.states(repository)
        online = keys.load_online(settings.keys_dir)
        # A signature from the future means that a clock was wrong then: sign with the time of now.
        due = force or not timedelta(0) <= now - signed_at < DAILY
        half_gone = any(
            state.role in ("targets", "snapshot") and state.fraction_left(now) < 0.5
            for state in states
        )
        if half_gone:
            metadata.resign(repository, online, now)
            signed = ["targets", "snapshot", "timestamp"]
        elif due:
            metadata.resign_timestamp(repository, online, now)
            signed = ["timestamp"]
        else:
            return []
        metadata.prune(repository, now)
    log.info("signed %s again", ", ".join(signed))
    return signed


def finish_rotation(settings: Settings) -> None:
    """Make a next key current when the root already names it: the end of a broken rotation."""
    if any(settings.keys_dir.glob("*.next.pem")):
        keys.promote_next(settings.keys_dir, metadata.online_key_ids(settings.repository_dir))


def health(settings: Settings, now: datetime) -> Health:
    """Whether the signatures are in order: data for doctor, readiness and metrics."""
    if not metadata.is_initialised(settings.repository_dir):
        return Health(
            "missing", ("The repository is not signed yet: run `content-api keys init`.",)
        )
    try:
        states, signed_at = metadata.states(settings.repository_dir)
    except RepositoryDamaged as error:
        return Health("missing", (error.message,))
    messages, level = [], "ok"
    for state in states:
        left = state.fraction_left(now)
        if left < 0.5:
            level = "expired" if left <= 0 else level if level == "expired" else "warning"
            until = state.expires.date().isoformat()
            act = (
                "bring the root keys and run `content-api keys rotate --root`"
                if state.role == "root"
                else "the daily signature does not run; run `content-api keys refresh`"
            )
            word = "expired on" if left <= 0 else "is past half of its life and expires on"
            messages.append(f"{state.role} metadata {word} {until}: {act}.")
    try:
        keys.load_online(settings.keys_dir)
    except keys.KeysMissing as error:
        messages.append(error.message)
        level = level if level == "expired" else "warning"
    return Health(level, tuple(messages), tuple(states), signed_at)


def find_manifest(settings: Settings, package: str, channel: str = "live") -> Manifest | None:
    """The manifest the signed repository names for a package and channel now, or None.

    Raises:
        RepositoryDamaged: the metadata or the manifest cannot be read.
    """
    target = manifest_target(package, channel)
    info = metadata.targets(settings.repository_dir).get(target)
    return load_manifest(settings, package, channel, info.sha256) if info else None


def load_manifest(settings: Settings, package: str, channel: str, sha256: str) -> Manifest:
    """A manifest that was published once, by its hash.

    Raises:
        RepositoryDamaged: it is gone, or its bytes are others.
    """
    target = manifest_target(package, channel)
    return parse_manifest(read_target(settings.repository_dir, target, sha256))


def verify(settings: Settings) -> list[str]:
    """Check signatures and hash every file; each finding is one line. Empty: all is well."""
    repository = settings.repository_dir
    found: list[str] = []
    try:
        metadata.verify(repository)
        wanted = metadata.referenced_targets(repository)
    except RepositoryDamaged as error:
        return [error.message]
    needed: dict[str, int] = {}
    for target, hashes in wanted.items():
        for sha256 in hashes:
            try:
                manifest = parse_manifest(read_target(repository, target, sha256))
            except (RepositoryDamaged, ValueError) as error:
                found.append(f"{target}: {error}")
                continue
            needed.update((entry.sha256, entry.size) for entry in manifest.files)
    for sha256, path in stored_blobs(repository):
        if hash_file(path)[0] != sha256:
            found.append(f"{blob_path(sha256)}: the bytes are not those of its name")
        needed.pop(sha256, None)
    found += [f"{blob_path(sha256)}: missing" for sha256 in sorted(needed)]
    return found


def sweep(
    settings: Settings, keep_manifests: Sequence[tuple[str, str]], now: datetime
) -> tuple[int, int]:
    """Remove blobs that no kept manifest names; returns how many, and their bytes.

    `keep_manifests` are (target, sha256) pairs beside those that signed metadata names.
    """
    repository = settings.repository_dir
    with repository_lock(settings):
        metadata.prune(repository, now)
        keep: set[str] = set()
        pairs = {
            (t, s) for t, hashes in metadata.referenced_targets(repository).items() for s in hashes
        }
        for target, sha256 in sorted(pairs | set(keep_manifests)):
            if (repository / target_file(target, sha256)).exists():
                manifest = parse_manifest(read_target(repository, target, sha256))
                keep.update(entry.sha256 for entry in manifest.files)
        return sweep_blobs(repository, keep, min_age=SWEEP_AGE.total_seconds(), now=now.timestamp())
