"""The served repository as curl and the stock TUF client see it, from the real server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from tuf.ngclient import Updater

from content_api.repository import metadata
from content_api.repository.service import find_manifest
from package_format.layout import blob_path, manifest_target, target_file
from package_format.manifest import parse_manifest, select_files
from tests.conftest import missing
from tests.packages.conftest import Harbour, title


@pytest.fixture
def address(harbour: Harbour) -> Iterator[str]:
    """The address of a running server that gives the harbour, published once."""
    harbour.publish()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "content_api.cli", "serve", "--port", str(port)),
        *("--data-dir", str(harbour.settings.data_dir)),
    ]
    environ = {**os.environ, "CONTENT_API_DATABASE": harbour.settings.database_url}
    server = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, "the server stopped"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/repository/"
    finally:
        server.terminate()
        server.wait(timeout=30)


def curl(url: str, *arguments: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and body, as curl gets them."""
    if shutil.which("curl") is None:
        missing("curl")
    raw = subprocess.run(
        ["curl", "-s", "-i", "--path-as-is", *arguments, url],
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), headers, body


def test_curl_gets_ranges_validators_and_real_404s(harbour: Harbour, address: str) -> None:
    manifest = find_manifest(harbour.settings, "harbour")
    assert manifest is not None
    document = next(f for f in manifest.files if f.path == "lang/fr/types.json")
    url = address + blob_path(document.sha256)
    raw = (harbour.settings.repository_dir / blob_path(document.sha256)).read_bytes()

    status, headers, body = curl(url)
    assert (status, body, headers["content-length"]) == (200, raw, str(len(raw)))
    assert headers["etag"] == f'"{document.sha256}"'
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["access-control-allow-origin"] == "*"

    status, headers, body = curl(url, "-r", "0-0")
    assert (status, body, headers["content-range"]) == (206, raw[:1], f"bytes 0-0/{len(raw)}")
    status, headers, body = curl(url, "-r", "-5")
    assert (status, body) == (206, raw[-5:])
    status, headers, _ = curl(url, "-r", f"{len(raw)}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(raw)}")
    status, _, body = curl(url, "-r", "1-", "-H", 'If-Range: "other"')
    assert (status, body) == (200, raw)

    status, headers, body = curl(url, "-H", f'If-None-Match: "{document.sha256}"')
    assert (status, body) == (304, b"")
    status, headers, body = curl(url, "-H", "Accept-Encoding: gzip")
    assert (headers["content-encoding"], len(body)) == ("gzip", int(headers["content-length"]))
    assert len(body) < len(raw)
    status, headers, body = curl(url, "-I")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(raw)))

    status, headers, _ = curl(f"{address}metadata/2.root.json")
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert curl(f"{address}metadata/../../keys/targets.pem")[0] == 404
    assert curl(f"{address}blobs/")[0] == 404


def test_one_edited_entry_costs_under_100_kb_in_at_most_12_requests(
    harbour: Harbour, address: str, tmp_path: Path
) -> None:
    before = find_manifest(harbour.settings, "harbour")
    root = metadata.newest_root(harbour.settings.repository_dir)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "targets").mkdir()

    def poll() -> bytes:
        updater = Updater(
            str(tmp_path / "metadata"),
            f"{address}metadata/",
            str(tmp_path / "targets"),
            f"{address}targets/",
            bootstrap=root,
        )
        updater.refresh()
        info = updater.get_targetinfo("packages/harbour/live.json")
        assert info is not None
        return Path(updater.download_target(info)).read_bytes()

    assert before is not None
    assert poll() == before.to_bytes()
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    harbour.publish()
    raw = poll()
    after = parse_manifest(raw)
    held = {entry.sha256 for entry in select_files(before, "tablet", ["fr", "en"])}
    fetched = [
        entry for entry in select_files(after, "tablet", ["fr", "en"]) if entry.sha256 not in held
    ]
    paths = ["metadata/2.root.json", "metadata/timestamp.json"]
    paths += ["metadata/3.snapshot.json", "metadata/3.targets.json"]
    paths += [target_file(manifest_target("harbour", "live"), metadata_sha(harbour))]
    paths += [blob_path(entry.sha256) for entry in fetched]
    answers = [curl(address + path, "-H", "Accept-Encoding: gzip") for path in paths]
    assert [status for status, _, _ in answers] == [404] + [200] * (len(paths) - 1)
    assert len(paths) == 6
    assert sum(len(body) for _, _, body in answers) < 100_000


def metadata_sha(harbour: Harbour) -> str:
    """Hash of the manifest that is live."""
    found = metadata.targets(harbour.settings.repository_dir)
    return found["packages/harbour/live.json"].sha256
