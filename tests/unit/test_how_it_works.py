"""What `docs/how-it-works.md` names exists; and every package of the app is in its picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
PICTURE = TEXT.partition("```\n")[2].partition("```")[0]
PATHS = sorted(set(re.findall(r"`((?:shared|batchrun|local)/[\w/]*(?:\.py)?)`", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted((ROOT / "shared").glob("[a-z]*")), ids=lambda path: path.name)
def test_every_package_and_module_of_the_app_is_in_the_picture(path: Path) -> None:
    if path.name == "__pycache__":
        pytest.skip("not part of the app")
    assert re.search(rf"(?<!\w){re.escape(path.name)}", PICTURE), path.name


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
