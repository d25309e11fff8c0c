"""The project's own files, as its rules look at them."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
PACKAGES = ("content_api", "kiosk_client", "package_format")


def tracked_files() -> list[Path]:
    """Every file under version control that is there, relative to the root."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        missing("a git checkout")
    paths = [Path(name) for name in done.stdout.decode("utf-8").split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Each module of a package: its path relative to the root, and its syntax tree."""
    for path in sorted((ROOT / package).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_bytes())


def imported_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a module imports, at any depth and by any means."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "."
            elif node.module:
                yield node.lineno, node.module
        elif isinstance(node, ast.Call) and _function_name(node) in ("import_module", "__import__"):
            name = node.args[0]
            if isinstance(name, ast.JoinedStr):
                name = name.values[0]
            if isinstance(name, ast.Constant):
                yield node.lineno, str(name.value)


def project_table() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def distribution(requirement: str) -> str:
    """Normalised name of the distribution that a requirement asks for."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _function_name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
