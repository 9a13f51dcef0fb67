"""Links of the documents within the repository lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "samples").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"^\[[^]]+\]: (\S+)$", text, re.MULTILINE)]
    for link in links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(target: Path) -> set[str]:
    """Those of its headings, as GitHub makes them."""
    lines = re.sub(r"^ *```.*?^ *```", "", target.read_text(), flags=re.DOTALL | re.MULTILINE).splitlines()
    headings = [line.lstrip("# ") for line in lines if line.startswith("#")] if target.suffix == ".md" else []
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
