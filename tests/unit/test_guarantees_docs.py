"""`docs/guarantees.md` names files and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    row.split("|")[1:-1] for row in (ROOT / "docs" / "guarantees.md").read_text().splitlines() if row.startswith("| ")
][2:]


def test_every_test_that_is_named_exists() -> None:
    named = [(path, name) for *_, tests in ROWS for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)]
    assert len(named) > len(ROWS)
    assert [(path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []


def test_every_promise_has_a_mechanism_that_exists_and_a_test() -> None:
    for promise, mechanism, tests in ROWS:
        assert "::" in tests, promise
        assert all((ROOT / path).is_file() for path in re.findall(r"`(shared/[\w/]+\.py)`", mechanism)), promise


def test_every_test_that_breaks_things_keeps_a_promise() -> None:
    """A new test in tests/chaos belongs into the table."""
    table = (ROOT / "docs" / "guarantees.md").read_text()
    for file in sorted((ROOT / "tests" / "chaos").glob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE):
            assert f"tests/chaos/{file.name}::{name}`" in table
