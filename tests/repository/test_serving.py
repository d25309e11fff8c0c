"""`/repository/…` gives the tree as it lies on the disk, and nothing else."""

from __future__ import annotations

import gzip
from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from content_api import problems
from content_api.repository.routes import repository
from content_api.repository.store import write_document
from content_api.settings import Settings
from package_format.canonical import canonical_json, sha256_hex
from package_format.layout import blob_path, target_file
from tests.repository.conftest import TARGET, publish

DOCUMENT = canonical_json({"text": "charbon " * 200})


@pytest.fixture
def site(signed: Settings, now: datetime) -> FlaskClient:
    """A client of a server that gives this repository."""
    publish(signed, b'{"release":1}', now)
    write_document(signed.repository_dir, DOCUMENT)
    app = Flask(__name__, static_folder=None)
    app.extensions["lampisterie_settings"] = signed
    problems.init_app(app)
    app.register_blueprint(repository)
    return app.test_client()


BLOB = f"/repository/{blob_path(sha256_hex(DOCUMENT))}"


def test_every_file_of_the_tree_is_given_byte_for_byte(site: FlaskClient, signed: Settings) -> None:
    files = [path for path in signed.repository_dir.rglob("*") if path.is_file()]
    plain = [path for path in files if path.suffix != ".gz"]
    assert len(plain) >= 8
    for path in plain:
        answer = site.get(f"/repository/{path.relative_to(signed.repository_dir).as_posix()}")
        assert (answer.status_code, answer.data) == (200, path.read_bytes())


def test_the_timestamp_is_asked_anew_and_everything_else_is_immutable(site: FlaskClient) -> None:
    timestamp = site.get("/repository/metadata/timestamp.json")
    assert timestamp.headers["Cache-Control"] == "no-cache"
    root = site.get("/repository/metadata/1.root.json")
    assert root.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert root.headers["Content-Type"] == "application/json"
    assert site.get(BLOB).headers["Content-Type"] == "application/octet-stream"


def test_the_next_root_is_a_real_404_that_nobody_stores(site: FlaskClient) -> None:
    answer = site.get("/repository/metadata/2.root.json")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_client_that_holds_a_file_gets_304(site: FlaskClient) -> None:
    tag = site.get("/repository/metadata/timestamp.json").headers["ETag"]
    again = site.get("/repository/metadata/timestamp.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert "Content-Type" not in again.headers
    assert "Content-Length" not in again.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=-4", -4, None), ("bytes=100-", 100, None)],
)
def test_a_range_is_answered_exactly(
    site: FlaskClient, asked: str, start: int, stop: int | None
) -> None:
    answer = site.get(BLOB, headers={"Range": asked, "Accept-Encoding": "gzip"})
    assert answer.status_code == 206
    assert answer.data == DOCUMENT[start:stop]
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["Content-Range"].endswith(f"/{len(DOCUMENT)}")


def test_a_range_beyond_the_end_is_416_with_the_size(site: FlaskClient) -> None:
    answer = site.get(BLOB, headers={"Range": f"bytes={len(DOCUMENT)}-"})
    assert (answer.status_code, answer.data) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{len(DOCUMENT)}"


def test_gzip_is_given_to_those_who_ask_with_a_tag_of_its_own(site: FlaskClient) -> None:
    plain = site.get(BLOB)
    packed = site.get(BLOB, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == DOCUMENT
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


def test_head_tells_the_length_and_sends_nothing(site: FlaskClient) -> None:
    answer = site.head(BLOB, headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(DOCUMENT))


def test_a_manifest_has_its_hash_as_tag(site: FlaskClient) -> None:
    sha256 = sha256_hex(b'{"release":1}')
    answer = site.get(f"/repository/{target_file(TARGET, sha256)}")
    assert answer.headers["ETag"] == f'"{sha256}"'


@pytest.mark.parametrize(
    "path",
    [
        "",
        "metadata/",
        "metadata",
        "blobs/",
        "metadata/../../keys/targets.pem",
        "metadata/%2e%2e/%2e%2e/keys/targets.pem",
        "..%2fkeys/targets.pem",
        "metadata//timestamp.json",
        "metadata/timestamp.json/",
        "metadata/timestamp.json%00",
        "metadata/timestamp.json%0a",
        "metadata/01.root.json",
        "metadata/１.root.json",
        "metadata/root.json",
        "metadata/99999999999999999999.root.json",
        f"blobs/00/{sha256_hex(DOCUMENT)}",
        f"{blob_path(sha256_hex(DOCUMENT)).upper()}",
        f"{blob_path('0' * 64)}",
        f"{blob_path(sha256_hex(DOCUMENT))}.gz",
        f"targets/packages/harbour/{'0' * 64}.live.json",
        f"targets/packages/-/{'0' * 64}.live.json",
    ],
)
def test_what_is_not_a_file_of_the_repository_is_404(site: FlaskClient, path: str) -> None:
    answer = site.get(f"/repository/{path}")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_other_methods_are_refused_with_those_allowed(site: FlaskClient) -> None:
    answer = site.put(BLOB, data=b"x")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
