"""The commands of the server itself, run as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from content_api.cli import COMMANDS, main

PASSWORD = "fosse delloye 1931"


def run(*arguments: str, data: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run `content-api` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "content_api.cli", *arguments, "--data-dir", str(data)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data directory."""
    found = tmp_path_factory.mktemp("prepared") / "data"
    made = run("init", "--admin-password-stdin", data=found, given=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    assert PASSWORD not in made.stdout + made.stderr
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`content-api serve` while it answers; whatever happens, nothing of it is left."""
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "content_api.cli", "serve"),
            *("--data-dir", str(data), "--port", str(port)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    workers: list[int] = []
    try:
        wait_until(lambda: answers(port), 40)
        workers = children(child.pid)
        yield child
    finally:
        for pid in [*([child.pid] if child.poll() is None else []), *workers]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.communicate(timeout=20)


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds: float) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_help_lists_every_command_and_imports_no_feature() -> None:
    code = (
        "import sys; sys.argv = ['content-api', '--help']\n"
        "from content_api.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('flask', 'sqlalchemy', 'tuf') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stdout.splitlines()[-1] == "[]"
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in found.stdout
        assert line.split()[0] in found.stdout


def test_every_command_of_the_table_is_there_and_takes_a_data_directory() -> None:
    context = click.Context(main)
    todo = [(name, main.get_command(context, name)) for name in COMMANDS]
    while todo:
        name, command = todo.pop()
        assert command is not None, name
        if isinstance(command, click.Group):
            todo += [(f"{name} {inner}", found) for inner, found in command.commands.items()]
        else:
            assert "data_dir" in {option.name for option in command.params}, name
            assert command.help, name


def test_init_makes_what_is_missing_and_keeps_what_is_there(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.glob("keys/**/*.pem")}
    assert before
    again = run("init", data=data)
    assert again.returncode == 0
    assert "Password" not in again.stdout
    assert {path: path.read_bytes() for path in data.glob("keys/**/*.pem")} == before
    assert len(json.loads(run("user", "list", "--json", data=data).stdout)) >= 1


def test_init_shows_a_made_password_once_and_writes_it_nowhere(tmp_path: Path) -> None:
    made = run("init", "--root-keys", str(tmp_path / "stick"), data=tmp_path / "data")
    assert made.returncode == 0, made.stderr
    [line] = [line for line in made.stdout.splitlines() if line.startswith("Password")]
    password = line.rpartition(" ")[2].encode()
    assert len(password) == 23
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or password not in path.read_bytes(), path
    assert len([*(tmp_path / "stick").glob("*.pem")]) == 3
    for key in (tmp_path / "data").glob("keys/*.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_doctor_is_content_with_a_prepared_server(data: Path) -> None:
    found = run("doctor", "--json", data=data)
    assert found.returncode == 0, found.stdout
    assert all(each["ok"] for each in json.loads(found.stdout))


def test_doctor_says_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    found = run("doctor", data=tmp_path / "nothing")
    assert found.returncode == 1
    assert "BAD database: there is no database" in found.stdout
    assert "content-api init" in found.stdout
    assert not (tmp_path / "nothing").exists()


def test_doctor_names_a_key_that_others_can_read(tmp_path: Path) -> None:
    run("init", data=tmp_path)
    key = tmp_path / "keys" / "targets.pem"
    key.chmod(0o644)
    found = run("doctor", data=tmp_path)
    assert found.returncode == 1
    assert f"BAD keys: {key} can be read by others: chmod 600 it" in found.stdout


@pytest.mark.parametrize(
    "arguments", [("user", "list"), ("serve",), ("token", "create", "--user", "a", "--name", "b")]
)
def test_a_folder_that_was_not_prepared_is_refused_in_one_line_and_left_alone(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    found = run(*arguments, data=tmp_path / "typo")
    assert found.returncode == 1
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1
    assert "run `content-api init` first" in found.stderr
    assert not (tmp_path / "typo" / "content.sqlite3").exists()


def test_a_data_directory_that_cannot_be_written_is_refused_in_one_line() -> None:
    found = run("init", data=Path("/proc/nothing-here"))
    assert found.returncode == 1
    [line] = [each for each in found.stderr.splitlines() if each.startswith("content-api: ")]
    assert "/proc/nothing-here: expected a folder this user can write" in line


def test_a_port_in_use_ends_in_one_line_and_exit_code_1(data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        found = run("serve", "--port", port, data=data)
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 1
    assert f"port {port} (Address already in use)" in found.stderr
    assert "expected a free port" in found.stderr


def test_wrong_usage_is_exit_code_2(data: Path) -> None:
    for arguments in (("nothing",), ("serve", "--port", "x"), ("user", "create", "x", "--grant=y")):
        assert run(*arguments, data=data).returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_and_stops_cleanly_on_a_signal(
    data: Path, number: signal.Signals
) -> None:
    port = free_port()
    with serving(data, port) as child:
        workers = children(child.pid)
        child.send_signal(number)
        assert child.wait(30) == 0
        assert workers
        assert not any(runs(pid) for pid in workers)
        assert not answers(port)


def test_workers_end_by_themselves_when_the_main_process_is_killed_hard(data: Path) -> None:
    port = free_port()
    with serving(data, port) as child:
        workers = children(child.pid)
        child.kill()
        child.wait(10)
        wait_until(lambda: not any(runs(pid) for pid in workers), 20)
    with serving(data, port):
        assert answers(port)


def test_the_openapi_command_prints_the_document_alone(data: Path) -> None:
    found = run("openapi", data=data)
    assert found.returncode == 0
    document = json.loads(found.stdout)
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_users_and_tokens_are_managed_from_the_command_line(data: Path) -> None:
    made = run("user", "create", "yuki", "--grant", "translator:ja", data=data)
    assert made.returncode == 0
    assert "translator:ja" in made.stdout
    token = run("token", "create", "--user", "yuki", "--name", "ci", "--json", data=data)
    secret = json.loads(token.stdout)["token"]
    assert secret.startswith("lmu_")
    listed = run("token", "list", "--user", "yuki", data=data)
    assert "ci" in listed.stdout
    assert secret not in listed.stdout
    revoked = run("token", "revoke", json.loads(token.stdout)["id"], data=data)
    assert revoked.returncode == 0
    assert "revoked" in run("token", "list", "--user", "yuki", data=data).stdout
    assert run("user", "deactivate", "yuki", data=data).returncode == 0
    refused = run("user", "deactivate", "admin", data=data)
    assert refused.returncode == 1
    assert "last administrator" in refused.stderr
