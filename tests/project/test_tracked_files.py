"""What is committed speaks of the product, not of the machine it was written on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.project.tree import ROOT, tracked_files

PUBLIC_HOSTS = {"pypi.org", "registry.npmjs.org", "localhost", "127.0.0.1"}

SOMEBODYS_FOLDER = re.compile(
    r"(?<![\w.:/}-])/(?:work|root|Users|workspace|workspaces|mnt)/\w|(?<![\w.:/}-])/home/(?!pi\b)\w"
)


def texts() -> list[tuple[Path, str]]:
    """Every tracked text file and its content."""
    found = []
    for path in tracked_files():
        try:
            found.append((path, (ROOT / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def registry_hosts() -> set[str]:
    """Hosts from which this machine installs, other than the public ones."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings = [
        value
        for name, value in os.environ.items()
        if re.search(r"index_url|registry|_proxy$", name, re.IGNORECASE)
    ]
    urls = re.findall(r"https?://[^\s'\"]+", "\n".join([done.stdout, *settings]))
    return {host for url in urls if (host := urlsplit(url).hostname)} - PUBLIC_HOSTS


def test_no_file_names_a_folder_of_one_machine() -> None:
    here = re.compile(rf"{re.escape(str(ROOT))}(?=[/\s'\"]|$)") if len(ROOT.parts) > 2 else None
    wrong = [
        f"{path}: {found[0]}"
        for path, text in texts()
        for pattern in (SOMEBODYS_FOLDER, here)
        if pattern and (found := pattern.search(text)) and path != Path(__file__).relative_to(ROOT)
    ]
    assert wrong == []


def test_no_file_names_a_registry_of_one_machine() -> None:
    hosts = registry_hosts()
    wrong = [f"{path}: {host}" for path, text in texts() for host in hosts if host in text]
    assert wrong == []


def test_the_npm_lock_records_hashes_and_no_address() -> None:
    lock = json.loads((ROOT / "kiosk_client/player/package-lock.json").read_bytes())
    packages = {place: entry for place, entry in lock["packages"].items() if place}
    assert packages
    for place, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), place
        assert "resolved" not in entry, place


def test_no_work_of_others_is_committed_below_vendor_or_node_modules() -> None:
    wrong = [
        str(path) for path in tracked_files() if {"vendor", "node_modules"} & set(path.parts[:-1])
    ]
    assert wrong == []
