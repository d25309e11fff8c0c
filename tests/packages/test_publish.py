"""Publishing on a real database: one release live, whole, and only what changed written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from content_api.accounts.models import AuditRecord
from content_api.accounts.rules import SYSTEM
from content_api.content.service import withdraw
from content_api.database import read_session, write_session
from content_api.packages import publish, service
from content_api.packages.models import Release
from content_api.packages.publish import (
    PackageHasProblems,
    PublishFailed,
    diff_releases,
    make_draft,
    plan_changes,
    restore_release,
)
from content_api.packages.reconcile import recover
from content_api.problems import Conflict, NotFound, Refused
from content_api.repository import keys, metadata, store
from content_api.repository.service import find_manifest, sweep, verify
from package_format.canonical import sha256_hex
from package_format.layout import blob_path, manifest_target, target_file
from package_format.manifest import select_files
from tests.packages.conftest import Harbour, title


def states(harbour: Harbour) -> list[tuple[int | None, str]]:
    """Number and state of each release, oldest first."""
    with read_session(harbour.engine) as session:
        rows = session.scalars(select(Release).order_by(Release.id)).all()
        return [(row.number, row.state) for row in rows]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> Iterator[None]:
    """Lets one step of a publication fail."""

    def fail(*_args: Any, **_more: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        if name == "publish_target":
            patch.setattr(metadata, name, fail)
        else:
            patch.setattr(publish, name, fail)
        yield


def test_a_published_release_is_live_signed_and_on_the_trail(harbour: Harbour) -> None:
    release = harbour.publish()
    assert (release.number, release.state, release.channel) == (1, "live", "live")
    manifest = find_manifest(harbour.settings, "harbour")
    assert manifest is not None
    assert manifest.release == 1
    assert release.manifest_sha256 == sha256_hex(manifest.to_bytes())
    assert {entry.sha256 for entry in manifest.files} == harbour.blobs()
    assert verify(harbour.settings) == []
    with read_session(harbour.engine) as session:
        trail = session.scalars(
            select(AuditRecord).where(AuditRecord.action == "release.create")
        ).one()
        assert (trail.actor_id, trail.subject_id) == ("system", "harbour/release/1")


def test_the_next_release_supersedes_the_one_before(harbour: Harbour) -> None:
    harbour.publish()
    harbour.publish()
    assert states(harbour) == [(1, "superseded"), (2, "live")]


def test_channels_count_and_live_apart(harbour: Harbour) -> None:
    harbour.publish()
    preview = harbour.publish(channel="preview")
    assert preview.number == 1
    assert set(metadata.targets(harbour.settings.repository_dir)) == {
        "packages/harbour/live.json",
        "packages/harbour/preview.json",
    }


def test_one_edited_text_costs_a_device_two_small_files_beside_metadata(
    harbour: Harbour,
) -> None:
    harbour.publish()
    before_blobs = harbour.blobs()
    before = find_manifest(harbour.settings, "harbour")
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    harbour.publish()
    after = find_manifest(harbour.settings, "harbour")
    assert before
    assert after
    written = harbour.blobs() - before_blobs
    assert len(written) == 1
    held = {entry.sha256 for entry in select_files(before, "tablet", ["fr", "en"])}
    fetched = [f for f in select_files(after, "tablet", ["fr", "en"]) if f.sha256 not in held]
    assert [entry.path.startswith("lang/fr/shard-") for entry in fetched] == [True]
    # root 404, timestamp, snapshot, targets, manifest, one shard
    requests = 5 + len(fetched)
    bytes_fetched = len(after.to_bytes()) + sum(entry.size for entry in fetched)
    assert requests <= 12
    assert bytes_fetched < 100_000


def test_unapproved_work_is_not_published(harbour: Harbour) -> None:
    first = harbour.publish()
    harbour.edit("place-3", [title("fr", "BROUILLON")])
    second = harbour.publish()
    with read_session(harbour.engine) as session:
        changes = diff_releases(session, harbour.settings, "harbour", 1, 2)
    assert not any(c.new or c.changed or c.removed for c in changes.languages.values())
    assert first.manifest_sha256 != second.manifest_sha256, "the number differs, nothing else"


def test_the_plan_says_what_changes_before_anything_is_written(harbour: Harbour) -> None:
    harbour.publish()
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    with write_session(harbour.engine) as session:
        withdraw(session, SYSTEM, "place-4", "en", types=harbour.types)
    before = harbour.blobs()
    now = datetime.now(UTC)
    with read_session(harbour.engine) as session:
        draft = make_draft(session, harbour.types, "harbour", now)
    plan = plan_changes(harbour.settings, draft, "live", now)
    assert (plan.before, plan.after) == (1, None)
    assert plan.languages["fr"].changed == ("place-3",)
    assert plan.languages["en"].removed == ("place-4",)
    assert plan.languages["en"].changed == ()
    assert harbour.blobs() == before
    whole = next(d for d in plan.downloads if d.profile == "tablet" and len(d.languages) == 2)
    english = next(d for d in plan.downloads if d.profile == "tablet" and d.languages == ("en",))
    assert (whole.files, english.files) == (3, 2)
    assert whole.gzip_bytes < whole.bytes < 100_000


def test_the_first_plan_counts_everything_a_device_needs(harbour: Harbour) -> None:
    now = datetime.now(UTC)
    with read_session(harbour.engine) as session:
        draft = make_draft(session, harbour.types, "harbour", now)
    plan = plan_changes(harbour.settings, draft, "live", now)
    assert plan.before is None
    assert len(plan.languages["fr"].new) == 21
    tablet, wall = (
        next(d for d in plan.downloads if d.profile == profile and len(d.languages) == 2)
        for profile in ("tablet", "wall")
    )
    manifest = draft.compiled.manifest(channel="live", number=1, published_at=now)
    for found in (tablet, wall):
        needed = {f.sha256: f.size for f in select_files(manifest, found.profile, ["fr", "en"])}
        assert found.bytes == sum(needed.values()) + len(manifest.to_bytes())


def test_errors_block_and_write_nothing(harbour: Harbour) -> None:
    harbour.change_body(theme={"attract": ["nowhere"]})
    before = harbour.blobs()
    with pytest.raises(PackageHasProblems, match="1 problem keeps harbour") as caught:
        harbour.publish()
    assert caught.value.errors[0]["code"] == "unknown-asset"
    assert caught.value.errors[0]["pointer"] == "/package/theme"
    assert states(harbour) == []
    assert harbour.blobs() == before == set()


def test_restoring_publishes_the_old_content_under_the_next_number_and_writes_no_blob(
    harbour: Harbour,
) -> None:
    harbour.publish()
    first = find_manifest(harbour.settings, "harbour")
    harbour.edit("place-3", [title("fr", "Une erreur")], "fr")
    harbour.publish()
    before = harbour.blobs()
    release = restore_release(harbour.engine, harbour.settings, SYSTEM, "harbour", 1)
    restored = find_manifest(harbour.settings, "harbour")
    assert first
    assert restored
    assert (release.number, release.restored_from, restored.release) == (3, 1, 3)
    assert restored.files == first.files
    assert harbour.blobs() == before
    assert states(harbour) == [(1, "superseded"), (2, "superseded"), (3, "live")]
    with read_session(harbour.engine) as session:
        changes = diff_releases(session, harbour.settings, "harbour", 1, 3)
    assert not any(c.new or c.changed or c.removed for c in changes.languages.values())
    assert {download.files for download in changes.downloads} == {1}


def test_a_release_whose_rights_have_ended_since_is_not_restored(harbour: Harbour) -> None:
    harbour.publish()
    harbour.change_body(theme={})
    harbour.publish()
    with pytest.raises(Refused, match="rights have ended"):
        restore_release(
            harbour.engine, harbour.settings, SYSTEM, "harbour", 1,
            now=datetime(2041, 1, 1, tzinfo=UTC),
        )  # fmt: skip
    assert states(harbour) == [(1, "superseded"), (2, "live")]


def test_what_was_never_published_cannot_be_restored(harbour: Harbour) -> None:
    harbour.publish()
    with pytest.raises(NotFound, match="has no release 7"):
        restore_release(harbour.engine, harbour.settings, SYSTEM, "harbour", 7)


def test_a_full_disk_leaves_the_release_before_live(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.publish()
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    for step in ("write_documents", "write_manifest", "publish_target"):
        with (
            failing(monkeypatch, step, OSError(28, "No space left on device")),
            pytest.raises(PublishFailed, match=r"No space left on device.*still live"),
        ):
            harbour.publish()
    assert states(harbour) == [(1, "live"), (2, "failed"), (3, "failed"), (4, "failed")]
    assert harbour.publish().number == 5
    assert verify(harbour.settings) == []


class Killed(BaseException):
    """The process ends here, without a word."""


@pytest.mark.parametrize("step", ["write_documents", "write_manifest", "publish_target"])
def test_a_crash_before_the_signature_leaves_the_old_release_and_a_failed_row(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    harbour.publish()
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    with failing(monkeypatch, step, Killed()), pytest.raises(Killed):
        harbour.publish()
    assert states(harbour) == [(1, "live"), (2, "publishing")]
    assert recover(harbour.engine, harbour.settings) == ["harbour live: release 2 was interrupted"]
    assert states(harbour) == [(1, "live"), (2, "failed")]
    assert recover(harbour.engine, harbour.settings) == []


def test_a_crash_after_the_signature_is_read_back_as_live(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.publish()
    with failing(monkeypatch, "make_live", Killed()), pytest.raises(Killed):
        harbour.publish()
    assert states(harbour) == [(1, "live"), (2, "publishing")]
    assert recover(harbour.engine, harbour.settings) == ["harbour live: release 2 is live"]
    assert states(harbour) == [(1, "superseded"), (2, "live")]


def test_a_database_restored_from_a_backup_learns_what_displays_already_hold(
    harbour: Harbour,
) -> None:
    for _ in range(3):
        harbour.publish()
    with write_session(harbour.engine) as session:
        session.execute(delete(Release).where(Release.number > 1))
        session.scalars(select(Release)).one().state = "live"
    assert recover(harbour.engine, harbour.settings) == ["harbour live: release 3 is live"]
    assert states(harbour) == [(1, "superseded"), (3, "live")]
    assert harbour.publish().number == 4


def test_the_number_goes_on_even_when_the_database_forgot_everything(harbour: Harbour) -> None:
    for _ in range(3):
        harbour.publish()
    with write_session(harbour.engine) as session:
        session.execute(delete(Release))
    assert harbour.publish().number == 4


def test_publishing_before_the_repository_is_signed_says_what_to_do(harbour: Harbour) -> None:
    for path in (harbour.settings.repository_dir / "metadata").iterdir():
        path.unlink()
    with pytest.raises(keys.KeysMissing, match="keys init"):
        harbour.publish()
    assert states(harbour) == []


def test_the_sweep_keeps_what_releases_need_and_a_swept_release_says_so(
    harbour: Harbour,
) -> None:
    harbour.publish()
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    second = harbour.publish()
    later = datetime.now(UTC) + timedelta(days=30)
    metadata_dir = harbour.settings.repository_dir / "metadata"
    target = manifest_target("harbour", "live")
    with read_session(harbour.engine) as session:
        first = service.get_release(session, "harbour", 1)
    kept = [(target, str(first.manifest_sha256))]
    assert sweep(harbour.settings, kept, later)[0] == 0
    assert not (metadata_dir / "2.targets.json").exists(), "the old targets are past their grace"
    count, size = sweep(harbour.settings, [], later)
    assert (count, size > 100) == (1, True)
    assert verify(harbour.settings) == []
    with pytest.raises(Conflict, match="1 of its files are no longer kept"):
        restore_release(harbour.engine, harbour.settings, SYSTEM, "harbour", 1)
    manifest = store.read_target(
        harbour.settings.repository_dir, target, str(second.manifest_sha256)
    )
    assert json.loads(manifest)["release"] == 2


def test_verify_names_the_blob_whose_bit_flipped_and_the_one_that_is_gone(
    harbour: Harbour,
) -> None:
    harbour.publish()
    first, second = sorted(harbour.blobs())[:2]
    damaged = harbour.settings.repository_dir / blob_path(first)
    raw = bytearray(damaged.read_bytes())
    raw[0] ^= 1
    damaged.unlink()
    damaged.write_bytes(bytes(raw))
    (harbour.settings.repository_dir / blob_path(second)).unlink()
    assert verify(harbour.settings) == [
        f"{blob_path(first)}: the bytes are not those of its name",
        f"{blob_path(second)}: missing",
    ]


def test_every_released_manifest_is_kept(harbour: Harbour) -> None:
    shas = [harbour.publish().manifest_sha256 for _ in range(3)]
    for sha256 in shas:
        path = target_file(manifest_target("harbour", "live"), str(sha256))
        assert (harbour.settings.repository_dir / path).exists()
        assert Path(harbour.settings.repository_dir / f"{path}.gz").exists()
