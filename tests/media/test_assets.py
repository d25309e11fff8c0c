"""Assets over HTTP and in the database: sending, replacing, removing, importing."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from content_api.accounts.models import AuditRecord
from content_api.accounts.rules import SYSTEM
from content_api.content.models import Entry
from content_api.content.service import create_entry
from content_api.database import write_session
from content_api.media import service
from content_api.media.errors import TypeNotAccepted
from content_api.media.models import Asset, Rendition
from content_api.problems import NotFound
from content_api.settings import Settings
from tests.media.conftest import picture, stored_files
from tests.media.test_sniff import JPEG, PNG, VTT, zip_bytes

Send = Callable[..., Any]
Headers = Mapping[str, str]


def write(app: Flask) -> Any:
    """A transaction on the server's database, as a command would have it."""
    return write_session(app.extensions["lampisterie_engine"])


def test_a_picture_is_sent_in_two_steps_and_comes_back_with_its_encodings(
    send: Send, client: FlaskClient, editor: Headers, settings: Settings
) -> None:
    made = client.post("/api/v1/assets", json={"title": "La grue, 1904"}, headers=editor)
    assert made.status_code == 201
    assert made.get_json()["id"] == "la-grue-1904"
    assert made.get_json()["kind"] is None
    answer = send("la-grue-1904", JPEG, "C:\\photos\\../grue.jpg")
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["kind"], body["media_type"]) == ("image", "image/jpeg")
    assert (body["width"], body["height"]) == (500, 400)
    assert body["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert body["filename"] == "grue.jpg"
    assert [each["width"] for each in body["renditions"]] == [320, 500]
    for each in body["renditions"]:
        path = service.rendition_file(settings, each["sha256"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == each["sha256"]
        assert path.stat().st_size == each["size"]
    assert client.get("/api/v1/assets/la-grue-1904", headers=editor).get_json() == body


def test_making_an_asset_makes_the_entry_that_describes_it(send: Send, app: Flask) -> None:
    send("crane-photo", JPEG)
    with write(app) as session:
        entry = session.get_one(Entry, "crane-photo")
        assert (entry.type, entry.head_rev) == ("asset", 1)


def test_every_step_stands_in_the_audit_trail(send: Send, app: Flask) -> None:
    send("crane-photo", JPEG)
    with write(app) as session:
        rows = session.scalars(
            select(AuditRecord).where(AuditRecord.subject_id == "crane-photo")
        ).all()
        assert [(row.action, row.actor_name) for row in rows] == [
            ("entry.create", "media-0"),
            ("asset.file", "media-0"),
        ]
        assert rows[1].details["sha256"] == hashlib.sha256(JPEG).hexdigest()


def test_replacing_a_file_keeps_the_id_and_takes_the_old_encodings_away(
    send: Send, client: FlaskClient, editor: Headers
) -> None:
    first = send("crane-photo", JPEG).get_json()
    second = send("crane-photo", picture(700, 500, seed=9).pngsave_buffer()).get_json()
    assert (second["version"], second["width"]) == (first["version"] + 1, 700)
    old = {each["sha256"] for each in first["renditions"]}
    assert not old & {each["sha256"] for each in second["renditions"]}
    listed = client.get("/api/v1/assets", headers=editor).get_json()["items"]
    assert [each["id"] for each in listed] == ["crane-photo"]


def test_the_same_file_once_more_changes_nothing(send: Send, app: Flask) -> None:
    first = send("crane-photo", JPEG).get_json()
    assert send("crane-photo", JPEG).get_json() == first


def test_a_picture_is_not_replaced_by_another_kind_of_file(send: Send) -> None:
    send("crane-photo", JPEG)
    answer = send("crane-photo", VTT)
    assert answer.status_code == 409
    assert "expected another image, got a WebVTT subtitles" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "file-type-not-accepted"),
        (JPEG + zip_bytes(), 415, "file-type-not-accepted"),
        (JPEG[:-900], 422, "file-damaged"),
    ],
)
def test_a_refused_file_leaves_nothing_behind(
    send: Send,
    settings: Settings,
    client: FlaskClient,
    editor: Headers,
    content: bytes,
    status: int,
    code: str,
) -> None:
    answer = send("crane-photo", content)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert stored_files(settings) == []
    assert client.get("/api/v1/assets/crane-photo", headers=editor).get_json()["sha256"] is None


def test_the_name_and_the_declared_type_decide_nothing(
    client: FlaskClient, editor: Headers, send: Send
) -> None:
    send("crane-photo", PNG)
    answer = client.put(
        "/api/v1/assets/crane-photo/file?filename=evil.svg",
        data=JPEG,
        headers={**editor, "Content-Type": "image/svg+xml"},
    )
    assert answer.get_json()["media_type"] == "image/jpeg"


class Untouched:
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def put_raw(client: FlaskClient, headers: Headers, asset_id: str, body: Any, length: int) -> Any:
    """Send `body` announced with `length` bytes, whatever it holds."""
    client.post("/api/v1/assets", json={"id": asset_id}, headers=headers)
    return client.put(
        f"/api/v1/assets/{asset_id}/file",
        headers=headers,
        environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": str(length)},
    )


def test_ten_gigabytes_are_refused_before_a_byte_is_read(
    client: FlaskClient, editor: Headers, settings: Settings
) -> None:
    answer = put_raw(client, editor, "film", Untouched(), 10 * 1024**3)
    assert answer.status_code == 413
    body = answer.get_json()
    assert (body["code"], body["limit"]) == ("too-large", settings.max_upload)
    assert "10737418240 bytes: expected at most 2147483648" in body["detail"]
    assert stored_files(settings) == []


def test_a_body_shorter_than_announced_leaves_nothing(
    client: FlaskClient, editor: Headers, settings: Settings
) -> None:
    answer = put_raw(client, editor, "crane-photo", io.BytesIO(JPEG), len(JPEG) + 1)
    assert answer.status_code == 400
    assert stored_files(settings) == []


def test_an_upload_does_not_keep_other_writers_waiting(
    app: Flask, client: FlaskClient, editor: Headers
) -> None:
    class Slow:
        """A body during which somebody else saves."""

        rest = io.BytesIO(JPEG)

        def read(self, size: int = -1) -> bytes:
            if self.rest.tell() == 0:
                with app.app_context(), write(app) as session:
                    create_entry(session, SYSTEM, "place", [], entry_id="dock")
            return self.rest.read(size)

    answer = put_raw(client, editor, "crane-photo", Slow(), len(JPEG))
    assert answer.status_code == 200
    with write(app) as session:
        assert session.get(Entry, "dock") is not None


def test_a_file_may_be_larger_than_the_limit_for_json(
    app: Flask, send: Send, ffmpeg: Callable[..., bytes]
) -> None:
    sound = ffmpeg("long.wav", "-f", "lavfi", "-i", "sine=frequency=440:duration=60")
    assert len(sound) > app.config["MAX_CONTENT_LENGTH"]
    body = send("ambience", sound).get_json()
    assert (body["kind"], body["duration"]) == ("audio", 60.0)
    with write(app) as session:
        found = service.assets_for_release(session, ["ambience"])["ambience"]
    blocks = found.renditions[0].blocks
    assert blocks == tuple(
        hashlib.sha256(sound[start : start + 4 * 1024**2]).hexdigest()
        for start in range(0, len(sound), 4 * 1024**2)
    )


def test_the_original_is_a_download_that_no_browser_runs(
    send: Send, client: FlaskClient, editor: Headers
) -> None:
    send("crane-photo", JPEG, "Grue à vapeur.jpg")
    answer = client.get("/api/v1/assets/crane-photo/file", headers=editor)
    assert answer.data == JPEG
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''Grue%20%C3%A0%20vapeur.jpg"
    )
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "public" not in answer.headers["Cache-Control"]


def test_the_original_answers_one_range_exactly(
    send: Send, client: FlaskClient, editor: Headers
) -> None:
    send("crane-photo", JPEG)
    answer = client.get("/api/v1/assets/crane-photo/file", headers={**editor, "Range": "bytes=0-0"})
    assert (answer.status_code, answer.data) == (206, b"\xff")
    assert answer.headers["Content-Range"] == f"bytes 0-0/{len(JPEG)}"


def test_originals_and_changes_are_for_those_who_may(
    send: Send, client: FlaskClient, sign_in: Callable[..., Headers]
) -> None:
    send("crane-photo", JPEG)
    reader = sign_in("reader")
    assert client.get("/api/v1/assets/crane-photo/file").status_code == 401
    assert client.get("/api/v1/assets/crane-photo/file", headers=reader).status_code == 200
    for method, path in (
        ("put", "/api/v1/assets/crane-photo/file"),
        ("delete", "/api/v1/assets/crane-photo"),
        ("post", "/api/v1/assets"),
    ):
        answer = getattr(client, method)(path, headers=reader, json={})
        assert answer.status_code == 403, (method, path)


def test_an_asset_in_use_is_not_removed(
    send: Send, app: Flask, client: FlaskClient, editor: Headers
) -> None:
    send("crane-photo", JPEG)
    named = [{"op": "set", "path": "image", "scope": "*", "value": "crane-photo"}]
    with app.app_context(), write(app) as session:
        create_entry(session, SYSTEM, "place", named, entry_id="crane")
    answer = client.delete("/api/v1/assets/crane-photo", headers=editor)
    assert answer.status_code == 409
    assert "used by entry crane" in answer.get_json()["detail"]
    assert client.get("/api/v1/assets/crane-photo", headers=editor).status_code == 200


def test_an_unused_asset_goes_with_its_entry_and_keeps_its_bytes(
    send: Send, app: Flask, client: FlaskClient, editor: Headers, settings: Settings
) -> None:
    send("crane-photo", JPEG)
    before = stored_files(settings)
    assert client.delete("/api/v1/assets/crane-photo", headers=editor).status_code == 204
    with write(app) as session:
        assert session.get(Entry, "crane-photo") is None
        assert session.get(Asset, "crane-photo") is None
        assert session.scalars(select(Rendition)).all() == []
    assert stored_files(settings) == before


def test_assets_are_listed_in_pages_by_id_and_kind(
    send: Send, client: FlaskClient, editor: Headers
) -> None:
    for asset_id in ("c", "a", "b"):
        send(asset_id, JPEG)
    send("words", VTT)
    first = client.get("/api/v1/assets?limit=2&kind=image", headers=editor).get_json()
    assert [each["id"] for each in first["items"]] == ["a", "b"]
    rest = client.get(
        "/api/v1/assets", query_string={"kind": "image", "cursor": first["next"]}, headers=editor
    ).get_json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (["c"], None)


def test_ids_that_are_none_and_ids_that_are_taken_are_refused(
    client: FlaskClient, editor: Headers
) -> None:
    assert client.post("/api/v1/assets", json={"id": "../x"}, headers=editor).status_code == 422
    assert client.post("/api/v1/assets", json={"id": "x"}, headers=editor).status_code == 201
    assert client.post("/api/v1/assets", json={"id": "x"}, headers=editor).status_code == 409
    assert client.put("/api/v1/assets/nobody/file", data=b"x", headers=editor).status_code == 404


def test_importing_again_does_no_work_and_heals_lost_files(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    files = {}
    for number in range(3):
        files[f"plan-{number}"] = tmp_path / f"plan-{number}.jpg"
        files[f"plan-{number}"].write_bytes(picture(500, 400, seed=number).jpegsave_buffer())
    told: list[tuple[int, int]] = []

    def load() -> int:
        with app.app_context(), write(app) as session:
            ready = service.encode_files(
                session, files, settings=settings, progress=lambda *both: told.append(both)
            )
            service.attach_files(session, SYSTEM, ready)
            return len(ready)

    assert load() == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert load() == 0
    stored_files(settings)[-1].unlink()
    assert load() == 1


def test_importing_a_bad_file_names_it_and_keeps_none(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "good.jpg").write_bytes(JPEG)
    (tmp_path / "bad.jpg").write_bytes(zip_bytes())
    files = {"good": tmp_path / "good.jpg", "bad": tmp_path / "bad.jpg"}
    refused = pytest.raises(TypeNotAccepted, match=r"bad\.jpg: The file is a ZIP")
    with app.app_context(), refused, write(app) as session:
        service.encode_files(session, files, settings=settings)
    with write(app) as session, pytest.raises(NotFound):
        service.get_asset(session, "good")


def test_a_release_is_told_all_it_needs_of_assets_that_have_a_file(
    send: Send, app: Flask, client: FlaskClient, editor: Headers
) -> None:
    send("crane-photo", JPEG)
    send("words", VTT)
    client.post("/api/v1/assets", json={"id": "empty"}, headers=editor)
    with write(app) as session:
        found = service.assets_for_release(session, ["words", "empty", "crane-photo", "nobody"])
    assert list(found) == ["crane-photo", "words"]
    words, photo = found["words"], found["crane-photo"]
    assert (words.kind, words.duration) == ("subtitles", 3.5)
    assert [(each.name, each.media_type) for each in words.renditions] == [
        ("original.vtt", "text/vtt")
    ]
    assert words.renditions[0].sha256 == hashlib.sha256(VTT).hexdigest()
    assert [each.profiles for each in photo.renditions] == [
        ("tablet", "guide"),
        ("tablet", "wall", "guide", "galaxy"),
    ]


def test_files_that_no_asset_names_are_found_after_a_day(
    send: Send, app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    send("crane-photo", JPEG)
    old = set(stored_files(settings))
    send("crane-photo", picture(640, 480, seed=3).jpegsave_buffer())
    with write(app) as session:
        assert list(service.unused_files(session, settings)) == []
        later = time.time() + 86_401
        monkeypatch.setattr(service.time, "time", lambda: later)
        assert set(service.unused_files(session, settings)) == old


def test_the_rights_of_an_asset_are_read_from_its_document() -> None:
    body = {"fields": {"rights": {"*": {"holder": "H.", "expires": "2030-01-01"}}}}
    rights = service.rights_of(body)
    assert (rights.holder, rights.licence, rights.expires) == ("H.", None, "2030-01-01")
    assert service.rights_of({"fields": {}}).holder is None
