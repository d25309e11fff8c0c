"""What a wheel carries beyond the packages: the player's npm files and the sample collection.

An editable install gets neither: it reads `media/` where it lies, and
`python -m kiosk_client.assets` fetches the npm files.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SAMPLE = "content_api/sample"
VENDOR = "kiosk_client/player/vendor"

NODE_MODULES = "LAMPISTERIE_NODE_MODULES"
"""Names a node_modules folder that `npm ci` has filled, for a build without the npm registry."""


class LampisterieBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds both to every wheel, and fails the build where a file is missing."""

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
        included.update(_sample(root / "media"))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what npm installed."""
        if self._temporary:
            self._temporary.cleanup()


def _vendor(root: Path, folder: Path) -> dict[str, str]:
    assets = _load(root / "kiosk_client" / "assets.py")
    lock = assets.read_lock()
    given = os.environ.get(NODE_MODULES)
    installed = Path(given) if given else assets.install_packages(assets.lock_copy(folder))
    notice = folder / assets.NOTICE
    notice.write_text(assets.third_party_notice(lock), encoding="utf-8")
    files = {**assets.vendor_files(installed, lock), assets.NOTICE: notice}
    return {str(path): f"{VENDOR}/{place}" for place, path in files.items()}


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
    spec = importlib.util.spec_from_file_location("player_assets", path)
    if not spec or not spec.loader:
        raise ImportError(f"{path}: expected a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
