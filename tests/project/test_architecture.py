"""The directions of imports (`importlinter.ini`), and the sizes and names of modules that CONTRIBUTING.md promises."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from batchrun.__main__ import OWN_VERBS, VERBS

ROOT = Path(__file__).parents[2]
DEPLOYED, CLIENT = "shared", "batchrun"
LONGEST_MODULE = 300
LONGEST_FUNCTION = 42


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_contract_of_imports_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    command = [linter, "importlinter.ini", "--no-cache", "--no-logo"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_no_contract_has_exceptions() -> None:
    assert "ignore_imports" not in (ROOT / "importlinter.ini").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", modules(DEPLOYED, CLIENT), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", modules(DEPLOYED, CLIENT), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    sizes = {each.name: (each.end_lineno or 0) - each.lineno + 1 for each in functions(path)}
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def test_a_module_that_only_its_own_package_imports_has_an_underscore() -> None:
    """Those without one are the package's door; `private_modules` in importlinter.ini keeps the others shut."""
    graph = grimp.build_graph(DEPLOYED, CLIENT, "local", "docs.reference")
    inside = [
        module
        for module in graph.modules
        if module.count(".") > 1
        and module.startswith((f"{DEPLOYED}.", f"{CLIENT}."))
        and not graph.find_children(module)
        and not module.rpartition(".")[2].startswith("_")
    ]
    without_reason = [
        module
        for module in inside
        if module not in {f"batchrun.cli.{verb}" for verb in VERBS | OWN_VERBS}  # imported by their names
        and all(
            importer.startswith(module.rpartition(".")[0] + ".")
            for importer in graph.find_modules_that_directly_import(module)
        )
    ]
    assert without_reason == []
