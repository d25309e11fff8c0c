"""`export`, `import` and `run --relay` as a person or a script meets them: real processes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk_client.stick_layout import PLACE
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour
from tests.kiosk.test_cli import COMMAND, ROOT, free_port, get
from tests.kiosk.volumes import volume

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(kiosk: Kiosk) -> Run:
    def run(*arguments: str, device: Kiosk = kiosk) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**os.environ, "KIOSK_DATA": str(device.data.root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def synced(kiosk: Kiosk, origin: Origin) -> Kiosk:
    origin.publish(harbour(film=300_000))
    kiosk.sync()
    return kiosk


def test_export_and_import_say_what_they_did(
    run: Run, synced: Kiosk, origin: Origin, tmp_path: Path
) -> None:
    with volume("fat", 40) as mounted:
        stick = str(mounted)
        done = run("export", stick)
        assert (done.returncode, done.stderr) == (0, "")
        first, second = done.stdout.splitlines()
        assert first == (
            "The stick holds harbour release 1 (en, ja; tablet): 5 files, 346.2 kB; "
            "5 were written, 0 removed."
        )
        assert second.startswith("Its signatures are valid until 20")
        same = run("import", stick)
        assert same.stdout == "Nothing newer on the stick: harbour release 1 plays on.\n"
        assert same.returncode == 0
        told = json.loads(run("export", stick, "--json", "--offline").stdout)
        assert (told["copied_files"], told["files"], told["outcome"]) == (0, 5, "exported")
        shutil.rmtree(synced.data.root / "blobs")
        mended = json.loads(run("import", stick, "--json").stdout)
        assert (mended["outcome"], mended["fetched_files"]) == ("repaired", 5)
        assert list(mended["sources"]) == ["stick"]


def test_each_failure_has_its_exit_code_and_one_line(
    run: Run, synced: Kiosk, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("import", str(stick)), 1, "make a stick with"),
        (("import", str(tmp_path / "none")), 1, "plugged in"),
        (("export", str(tmp_path / "no" / "ne")), 1, "plugged in"),
        (("export", str(stick), "--languages", "not a tag"), 2, "language tag"),
        (("export", str(stick), "--offline", "--profile", "wall"), 3, "1 more files"),
    ]
    for arguments, code, words in cases:
        failed = run(*arguments)
        assert (failed.returncode, failed.stdout) == (code, ""), failed.stderr
        assert words in failed.stderr
        assert code == 2 or len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert run("export", str(stick)).returncode == 0
    timestamp = stick / PLACE / "metadata" / "timestamp.json"
    timestamp.write_bytes(timestamp.read_bytes().replace(b'"sig":"', b'"sig":"00', 1))
    failed = run("import", str(stick), "--json")
    assert failed.returncode == 5
    assert json.loads(failed.stdout)["error_code"] == "not-trusted"
    if os.geteuid() == 0:
        with volume("tmpfs", 1) as small:
            full = run("export", str(small))
            assert (full.returncode, "disk-full" in full.stderr or "free" in full.stderr) == (
                4,
                True,
            )


def test_a_person_at_a_terminal_sees_progress(synced: Kiosk, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "export", str(stick), "--data-dir", str(synced.data.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert b"The stick holds" in process.stdout.read()
    os.close(leader)
    assert b"5 files, 346.2 kB to write or check" in shown
    assert b"100%" in shown


def test_run_serves_other_kiosks_while_it_runs(run: Run, synced: Kiosk) -> None:
    port = free_port()
    with subprocess.Popen(
        [*COMMAND, "run", "--port", "0", "--relay", str(port)],
        cwd=ROOT,
        env={**os.environ, "KIOSK_DATA": str(synced.data.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Playing at ")
        url = f"http://127.0.0.1:{port}/repository/metadata/timestamp.json"
        deadline = time.monotonic() + 20
        while True:
            try:
                status, raw = get(url)
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert status == 200
        assert b'"timestamp"' in raw
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_relay_port_that_is_taken_is_said_at_once(run: Run, synced: Kiosk) -> None:
    with socket.create_server(("", 0)) as taken:
        failed = run("run", "--port", "0", "--relay", str(taken.getsockname()[1]))
    assert failed.returncode == 1
    assert "choose another with --relay" in failed.stderr


def test_reading_the_commands_needs_neither_tuf_nor_http_nor_multicast() -> None:
    code = "import kiosk_client.cli, sys; print(*sys.modules, sep=chr(10))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert not {"tuf", "urllib3", "waitress", "zeroconf"} & set(done.stdout.split())
