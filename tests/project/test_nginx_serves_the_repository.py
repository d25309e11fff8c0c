"""deploy/nginx.conf answers the repository by the rules the server and the kiosk follow."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from package_format.layout import blob_path, manifest_target, target_file
from package_format.serving import Answer, StaticFile, answer
from tests.conftest import missing

CONF = Path(__file__).parents[2] / "deploy" / "nginx.conf"

BLOB = bytes(range(256)) * 40
DOCUMENT = b'{"format":1,"language":"fr"}' * 30
MANIFEST = b'{"channel":"live","format":1}' * 20

BLOB_PATH = blob_path(hashlib.sha256(BLOB).hexdigest())
DOCUMENT_PATH = blob_path(hashlib.sha256(DOCUMENT).hexdigest())
MANIFEST_PATH = target_file(
    manifest_target("harbour", "live"), hashlib.sha256(MANIFEST).hexdigest()
)
TIMESTAMP_PATH = "metadata/timestamp.json"

FILES = {
    TIMESTAMP_PATH: b'{"signed":{}}',
    "metadata/1.root.json": b'{"signed":{"_type":"root"}}',
    MANIFEST_PATH: MANIFEST,
    BLOB_PATH: BLOB,
    DOCUMENT_PATH: DOCUMENT,
}
COMPRESSED = (MANIFEST_PATH, DOCUMENT_PATH)


@dataclass(frozen=True)
class Reply:
    """What came back: headers by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Nginx:
    """A running nginx and the repository it serves."""

    port: int
    repository: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Send one request; header names are written with `_` for `-`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Accept-Encoding", "identity")
        connection.request(method, f"/repository/{path}", headers=sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        reply = Reply(response.status, found, response.read())
        connection.close()
        return reply


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx with our configuration, its paths and ports changed to ones of this test."""
    command = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not command:
        missing("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    repository = folder / "repository"
    for path, body in FILES.items():
        target = repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        if path in COMPRESSED:
            target.with_name(f"{target.name}.gz").write_bytes(gzip.compress(body, mtime=0))
    # nginx started by root works as a user who must be able to walk here.
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == folder.stat().st_uid and parent.name.startswith(
            ("pytest-", "nginx", "popen-")
        ):
            parent.chmod(0o755)
    port, nobody = free_port(), free_port()
    conf = folder / "nginx.conf"
    conf.write_text(
        CONF.read_text(encoding="utf-8")
        .replace("/data/repository", str(repository))
        .replace("/tmp/nginx", f"{folder}/run-nginx")
        .replace("listen 8080", f"listen 127.0.0.1:{port}")
        .replace("server:8000", f"127.0.0.1:{nobody}"),
        encoding="utf-8",
    )
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "-p", str(folder), "-c", str(conf), "-g", "daemon off;"],
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Nginx(port, repository)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nginx did not listen: {log.read_text(encoding='utf-8')}")


def by_the_rules(nginx: Nginx, path: str, method: str, headers: dict[str, str]) -> Answer:
    """What `package_format.serving` answers for this file and request."""
    compressed = nginx.repository / f"{path}.gz"
    file = StaticFile(
        size=len(FILES[path]),
        tag="tag",
        media_type="application/octet-stream" if path == BLOB_PATH else "application/json",
        cache_control="no-cache"
        if path == TIMESTAMP_PATH
        else "public, max-age=31536000, immutable",
        gzip_size=compressed.stat().st_size if path in COMPRESSED else None,
    )
    return answer(method, {name.lower(): value for name, value in headers.items()}, file)


@pytest.mark.parametrize("path", list(FILES))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"accept-encoding": "gzip"},
        {"range": "bytes=0-0"},
        {"range": "bytes=3-"},
        {"range": "bytes=-5"},
        {"range": "bytes=2-99999999"},
        {"range": "bytes=0-0", "accept-encoding": "gzip"},
        {"range": "bytes=99999999-"},
        {"range": "bytes=0-1,3-4"},
        {"range": "lines=0-1"},
        {"range": "bytes=0-1", "if-range": '"another"'},
    ],
    ids=str,
)
def test_nginx_answers_a_file_as_the_rules_do(
    nginx: Nginx, path: str, method: str, headers: dict[str, str]
) -> None:
    expected = by_the_rules(nginx, path, method, headers)

    reply = nginx.ask(path, method, **headers)

    assert reply.status == expected.status
    promised = {name.lower(): value for name, value in expected.headers}
    for name in (
        "cache-control",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "cross-origin-resource-policy",
        "x-content-type-options",
        "content-range",
        "content-encoding",
    ):
        if name == "cache-control" and reply.status == 416:
            continue  # an answer of 416 is not stored by caches without one
        assert reply.headers.get(name) == promised.get(name), name
    if "vary" in promised:
        assert reply.headers["vary"] == promised["vary"]
    if reply.status != 416:
        if reply.status != 206:  # which says as much by itself
            assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["content-length"] == promised["content-length"]
        assert reply.headers["etag"].startswith('"'), "a strong tag"
        source = nginx.repository / (f"{path}.gz" if expected.use_gzip else path)
        body = source.read_bytes()[expected.start : expected.stop] if method == "GET" else b""
        assert reply.body == body


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_tag_that_still_holds_is_answered_304_without_a_body(nginx: Nginx, encoding: str) -> None:
    first = nginx.ask(MANIFEST_PATH, accept_encoding=encoding)

    again = nginx.ask(MANIFEST_PATH, accept_encoding=encoding, if_none_match=first.headers["etag"])

    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == first.headers["cache-control"]


def test_the_compressed_variant_has_a_tag_of_its_own(nginx: Nginx) -> None:
    plain = nginx.ask(DOCUMENT_PATH)
    compressed = nginx.ask(DOCUMENT_PATH, accept_encoding="gzip")

    assert plain.headers["etag"] != compressed.headers["etag"]
    assert gzip.decompress(compressed.body) == plain.body == DOCUMENT


def test_a_transfer_resumes_with_the_tag_it_was_given(nginx: Nginx) -> None:
    first = nginx.ask(BLOB_PATH)

    rest = nginx.ask(BLOB_PATH, range="bytes=1000-", if_range=first.headers["etag"])

    assert rest.status == 206
    assert BLOB[:1000] + rest.body == BLOB


@pytest.mark.parametrize(
    "path",
    [
        "metadata/2.root.json",
        "metadata/root.json",
        "metadata/",
        "metadata",
        "",
        "blobs/00/" + "0" * 64,
        "targets/packages/harbour/" + "0" * 64 + ".live.json",
        "metadata/.timestamp.json.part",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"range": "bytes=0-0"}], ids=["whole", "range"])
def test_a_name_that_does_not_exist_is_a_404_that_nobody_keeps(
    nginx: Nginx, path: str, headers: dict[str, str]
) -> None:
    (nginx.repository / "metadata" / ".timestamp.json.part").write_bytes(b"half")

    reply = nginx.ask(path, **headers)

    assert reply.status == 404
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["%2e%2e/keys/targets.pem", "metadata/%2e%2e/../keys/targets.pem"])
def test_what_lies_beside_the_repository_is_never_served(nginx: Nginx, path: str) -> None:
    keys = nginx.repository.parent / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "targets.pem").write_bytes(b"secret")

    reply = nginx.ask(path)

    assert reply.status in (404, 502)
    assert b"secret" not in reply.body
