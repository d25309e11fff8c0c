"""What a wheel carries beyond the packages: npm files, catalogues and the sample collection.

An editable install gets none of it: it reads `locales/` and `media/` where they lie, and
`python -m npm_assets` fetches the npm files.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALES = "content_api/locales"
SAMPLE = "content_api/sample"

NODE_MODULES = "LAMPISTERIE_NODE_MODULES"
"""Names the node_modules folders that `npm ci` has filled, parted as in PATH, for a build
without the npm registry."""


class LampisterieBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds them to every wheel, and fails the build where a file is missing."""

    PLUGIN_NAME = "custom"
    _temporary: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Collect the files; hatchling reads them between here and `finalize`."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        self._temporary = tempfile.TemporaryDirectory()
        included: dict[str, str] = build_data["force_include"]
        included.update(_vendor(root, Path(self._temporary.name)))
        included.update(_locales(root / "locales"))
        included.update(_sample(root / "media"))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what npm installed."""
        if self._temporary:
            self._temporary.cleanup()


def _vendor(root: Path, folder: Path) -> dict[str, str]:
    assets = _load(root / "npm_assets.py")
    included = {}
    for number, tree in enumerate(assets.TREES):
        lock = assets.read_lock(tree)
        work = folder / str(number)
        work.mkdir()
        files = assets.vendor_files(tree, _node_modules(assets, tree, work), lock)
        # Copied, for hatchling takes a file to one place only and both trees may share one.
        vendor = work / "vendor"
        assets.copy_vendor(files, assets.third_party_notice(tree, lock), vendor)
        for path in sorted(vendor.rglob("*")):
            if path.is_file():
                included[str(path)] = f"{tree.vendor}/{path.relative_to(vendor).as_posix()}"
    return included


def _node_modules(assets: ModuleType, tree: Any, work: Path) -> list[Path]:
    given = os.environ.get(NODE_MODULES)
    if given:
        return [Path(folder) for folder in given.split(os.pathsep)]
    return [assets.install_packages(assets.lock_copy(tree, work))]


def _locales(locales: Path) -> dict[str, str]:
    files = {
        str(path): f"{LOCALES}/{path.relative_to(locales).as_posix()}"
        for path in sorted(locales.glob("*/*.po"))
    }
    if not files:
        raise FileNotFoundError(f"{locales}: expected the catalogues of each language")
    return files


def _sample(media: Path) -> dict[str, str]:
    files = {
        str(path): f"{SAMPLE}/{path.relative_to(media).as_posix()}"
        for path in sorted(media.rglob("*"))
        # Its build script makes the collection from sources; a server needs the result alone.
        if path.is_file() and path.relative_to(media).parts[0] != "build"
    }
    if str(media / "languages.yml") not in files:
        raise FileNotFoundError(f"{media}: expected the sample collection with its languages.yml")
    return files


def _load(path: Path) -> ModuleType:
    # By its path: the build environment has the build's requirements and not this project.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not spec or not spec.loader:
        raise ImportError(f"{path}: expected a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
