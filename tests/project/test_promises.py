"""README, checks, versions and the list of dependencies agree with one another."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

import content_api
import kiosk_client
import npm_assets
from tests.conftest import missing
from tests.project.tree import ROOT, distribution, project_table

PASTED = re.compile(r"^python3 -m venv \.venv .*$", re.MULTILINE)
EXPLAINED = re.compile(r"^\| `([^`]+)` \| \S.*\|$", re.MULTILINE)


def text_of(path: str) -> str:
    """A file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_readme_starts_the_demo_and_the_tests_in_one_line_each() -> None:
    assert PASTED.findall(text_of("README.md")) == [
        "python3 -m venv .venv && .venv/bin/pip install '.[all]' && .venv/bin/content-api demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[all,test]' "
        "&& .venv/bin/python -m pytest",
    ]


def test_the_checks_run_the_line_that_the_readme_shows() -> None:
    script = text_of(".ci/run")
    found = re.search(r'grep -m 1 -E "(.+?)" README\.md', script)
    assert found
    lines = [line for line in text_of("README.md").splitlines() if re.search(found[1], line)]
    assert len(lines) == 1


def test_the_check_script_is_sound_shell_and_may_be_run() -> None:
    bash = shutil.which("bash")
    if not bash:
        missing("bash")
    done = subprocess.run(
        [bash, "-n", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (ROOT / ".ci/run").stat().st_mode & 0o100
    assert "set -euo pipefail" in text_of(".ci/run")


def test_every_place_tells_the_same_version() -> None:
    version = project_table()["project"]["version"]
    from_npm = {
        json.loads(text_of(f"{tree.folder}/package.json"))["version"] for tree in npm_assets.TREES
    }
    assert {content_api.__version__, kiosk_client.__version__, *from_npm} == {version}


def test_every_dependency_is_explained_and_every_explanation_has_its_dependency() -> None:
    table = project_table()
    requirements = [
        *table["build-system"]["requires"],
        *(
            requirement
            for extra in table["project"]["optional-dependencies"].values()
            for requirement in extra
        ),
    ]
    from_npm = [json.loads(text_of(f"{tree.folder}/package.json")) for tree in npm_assets.TREES]
    declared = {
        *(distribution(requirement) for requirement in requirements),
        *(name for package in from_npm for name in package["dependencies"]),
        *(name for package in from_npm for name in package.get("devDependencies", ())),
    } - {"lampisterie"}
    explained = EXPLAINED.findall(text_of("docs/dependencies.md"))
    assert sorted(explained) == sorted(declared)


def test_every_requirement_names_the_versions_it_was_made_for() -> None:
    extras = project_table()["project"]["optional-dependencies"]
    loose = [
        requirement
        for name in ("kiosk", "server")
        for requirement in extras[name]
        if not re.search(r">=[\d.]+(,<[\d.]+)?$", requirement)
    ]
    assert loose == []


@pytest.mark.parametrize("service", ["database", "server", "nginx"])
def test_the_containers_come_back_after_a_restart_of_the_machine(service: str) -> None:
    services = yaml.safe_load(text_of("deploy/compose.yaml"))["services"]
    assert services[service]["restart"] == "unless-stopped"
