"""The whole path from a server to a playing set, over real HTTP and real signatures."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kiosk_client.activation import confirm, give_back, read_active, read_slots
from kiosk_client.activator import serving
from kiosk_client.errors import (
    DeviceRefused,
    DiskFull,
    ForeignAnswer,
    KioskError,
    MetadataExpired,
    NewerFormat,
    NoNetwork,
    NothingAssigned,
    NotTrusted,
    OriginTrouble,
    Rollback,
)
from kiosk_client.facts import device_facts, load_state
from kiosk_client.trust import load_accepted
from package_format.canonical import canonical_json, sha256_hex
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import TOKEN, Content, Origin, harbour, noise


def test_first_sync_plays_the_newest_release(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.publish()
    result = kiosk.sync()
    assert (result.outcome, result.release) == ("activated", 2)
    assert kiosk.blob("media/film/720.mp4").read_bytes() == harbour()["media/film/720.mp4"].raw


def test_a_device_fetches_no_byte_its_profile_and_languages_do_not_need(
    kiosk: Kiosk, origin: Origin
) -> None:
    files = harbour()
    origin.publish(files)
    kiosk.sync()
    needed = {
        sha256_hex(content.raw)
        for content in files.values()
        if (not content.languages or {"ja", "en"} & set(content.languages))
        and (not content.profiles or "tablet" in content.profiles)
    }
    assert {hit.path.rpartition("/")[2] for hit in origin.asked("/blobs/")} == needed
    assert len(needed) == 5


def test_an_unchanged_sync_asks_three_small_things(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    kiosk.sync()  # learns the assignment's tag
    origin.forget_hits()
    result = kiosk.sync()
    assert result.outcome == "unchanged"
    assert result.requests == len(origin.hits) == 3
    assert sum(hit.sent for hit in origin.hits) < 1000


def test_one_edit_costs_only_the_documents_it_changed(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    origin.forget_hits()
    result = kiosk.sync()
    assert (result.outcome, result.release, result.fetched_files) == ("activated", 2, 2)
    assert result.requests <= 12
    # Documents travel compressed: 3,000 spaces are not paid for.
    assert sum(hit.sent for hit in origin.asked("/blobs/")) < 400


def test_restoring_an_older_content_as_a_new_release_costs_no_blob(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(edition=1))
    kiosk.sync()
    origin.publish(harbour(edition=2))
    kiosk.sync()
    origin.publish(harbour(edition=1))
    result = kiosk.sync()
    assert (result.release, result.fetched_files) == (3, 0)


def test_blobs_of_the_set_before_stay_and_older_ones_go(kiosk: Kiosk, origin: Origin) -> None:
    blobs = []
    for edition in (1, 2, 3):
        origin.publish(harbour(edition=edition))
        kiosk.sync()
        confirm(kiosk.data, "harbour/live")
        blobs.append(kiosk.blob("lang/en/shard-0.json"))
    assert [path.exists() for path in blobs] == [False, True, True]
    assert len(list(kiosk.data.sets.iterdir())) == 2


def test_a_language_more_is_fetched_when_it_is_assigned(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    assert origin.assignment is not None
    origin.assignment.update(languages=["ja", "en", "fr"], version=2)
    result = kiosk.sync()
    assert (result.outcome, result.fetched_files, result.release) == ("activated", 1, 1)
    active = read_active(kiosk.data)
    assert active is not None
    assert active.current.languages == ("fr", "en", "ja")


def test_a_missing_blob_is_fetched_again_though_nothing_is_new(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    kiosk.blob("media/crane/640.webp").unlink()
    result = kiosk.sync()
    assert (result.outcome, result.fetched_files) == ("repaired", 1)
    assert kiosk.blob("media/crane/640.webp").exists()


@pytest.mark.parametrize("path", ["lang/en/shard-0.json", "media/film/720.mp4", "package.json"])
def test_a_flipped_bit_in_a_blob_is_healed_by_the_next_sync(
    kiosk: Kiosk, origin: Origin, path: str
) -> None:
    origin.publish()
    kiosk.sync()
    blob = kiosk.blob(path)
    before = blob.read_bytes()
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.seek(len(before) // 2)
        byte = file.read(1)
        file.seek(len(before) // 2)
        file.write(bytes([byte[0] ^ 1]))
    result = kiosk.sync()
    assert result.outcome == "repaired"
    assert blob.read_bytes() == before


def test_what_plays_is_repaired_even_when_the_newest_metadata_is_refused(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    kiosk.blob("media/crane/640.webp").unlink()
    origin.refresh(days=-1)
    with pytest.raises(MetadataExpired):
        kiosk.sync()
    assert kiosk.blob("media/crane/640.webp").exists()


def test_without_a_network_the_old_set_plays_and_the_reason_is_written_down(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    before = kiosk.snapshot()
    origin.attack(".", "drop")
    with pytest.raises(NoNetwork, match="check the network"):
        kiosk.sync()
    assert kiosk.snapshot() == before
    facts = device_facts(kiosk.data, kiosk.now())
    assert facts["last_sync"]["error_code"] == "no-network"
    assert facts["complete"]


def test_a_repository_that_answers_is_used_while_the_device_api_is_down(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    origin.attack("/api/", "status", argument=500)
    assert kiosk.sync().release == 1


def test_a_hotel_login_page_for_everything_is_a_foreign_answer(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    before = kiosk.snapshot()
    origin.attack(".", "html")
    with pytest.raises(ForeignAnswer, match="login page"):
        kiosk.sync()
    assert kiosk.snapshot() == before


def test_a_login_page_instead_of_the_next_root_is_a_foreign_answer(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    origin.attack(r"/2\.root\.json", "html")
    with pytest.raises(ForeignAnswer, match=r"2\.root\.json"):
        kiosk.sync()


def test_being_sent_to_another_host_is_a_foreign_answer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack(".", "redirect", argument="http://login.example/")
    with pytest.raises(ForeignAnswer, match=r"got sent to http://login\.example"):
        kiosk.sync()


def test_being_sent_in_circles_ends(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack("/repository/", "redirect", argument="/repository/again")
    with pytest.raises(ForeignAnswer, match="in circles"):
        kiosk.sync()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_wrong_signature_is_refused_and_the_old_set_plays(
    kiosk: Kiosk, origin: Origin, role: str
) -> None:
    origin.publish()
    kiosk.sync()
    before = kiosk.snapshot()
    origin.targets.version += 1
    origin.snapshot.version += 1
    origin.sign_with_strange_key(role)
    with pytest.raises(NotTrusted, match="trusted keys"):
        kiosk.sync()
    assert kiosk.snapshot() == before


def test_metadata_that_is_no_metadata_is_not_trusted(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.files["metadata/timestamp.json"] = b'{"signed": {}, "signatures": []}'
    with pytest.raises(NotTrusted):
        kiosk.sync()


def test_an_older_repository_is_refused_as_rollback(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    backup = origin.save()
    origin.publish()
    kiosk.sync()
    before = kiosk.snapshot()
    origin.restore(backup)
    with pytest.raises(Rollback):
        kiosk.sync()
    assert kiosk.snapshot() == before


def test_an_older_repository_is_refused_also_when_the_local_metadata_was_lost(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    backup = origin.save()
    origin.publish()
    kiosk.sync()
    shutil.rmtree(kiosk.data.metadata)
    origin.restore(backup)
    with pytest.raises(Rollback, match="timestamp version 3 or newer, got 2"):
        kiosk.sync()
    assert kiosk.release == 2


def test_a_lower_release_in_newer_metadata_is_refused(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(release=7)
    kiosk.sync()
    origin.publish(harbour(edition=2), release=6)
    with pytest.raises(Rollback, match="harbour release 7 or newer, got 6"):
        kiosk.sync()
    assert kiosk.release == 7


def test_another_package_may_have_a_lower_release(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(release=7)
    kiosk.sync()
    origin.publish(package="quay")
    assert origin.assignment is not None
    origin.assignment.update(package="quay", version=2)
    assert kiosk.sync().package == "quay"


def test_expired_metadata_is_refused_and_the_old_set_plays(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    origin.refresh(days=-1)
    with pytest.raises(MetadataExpired, match="clock"):
        kiosk.sync()
    assert kiosk.release == 1


def test_a_clock_in_1970_changes_nothing_but_is_told(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    result = kiosk.sync()
    assert (result.outcome, result.clock_trusted) == ("activated", False)
    assert load_accepted(kiosk.data.trust).floor == origin.published_at


def test_a_clock_in_1970_does_not_revive_expired_metadata(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    # Signed a day from now for an hour, then replayed to a device whose clock was reset.
    origin.published_at += timedelta(days=40)
    origin.timestamp.expires = origin.published_at + timedelta(days=30)
    origin.publish(harbour(edition=2))
    kiosk.clock = origin.published_at
    origin.targets.expires = origin.snapshot.expires = kiosk.clock + timedelta(days=90)
    origin.refresh(days=70)
    kiosk.sync()
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    origin.refresh(days=20)  # would be valid in 1970, and is not at the floor
    with pytest.raises(MetadataExpired):
        kiosk.sync()


def test_a_clock_in_2099_accepts_nothing_new_and_plays_on(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    kiosk.clock = datetime(2099, 1, 1, tzinfo=UTC)
    with pytest.raises(MetadataExpired):
        kiosk.sync()
    assert kiosk.release == 1
    kiosk.clock = None
    assert kiosk.sync().release == 2


def test_three_root_rotations_while_away_are_followed(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    for role in ("root", "timestamp", "root"):
        origin.rotate_root(role=role)
    origin.publish(harbour(edition=2))
    assert kiosk.sync().release == 2


def test_a_missing_root_link_does_no_harm(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    (kiosk.data.metadata / "root.json").unlink()
    assert kiosk.sync().outcome == "unchanged"


def test_rotten_local_metadata_does_no_harm(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    for path in kiosk.data.metadata.rglob("*.json"):
        if not path.is_symlink():
            path.write_bytes(b"")
    assert kiosk.sync().outcome == "unchanged"


def test_a_release_of_a_newer_format_is_left_alone(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish_manifest("packages/harbour/live.json", canonical_json({"format": 2}))
    with pytest.raises(NewerFormat, match="update this client"):
        kiosk.sync()
    assert kiosk.release == 1


def test_a_signed_manifest_of_another_package_is_not_trusted(kiosk: Kiosk, origin: Origin) -> None:
    other = origin.publish(package="quay").to_bytes()
    origin.publish_manifest("packages/harbour/live.json", other)
    with pytest.raises(NotTrusted, match="got that of quay"):
        kiosk.sync()


def test_unknown_fields_of_a_newer_server_are_kept_and_ignored(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(extra={"season": "winter"})
    assert kiosk.sync().release == 1


def test_a_package_that_was_never_published_is_told_so(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(package="quay")
    with pytest.raises(OriginTrouble, match="publish it first"):
        kiosk.sync()


def test_a_device_without_a_package_is_told_so(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.assignment = None
    with pytest.raises(NothingAssigned, match="assign one on the server"):
        kiosk.sync()


def test_a_revoked_device_takes_nothing_new_and_plays_on(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    origin.revoked = True
    with pytest.raises(DeviceRefused, match="revoked") as refused:
        kiosk.sync()
    assert kiosk.release == 1
    assert TOKEN not in str(refused.value)


def test_a_disk_too_small_is_refused_before_the_first_byte(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.forget_hits()
    with pytest.raises(DiskFull, match=r"free \d+\.\d MB$"):
        kiosk.sync(reserve=shutil.disk_usage(kiosk.data.root).free)
    assert not origin.asked("/blobs/")
    assert kiosk.release is None


def test_files_that_share_their_bytes_are_fetched_once(kiosk: Kiosk, origin: Origin) -> None:
    twin = Content(noise(5000), "image/webp")
    origin.publish({"a.webp": twin, "b.webp": twin, "empty.txt": Content(b"", "text/plain")})
    result = kiosk.sync()
    assert result.fetched_files == 2
    assert len(origin.asked("/blobs/")) == 1
    assert kiosk.blob("empty.txt").read_bytes() == b""


def test_a_manifest_lost_from_the_disk_is_fetched_again(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    for path in kiosk.data.sets.iterdir():
        path.unlink()
    result = kiosk.sync()
    assert (result.outcome, result.fetched_files) == ("unchanged", 0)
    assert device_facts(kiosk.data, kiosk.now())["complete"]


def test_what_killed_writers_left_is_swept_after_an_hour(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    old, new = (kiosk.data.root / f".active.json.{number}.new" for number in (1, 2))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    (kiosk.data.metadata / "tmp1234").write_bytes(b"half")
    kiosk.sync()
    assert not old.exists()
    assert new.exists()
    assert not (kiosk.data.metadata / "tmp1234").exists()


def test_an_address_that_moved_to_https_is_told(kiosk: Kiosk, origin: Origin) -> None:
    secure = origin.url.replace("http:", "https:")
    origin.attack(".", "redirect", argument=secure)
    with pytest.raises(ForeignAnswer, match="enrol with that address"):
        kiosk.sync()


def test_folders_somebody_removed_are_made_again(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    for name in ("blobs", "sets", "parts", "metadata"):
        shutil.rmtree(kiosk.data.root / name)
    assert kiosk.sync().outcome == "repaired"
    assert device_facts(kiosk.data, kiosk.now())["complete"]


class Faults:
    """Refuses the n-th call, and all later ones, of what makes bytes and names durable."""

    NAMES = ("pwrite", "fsync", "replace", "rename")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, refuse: int) -> None:
        self.calls = 0
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self._guard(getattr(os, name), number, refuse))

    def _guard(self, real: Callable[..., Any], number: int, refuse: int) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls >= number:
                raise OSError(refuse, os.strerror(refuse))
            return real(*arguments)

        return guarded


@pytest.mark.parametrize("refuse", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_any_write_leaves_the_old_set_or_the_new(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch, refuse: int
) -> None:
    origin.publish(harbour(edition=0, film=5000))
    kiosk.sync()
    expected = 1
    number = 0
    while True:
        number += 1
        origin.publish(harbour(edition=number, film=5000 + number))
        with monkeypatch.context() as patch:
            faults = Faults(patch, number, refuse)
            failed: KioskError | None = None
            try:
                kiosk.sync(workers=1)
            except KioskError as error:
                failed = error
        assert failed is None or isinstance(failed, DiskFull) == (refuse == errno.ENOSPC)
        facts = device_facts(kiosk.data, kiosk.now())
        assert facts["active"]["release"] in (expected, expected + 1)
        assert facts["complete"]
        if failed is None and faults.calls < number:
            break
        expected += 1
        assert kiosk.sync().release == expected
    assert number > 15


def test_a_release_waits_while_somebody_serves_the_screen(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    with serving(kiosk.data):
        result = kiosk.sync()
        assert (result.outcome, result.release, kiosk.release) == ("ready", 2, 1)
        assert kiosk.sync().outcome == "ready"
        origin.publish(harbour(edition=3))
        assert kiosk.sync().release == 3
    slot = read_slots(kiosk.data)["harbour/live"]
    assert slot.next is not None
    assert slot.next.release == 3
    # Nobody serves any more: a person at the keyboard activates at once.
    assert kiosk.sync().outcome == "activated"
    assert kiosk.release == 3


def test_what_waits_and_what_plays_are_both_kept_and_looked_after(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    playing = kiosk.blob("lang/en/shard-0.json")
    origin.publish(harbour(edition=2))
    with serving(kiosk.data):
        kiosk.sync()
        playing.unlink()
        result = kiosk.sync()
    assert result.outcome == "ready"
    assert playing.exists()


def test_a_first_release_plays_at_once_though_a_screen_is_served(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    with serving(kiosk.data):
        assert kiosk.sync().outcome == "activated"


def test_a_release_that_was_given_back_is_not_taken_again_unless_somebody_says_so(
    kiosk: Kiosk, origin: Origin
) -> None:
    for edition in (1, 2):
        origin.publish(harbour(edition=edition))
        kiosk.sync()
    give_back(kiosk.data, "harbour/live", "page-errors", kiosk.now())
    result = kiosk.sync(trigger="poll")
    assert (result.outcome, result.release, kiosk.release) == ("unchanged", 1, 1)
    assert result.message == "release 2 was given back (page-errors): publish another"
    assert load_state(kiosk.data)["last_sync"]["message"] == result.message
    assert kiosk.sync(trigger="order").outcome == "activated"
    assert kiosk.release == 2
    give_back(kiosk.data, "harbour/live", "page-errors", kiosk.now())
    origin.publish(harbour(edition=3))
    assert kiosk.sync(trigger="poll").release == 3


def test_a_release_above_the_rollouts_limit_is_left(kiosk: Kiosk, origin: Origin) -> None:
    assert origin.assignment is not None
    # A device that plays nothing takes what there is.
    origin.publish()
    origin.assignment.update(release_limit=0, version=2)
    assert kiosk.sync().outcome == "activated"
    origin.publish(harbour(edition=2))
    origin.assignment.update(release_limit=1, version=3)
    kiosk.blob("lang/en/shard-0.json").unlink()
    result = kiosk.sync()
    assert (result.outcome, kiosk.release) == ("repaired", 1)
    assert result.message is not None
    assert "held back by the rollout" in result.message
    origin.assignment.update(release_limit=2, version=4)
    assert kiosk.sync().outcome == "activated"


def test_a_device_below_the_rollouts_limit_still_follows_its_languages(
    kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    origin.assignment.update(release_limit=1, languages=["ja", "en", "fr"], version=2)
    result = kiosk.sync()
    assert (result.outcome, result.release, result.fetched_files) == ("activated", 1, 1)
    active = read_active(kiosk.data)
    assert active is not None
    assert (active.current.release, active.current.languages) == (1, ("fr", "en", "ja"))


def test_a_rollout_that_is_held_takes_back_what_still_waited(kiosk: Kiosk, origin: Origin) -> None:
    assert origin.assignment is not None
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    with serving(kiosk.data):
        kiosk.sync()
        origin.assignment.update(release_limit=1, version=2)
        assert kiosk.sync().outcome == "unchanged"
    assert read_slots(kiosk.data)["harbour/live"].next is None


def test_a_package_of_the_programme_that_fails_keeps_no_other(kiosk: Kiosk, origin: Origin) -> None:
    assert origin.assignment is not None
    origin.publish()
    kiosk.sync()
    programme = [{"package": "noir", "from": "2090-01-01", "until": "2090-02-01"}]
    origin.assignment.update(schedule={"programme": programme}, version=2)
    origin.publish(harbour(edition=2))
    result = kiosk.sync()
    assert (result.outcome, kiosk.release) == ("activated", 2)
    assert result.message is not None
    assert result.message.startswith("noir/live: expected a live release of noir")
    noted = load_state(kiosk.data)["last_sync"]
    assert noted["error_code"] == "origin-trouble"
    origin.publish(package="noir")
    assert kiosk.sync().trouble is None
    assert {slot.key for slot in read_slots(kiosk.data).values() if slot.current} == {
        "harbour/live",
        "noir/live",
    }


def test_a_second_package_that_broke_off_is_not_fetched_again_from_the_start(
    kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    origin.publish()
    kiosk.sync()
    programme = [{"package": "noir", "from": "2090-01-01", "until": "2090-02-01"}]
    origin.assignment.update(schedule={"programme": programme}, version=2)
    files = {
        "media/a.webp": Content(noise(50_000, "a"), "image/webp"),
        "media/b.webp": Content(noise(70_000, "b"), "image/webp"),
    }
    origin.publish(files, package="noir")
    origin.publish(harbour(edition=2))
    lost = sha256_hex(files["media/b.webp"].raw)
    origin.attack(lost, "status", argument=404)
    # One after the other, the small one first.
    assert kiosk.sync(workers=1).trouble is not None
    origin.attacks.clear()
    origin.forget_hits()
    assert kiosk.sync().trouble is None
    assert [hit.path.rpartition("/")[2] for hit in origin.asked("/blobs/")] == [lost]


def test_a_sync_notes_what_started_it_and_what_failed(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync(trigger="poll")
    noted = load_state(kiosk.data)["last_sync"]
    assert (noted["trigger"], noted["error_code"]) == ("poll", None)
    origin.refresh(days=-1)
    with pytest.raises(MetadataExpired):
        kiosk.sync(trigger="order")
    noted = load_state(kiosk.data)["last_sync"]
    assert (noted["trigger"], noted["error_code"]) == ("order", "metadata-expired")
