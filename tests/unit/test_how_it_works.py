"""What docs/how-it-works.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"`([a-z_*]+\.py|[a-z_]+/)`", TEXT)))


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_named_exists(name: str) -> None:
    found = [*ROOT.glob(f"shared/{name}"), *ROOT.glob(name)]
    assert found, f"there is no shared/{name}"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
