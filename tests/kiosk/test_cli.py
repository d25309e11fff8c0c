"""The `kiosk-client` command as a person or a script meets it: a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.cli import status_lines
from kiosk_client.config import open_data_dir
from kiosk_client.errors import KioskError
from kiosk_client.progress import progress_line, readable
from kiosk_client.store import STAMP_NS
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import TOKEN, Origin, harbour

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "kiosk_client.cli"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "device"


@pytest.fixture
def run(folder: Path) -> Run:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**os.environ, "KIOSK_DATA": str(folder), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, answer.read()


def test_enrol_sync_status_and_verify_in_a_row(run: Run, origin: Origin, folder: Path) -> None:
    origin.publish()
    enrolled = run("enrol", origin.url, "7gk2-mp4x-q9tr", "--name", "Quay")
    assert (enrolled.returncode, enrolled.stderr) == (0, "")
    assert "Enrolled as Quay." in enrolled.stdout
    synced = run("sync")
    assert (synced.returncode, synced.stderr) == (0, "")
    assert synced.stdout == "Now playing harbour release 1: 5 files, 9.0 MB.\n"
    assert run("sync").stdout == "harbour release 1 is up to date.\n"
    status = run("status")
    assert "Playing    harbour release 1, whole" in status.stdout
    assert run("verify").stdout == "Every one of 5 files is as it should be.\n"
    told = json.loads(run("status", "--json").stdout)
    assert told["last_full_verify_at"]
    assert told["device"]["name"] == "Quay"
    assert told["assignment"]["languages"] == ["ja", "en"]
    for shown in (enrolled, synced, status):
        assert TOKEN not in shown.stdout + shown.stderr
    assert os.stat(folder).st_mode & 0o777 == 0o700


def test_sync_prints_json_alone(run: Run, origin: Origin) -> None:
    origin.publish()
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    run("sync")
    run("sync")
    found = json.loads(run("sync", "--json").stdout)
    assert (found["outcome"], found["release"], found["requests"]) == ("unchanged", 1, 3)
    assert found["received_bytes"] < 1000


def test_a_flipped_bit_is_found_by_verify_and_healed_by_sync(
    run: Run, origin: Origin, folder: Path
) -> None:
    origin.publish()
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    run("sync")
    blobs = sorted(folder.glob("blobs/*/*"))
    for blob in blobs:
        before = blob.read_bytes()
        blob.chmod(0o644)
        with blob.open("r+b") as file:
            file.write(bytes([before[0] ^ 1]))
        os.utime(blob, ns=(STAMP_NS, STAMP_NS))
    found = run("verify", "--json")
    assert found.returncode == 10
    assert len(json.loads(found.stdout)["bad"]) == len(blobs)
    assert "run `kiosk-client sync`" in found.stderr
    assert "missing" in run("status").stdout
    assert run("sync").stdout.startswith("Repaired harbour release 1: 5 files")
    assert run("verify").returncode == 0


@pytest.mark.parametrize(
    ("path", "how", "argument", "code"),
    [
        ("/repository/", "drop", None, 3),
        (r"timestamp\.json", "html", None, 7),
        (r"timestamp\.json", "endless", None, 8),
        ("/blobs/", "html", None, 7),
        ("/blobs/", "status", 404, 1),
    ],
)
def test_each_failure_has_its_exit_code_and_one_line(
    run: Run, origin: Origin, path: str, how: str, argument: Any, code: int
) -> None:
    origin.publish()
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    origin.attack(path, how, argument=argument)
    failed = run("sync")
    assert failed.returncode == code
    assert failed.stdout == ""
    assert len(failed.stderr.strip().splitlines()) == 1
    assert failed.stderr.startswith("kiosk-client: expected ")


def test_refusals_have_their_exit_codes_and_the_old_release_plays(run: Run, origin: Origin) -> None:
    origin.publish()
    backup = origin.save()
    origin.publish(harbour(edition=2))
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    run("sync")
    newest = origin.save()
    origin.sign_with_strange_key("timestamp")
    assert run("sync").returncode == 5
    origin.restore(backup)
    assert run("sync").returncode == 6
    origin.restore(newest)
    origin.refresh(days=-1)
    expired = run("sync", "--json")
    assert expired.returncode == 9
    assert json.loads(expired.stdout)["error_code"] == "metadata-expired"
    told = json.loads(run("status", "--json").stdout)
    assert (told["active"]["release"], told["complete"]) == (2, True)


def test_a_server_that_is_gone_is_no_network(run: Run) -> None:
    failed = run("enrol", f"http://127.0.0.1:{free_port()}/", "7GK2MP4XQ9TR")
    assert failed.returncode == 3
    assert "check the network" in failed.stderr


@pytest.mark.parametrize("command", ["sync", "run", "status", "verify"])
def test_a_device_that_is_not_enrolled_is_told_how(run: Run, command: str) -> None:
    failed = run(command)
    assert failed.returncode == 1
    assert "kiosk-client enrol URL CODE" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


def test_a_data_directory_that_is_a_file_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        failed = run("--data-dir", str(target), "enrol", "http://127.0.0.1:9/", "X")
        assert failed.returncode == 1
        assert "expected" in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_data_directory_that_takes_no_writes_is_told() -> None:
    # Root may write anywhere but here.
    with pytest.raises(KioskError, match="this user may write"):
        open_data_dir(Path("/proc/kiosk"), create=True)


def test_wrong_usage_is_exit_code_two(run: Run) -> None:
    assert run("enrol", "http://127.0.0.1/").returncode == 2
    assert run("serve", "--port", "99999").returncode == 2
    assert run("paint", "/tmp").returncode == 2


def test_the_data_directory_may_be_named_after_the_command(
    run: Run, origin: Origin, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    run("enrol", origin.url, "7GK2MP4XQ9TR", "--data-dir", str(other))
    assert (other / "device.json").exists()


def test_status_starts_without_the_heavy_parts(run: Run, origin: Origin) -> None:
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    found = run("status", PYTHONPROFILEIMPORTTIME="1")
    assert found.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines()}
    assert "click" in imported
    assert not {"tuf", "urllib3", "waitress", "cryptography"} & imported


def test_debug_shows_where_an_error_came_from(run: Run) -> None:
    failed = run("--debug", "status")
    assert "Traceback" in failed.stderr
    assert "NotEnrolled" in failed.stderr


def serving(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A running `serve` or `run`, and the address it printed."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, "KIOSK_DATA": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Playing at "), process.communicate(timeout=5)
    return process, line.removeprefix("Playing at ").strip()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_plays_with_the_server_gone_and_ends_cleanly(
    kiosk: Kiosk, origin: Origin, how: signal.Signals
) -> None:
    origin.publish()
    kiosk.sync()
    origin.forget_hits()
    process, url = serving(kiosk.data.root, "serve", "--port", "0")
    try:
        assert get(url + "content/media/film/720.mp4")[1] == harbour()["media/film/720.mp4"].raw
        assert get(url + "healthz")[0] == 200
        process.send_signal(how)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert not origin.hits


def test_run_takes_new_releases_while_it_serves_and_ends_cleanly(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    process, url = serving(kiosk.data.root, "run", "--port", "0", "--poll", "1")
    try:
        assert b"This screen" in get(url)[1] or kiosk.release == 1
        wait_for(lambda: kiosk.release == 1)
        origin.publish(harbour(edition=2))
        # No page reports here: after a moment the screen counts as unused.
        wait_for(lambda: json.loads(get(url + "release.json")[1])["release"] == 2, 40)
        wait_for(lambda: any(beat["active"]["release"] == 2 for beat in origin.heartbeats))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0
    assert TOKEN not in err
    assert "Traceback" not in err


def test_an_order_starts_the_agent_anew_and_the_screen_comes_back(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    process, _ = serving(kiosk.data.root, "run", "--port", "0", "--poll", "1")
    try:
        wait_for(lambda: kiosk.release == 1)
        origin.orders = [{"id": 1, "kind": "restart-agent", "arguments": {}}]
        assert process.stdout is not None
        # The same process, with the same arguments: another free port.
        line = process.stdout.readline()
        assert line.startswith("Playing at ")
        url = line.removeprefix("Playing at ").strip()
        assert json.loads(get(url + "release.json")[1])["release"] == 1
        wait_for(lambda: (1, "done", "restarting") in origin.told)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0
    assert [state for number, state, _ in origin.told if number == 1] == ["taken", "done"]


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_port_in_use_is_told_in_one_line(run: Run, origin: Origin) -> None:
    run("enrol", origin.url, "7GK2MP4XQ9TR")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = run("serve", "--port", str(port))
    assert failed.returncode == 1
    assert f"port {port}" in failed.stderr
    assert "choose another with --port" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


def test_progress_tells_bytes_share_rate_and_time_left() -> None:
    assert progress_line(25_000_000, 100_000_000, 10.0) == (
        "[#####               ]  25% 25.0 MB of 100.0 MB, 2.5 MB/s, 30 s left"
    )
    assert progress_line(0, 0, 0.0).endswith("100% 0 B of 0 B, 0 B/s")
    assert [readable(size) for size in (999, 1000, 5 * 10**12)] == ["999 B", "1.0 kB", "5000.0 GB"]
    assert len(progress_line(999_900_000_000, 10**12, 10**6)) <= 76


def test_status_says_in_words_what_is_wrong() -> None:
    lines = status_lines(
        {
            "device": {"name": "Quay", "server": "https://content.example.org/"},
            "active": None,
            "complete": False,
            "stale_days": None,
            "last_sync": {
                "at": "2026-11-24T06:00:00Z",
                "outcome": "failed",
                "error_code": "no-network",
                "message": "check the network",
            },
            "last_full_verify_at": None,
            "clock": {"trusted": False, "floor": "2026-11-24T00:00:00Z"},
            "disk": {"free": 10**9, "reserve": 1, "verdict": "failing"},
            "queued": 3,
            "faults": [{"code": "disk-failing", "message": "replace it"}],
        }
    )
    assert "Playing    nothing yet" in lines
    assert "Last sync  2026-11-24T06:00:00Z failed (no-network: check the network)" in lines
    assert "Clock      wrong: it must be 2026-11-24T00:00:00Z or later" in lines
    assert "Disk       1000 MB free, failing" in lines
    assert "Reports    3 wait for the network" in lines
    assert "Fault      disk-failing: replace it" in lines


def test_status_says_in_words_what_waits_and_what_came_back() -> None:
    lines = status_lines(
        {
            "device": {"name": "Quay", "server": "https://content.example.org/"},
            "active": {"package": "harbour", "release": 14},
            "complete": True,
            "probation": True,
            "next": {"package": "harbour", "release": 15},
            "slots": [
                {"package": "harbour", "release": 14, "complete": True, "next_release": 15},
                {"package": "noir", "release": 3, "complete": False, "next_release": None},
            ],
            "returned": {
                "package": "harbour",
                "release": 13,
                "reason": "crashes",
                "at": "2026-11-24T06:00:00Z",
            },
            "stale_days": 0,
            "last_sync": None,
            "last_full_verify_at": None,
            "clock": {"trusted": True},
            "disk": None,
            "faults": [],
        }
    )
    assert lines[1:5] == [
        "Playing    harbour release 14, whole, on probation",
        "Also here  noir release 3, bytes missing",
        "Next       harbour release 15, complete",
        "Went back  from harbour release 13 at 2026-11-24T06:00:00Z (crashes)",
    ]
