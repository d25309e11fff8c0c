"""The wheel carries the npm files, the catalogues and the sample, or it is not built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import npm_assets as assets
from npm_assets import PLAYER, STUDIO, TREES
from tests.project.tree import PACKAGES, ROOT, tracked_files


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `.dockerignore` lets through: all that a build may need."""
    folder = tmp_path_factory.mktemp("checkout")
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules", ".*_cache")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source, folder / name)
    # As a working copy may have it: the build must take the npm files from npm, not from here.
    stale = folder / "kiosk_client/player/vendor/leaflet"
    stale.mkdir(parents=True, exist_ok=True)
    (stale / "leaflet.js").write_text("stale", encoding="utf-8")
    (stale / "stale.js").write_text("stale", encoding="utf-8")
    return folder


@pytest.fixture
def node_modules(tmp_path: Path) -> Path:
    """A folder as `npm ci` leaves it, with one line in place of each file's content."""
    folder = tmp_path / "node_modules"
    for tree in TREES:
        for name, entry in assets.shipped_packages(tree, assets.read_lock(tree)).items():
            for source in tree.files[name].values():
                path = folder / name / source
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{name} {source}\n", encoding="utf-8")
            (folder / name / "package.json").write_text(
                json.dumps({"name": name, "version": entry["version"]}), encoding="utf-8"
            )
    return folder


def build_wheel(
    checkout: Path, node_modules: Path, target: Path
) -> subprocess.CompletedProcess[str]:
    """Run the build as pip does, with npm's part already done."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=checkout,
        env={
            **os.environ,
            # Each package is taken from the first folder that has it.
            "LAMPISTERIE_NODE_MODULES": os.pathsep.join(["/nowhere", str(node_modules)]),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_packages_the_npm_files_and_the_sample(
    checkout: Path, node_modules: Path, tmp_path: Path
) -> None:
    done = build_wheel(checkout, node_modules, tmp_path / "dist")

    assert done.returncode == 0, done.stderr
    with ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        script = wheel.read("kiosk_client/player/vendor/leaflet/leaflet.js").decode()
        notices = [wheel.read(f"{tree.vendor}/THIRD_PARTY.txt").decode() for tree in TREES]
    assert script == "leaflet dist/leaflet.js\n"
    assert all("leaflet 1.9.4: BSD-2-Clause, see leaflet/LICENSE\n" in text for text in notices)
    assert {name for name in names if "/vendor/" in name} == {
        f"{tree.vendor}/{place}"
        for tree in TREES
        for place in (
            "THIRD_PARTY.txt",
            *(f"{name}/{place}" for name, files in tree.files.items() for place in files),
        )
    }
    tracked = {path.as_posix() for path in tracked_files() if path.parts[0] in PACKAGES}
    only_in_a_working_copy = {
        f"{tree.folder}/{name}" for tree in TREES for name in ("package.json", "package-lock.json")
    }
    assert tracked - names == only_in_a_working_copy
    catalogues = {
        f"content_api/{path.as_posix()}" for path in tracked_files() if path.parts[0] == "locales"
    }
    assert catalogues
    assert catalogues <= names
    sample = {
        f"content_api/sample/{path.relative_to('media').as_posix()}"
        for path in tracked_files()
        if path.parts[0] == "media" and path.parts[1] != "build"
    }
    assert sample <= names
    assert not any(name.startswith("content_api/sample/build/") for name in names)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "leaflet.css: expected a file with content, got none"),
        ("empty", "leaflet.css: expected a file with content, got none"),
        ("older", "expected version 1.9.4, got 1.9.3"),
        ("absent", "expected an installed npm package, got none"),
    ],
)
def test_a_wheel_without_a_file_of_the_player_is_not_built(
    checkout: Path, node_modules: Path, tmp_path: Path, fault: str, message: str
) -> None:
    package = node_modules / "leaflet"
    if fault == "missing":
        (package / "dist/leaflet.css").unlink()
    elif fault == "empty":
        (package / "dist/leaflet.css").write_bytes(b"")
    elif fault == "older":
        (package / "package.json").write_text('{"version": "1.9.3"}', encoding="utf-8")
    else:
        shutil.rmtree(package)

    done = build_wheel(checkout, node_modules, tmp_path / "dist")

    assert done.returncode != 0
    assert message in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


def lock_with(name: str, **changes: object) -> dict[str, object]:
    """The real lock with one package's entry changed or added."""
    lock = assets.read_lock(PLAYER)
    place = f"node_modules/{name}"
    lock["packages"][place] = {**lock["packages"].get(place, {"version": "1.0.0"}), **changes}
    return lock


def test_a_licence_nobody_has_read_stops_the_build() -> None:
    with pytest.raises(assets.AssetsError, match=r"leaflet: expected a licence .* got 'SSPL-1.0'"):
        assets.shipped_packages(PLAYER, lock_with("leaflet", license="SSPL-1.0"))


def test_a_package_that_came_along_unasked_stops_the_build() -> None:
    with pytest.raises(assets.AssetsError, match="got leaflet, left-pad, openseadragon"):
        assets.shipped_packages(PLAYER, lock_with("left-pad", license="MIT"))


def test_what_only_the_tests_need_does_not_ship() -> None:
    lock = assets.read_lock(PLAYER)
    assert "axe-core" in lock["packages"][""]["devDependencies"]
    assert "axe-core" not in assets.shipped_packages(PLAYER, lock)


def test_an_installed_wheel_is_told_that_it_needs_no_fetching(tmp_path: Path) -> None:
    with pytest.raises(assets.AssetsError, match="an installed wheel needs no fetching"):
        assets.read_lock(STUDIO, tmp_path)


def test_a_working_copy_gets_exactly_the_files_and_the_notice(
    node_modules: Path, tmp_path: Path
) -> None:
    lock = assets.read_lock(STUDIO)
    vendor = tmp_path / "vendor"
    (vendor / "gone").mkdir(parents=True)

    assets.copy_vendor(
        assets.vendor_files(STUDIO, [node_modules], lock),
        assets.third_party_notice(STUDIO, lock),
        vendor,
    )

    found = {path.relative_to(vendor).as_posix() for path in vendor.rglob("*") if path.is_file()}
    assert found == {
        "THIRD_PARTY.txt",
        *(f"{name}/{place}" for name, files in STUDIO.files.items() for place in files),
    }
    assert not (vendor / "gone").exists()
