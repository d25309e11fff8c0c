"""The files of `deploy/` that a device takes: systemd reads them, the browser knows the policy."""

from __future__ import annotations

import configparser
import json
import mmap
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("kiosk-client.service", "kiosk-screen.service")
BINARY = Path("/usr/lib/chromium/chromium")


class Unit(configparser.ConfigParser):
    """A unit file's last word for each key."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, interpolation=None, comment_prefixes=("#",))
        self.read(DEPLOY / name)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_every_line_of_the_units(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    text = (DEPLOY / name).read_text()
    # Programs of a device are not on the machine that runs the tests.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_a_device_s_units_never_give_up_and_bound_what_they_take(name: str) -> None:
    unit = Unit(name)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert int(service["WatchdogSec"]) >= 60
    assert {"MemoryMax", "TasksMax"} <= set(service)
    assert "network-online.target" not in unit["Unit"].get("After", "")
    # A session of PAM's would leave the unit's control group, and its signs of life unheard.
    assert "PAMName" not in service


def test_the_policy_names_only_what_the_browser_knows_and_lets_it_be_watched() -> None:
    policy = json.loads((DEPLOY / "chromium-policy.json").read_text())
    assert policy["URLBlocklist"] == ["*"]
    assert policy["URLAllowlist"][0] == "http://127.0.0.1:8080"
    # 2 would also shut out the pipe through which the shell sees a crashed page.
    assert policy["DeveloperToolsAvailability"] == 0
    if not BINARY.exists():
        missing(str(BINARY))
    with BINARY.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        unknown = [name for name in policy if raw.find(b"\0" + name.encode() + b"\0") < 0]
    assert unknown == []
