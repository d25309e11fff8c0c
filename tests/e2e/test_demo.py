"""From nothing to an offline screen, as a newcomer sees it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import content_api as content_api_package
from package_format.manifest import parse_manifest, select_files
from tests.e2e.conftest import (
    Demo,
    call,
    content_api,
    demo_arguments,
    free_port,
    kiosk_client,
    running,
    wait_for,
)


def copy_demo(demo: Demo, folder: Path) -> Demo:
    """A private copy, for a test that changes things."""
    target = folder / "data"
    shutil.copytree(demo.data, target, symlinks=True)
    return Demo(target, demo.port, demo.kiosk_port, demo.output)


def admin_token(demo: Demo) -> str:
    """A token that may do everything."""
    found = content_api(
        *("token", "create", "--user", "admin", "--name", "e2e"),
        *("--data-dir", str(demo.data), "--json"),
    )
    assert found.returncode == 0, found.stderr
    token: str = json.loads(found.stdout)["token"]
    return token


def serve(demo: Demo) -> tuple[str, ...]:
    return ("serve", "--data-dir", str(demo.data), "--port", str(demo.port))


def test_a_second_demo_finds_its_data_and_makes_nothing_again(demo: Demo, tmp_path: Path) -> None:
    mine = copy_demo(demo, tmp_path)
    before = sorted(path.name for path in (mine.data / "repository").rglob("*.targets.json"))
    found = content_api(*demo_arguments(mine.data, mine.port, mine.kiosk_port), "--once")
    assert found.returncode == 0, found.stderr[-3000:]
    after = sorted(path.name for path in (mine.data / "repository").rglob("*.targets.json"))
    assert after == before


def test_a_checkout_in_the_current_folder_does_not_stand_in_for_what_is_installed(
    demo: Demo, tmp_path: Path
) -> None:
    mine = copy_demo(demo, tmp_path)
    for package in ("content_api", "kiosk_client"):
        decoy = tmp_path / "here" / package / "__init__.py"
        decoy.parent.mkdir(parents=True)
        decoy.write_text("raise SystemExit('the decoy was imported')\n")
    found = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "content_api.cli"),
            *(*demo_arguments(mine.data, mine.port, mine.kiosk_port), "--once"),
        ],
        cwd=tmp_path / "here",
        env={**os.environ, "PYTHONPATH": str(Path(content_api_package.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr


def test_every_sample_package_has_a_live_release(demo: Demo) -> None:
    found = content_api("package", "list", "--data-dir", str(demo.data), "--json")
    assert found.returncode == 0, found.stderr
    live = {row["slug"]: row["live"] for row in json.loads(found.stdout)}
    assert set(live) == {"meiji-tablet", "meiji-galaxy", "decouverte", "noir"}
    assert all(live.values()), live


def test_a_device_of_one_language_fetches_what_it_needs_and_nothing_else(
    demo: Demo, tmp_path: Path
) -> None:
    mine = copy_demo(demo, tmp_path)
    added = content_api(
        *("device", "add", "Guide of one language", "--venue", "demo-venue"),
        *("--package", "decouverte", "--profile", "guide", "--language", "pl"),
        *("--data-dir", str(mine.data), "--json"),
    )
    assert added.returncode == 0, added.stderr
    device = tmp_path / "guide"
    with running("content_api.cli", *serve(mine)) as server:
        wait_for(f"{mine.url}/healthz", server)
        code = json.loads(added.stdout)["code"]
        enrolled = kiosk_client("enrol", mine.url, code, "--data-dir", str(device))
        assert enrolled.returncode == 0, enrolled.stderr
        found = kiosk_client("sync", "--json", "--data-dir", str(device))
    assert found.returncode == 0, found.stderr
    manifests = list((device / "sets").glob("*.json"))
    manifest = parse_manifest(manifests[0].read_bytes())
    needed = {f.sha256: f.size for f in select_files(manifest, "guide", ["pl"])}
    stored = {path.name for path in (device / "blobs").rglob("*") if path.is_file()}
    assert stored == set(needed)
    assert stored < {f.sha256 for f in manifest.files}
    result = json.loads(found.stdout)
    assert result["fetched_bytes"] == sum(needed.values())


def test_an_unchanged_sync_costs_at_most_three_small_requests(demo: Demo, tmp_path: Path) -> None:
    mine = copy_demo(demo, tmp_path)
    with running("content_api.cli", *serve(mine)) as server:
        wait_for(f"{mine.url}/healthz", server)
        found = kiosk_client("sync", "--json", "--data-dir", str(mine.kiosk))
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["outcome"] == "unchanged"
    assert result["requests"] <= 3
    assert result["received_bytes"] <= 1500


def test_an_edited_entry_travels_alone_and_appears_on_the_device(
    demo: Demo, tmp_path: Path
) -> None:
    mine = copy_demo(demo, tmp_path)
    token = admin_token(mine)
    api = f"{mine.url}/api/v1"
    with running("content_api.cli", *serve(mine)) as server:
        wait_for(f"{mine.url}/healthz", server)
        status, entry = call("GET", f"{api}/entries/fosse-arenberg", token)
        assert status == 200, entry
        edit = {
            "expected_rev": entry["rev"],
            "operations": [
                {"op": "set", "path": "title", "scope": "fr", "value": "Fosse Arenberg, relue"}
            ],
        }
        status, saved = call("PATCH", f"{api}/entries/fosse-arenberg", token, edit)
        assert status == 200, saved
        status, answer = call(
            "PUT", f"{api}/entries/fosse-arenberg/approvals/fr", token, {"rev": saved["rev"]}
        )
        assert status in (200, 201), answer
        status, release = call("POST", f"{api}/packages/meiji-tablet/releases", token, {})
        assert status == 201, release
        found = kiosk_client("sync", "--json", "--data-dir", str(mine.kiosk))
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["outcome"] == "activated"
    assert result["requests"] <= 12
    assert result["received_bytes"] < 100_000
    shards = [
        path.read_text()
        for path in (mine.kiosk / "blobs").rglob("*")
        if path.is_file() and path.stat().st_size < 500_000 and path.read_bytes()[:1] == b"{"
    ]
    assert any("Fosse Arenberg, relue" in text for text in shards)


def test_a_flipped_bit_is_found_by_verify_and_healed_by_sync(demo: Demo, tmp_path: Path) -> None:
    mine = copy_demo(demo, tmp_path)
    blob = max((mine.kiosk / "blobs").rglob("*"), key=lambda path: path.stat().st_size)
    stamp = blob.stat()
    blob.chmod(0o644)
    raw = bytearray(blob.read_bytes())
    raw[len(raw) // 2] ^= 1
    blob.write_bytes(raw)
    os.utime(blob, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert kiosk_client("verify", "--data-dir", str(mine.kiosk)).returncode == 10
    with running("content_api.cli", *serve(mine)) as server:
        wait_for(f"{mine.url}/healthz", server)
        assert kiosk_client("sync", "--data-dir", str(mine.kiosk)).returncode == 0
    assert kiosk_client("verify", "--data-dir", str(mine.kiosk)).returncode == 0


def test_without_a_server_a_sync_says_so_by_its_exit_code_and_the_device_plays_on(
    demo: Demo, tmp_path: Path
) -> None:
    mine = copy_demo(demo, tmp_path)
    found = kiosk_client("sync", "--data-dir", str(mine.kiosk))
    assert found.returncode == 3
    assert found.stderr.strip().count("\n") == 0
    port = free_port()
    with running(
        "kiosk_client.cli", "serve", "--data-dir", str(mine.kiosk), "--port", str(port)
    ) as kiosk:
        wait_for(f"http://127.0.0.1:{port}/release.json", kiosk)
        status, release = call("GET", f"http://127.0.0.1:{port}/release.json")
    assert (status, release["package"]) == (200, "meiji-tablet")


@contextmanager
def playing_demo(demo: Demo) -> Iterator[subprocess.Popen[bytes]]:
    """The whole demo, from when its player answers; ended the hard way if the test did not."""
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "content_api.cli"),
            *demo_arguments(demo.data, demo.port, demo.kiosk_port),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{demo.kiosk_port}/release.json", child)
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def test_ctrl_c_stops_server_and_kiosk_and_leaves_no_process(demo: Demo, tmp_path: Path) -> None:
    with playing_demo(copy_demo(demo, tmp_path)) as child:
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        assert b"Traceback" not in errors
        with pytest.raises(ProcessLookupError):
            os.killpg(child.pid, 0)


def test_the_demo_plays_on_when_its_server_is_stopped(demo: Demo, tmp_path: Path) -> None:
    mine = copy_demo(demo, tmp_path)
    with playing_demo(mine) as child:
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        server = next(
            int(pid) for pid in children if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(server, signal.SIGTERM)
        while (
            Path(f"/proc/{server}/cmdline").exists()
            and Path(f"/proc/{server}/cmdline").read_bytes()
        ):
            time.sleep(0.05)
        time.sleep(1)
        assert child.poll() is None
        status, release = call("GET", f"http://127.0.0.1:{mine.kiosk_port}/release.json")
        assert (status, release["package"]) == (200, "meiji-tablet")
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        assert child.returncode == 0


@pytest.mark.parametrize("option", ["--port", "--kiosk-port"])
def test_a_port_in_use_gives_one_line_that_names_the_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"--port": free_port(), "--kiosk-port": free_port()}
        ports[option] = taken.getsockname()[1]
        found = content_api(
            *demo_arguments(tmp_path / "data", ports["--port"], ports["--kiosk-port"]), "--once"
        )
    assert found.returncode == 1
    assert f"{option} {ports[option]}" in found.stderr
    assert found.stderr.strip().count("\n") == 0


def test_a_data_directory_that_cannot_be_made_gives_one_line(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    found = content_api("demo", "--once", "--data-dir", str(blocker / "data"))
    assert found.returncode == 1
    assert "data directory" in found.stderr
    assert found.stderr.strip().count("\n") == 0
