"""`SECURITY.md`: each of its statements has a test, or says why it has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT, _, LIST = (ROOT / "SECURITY.md").read_text().partition("## What tests try")
STATEMENTS = TEXT.partition("## Trust boundaries")[2].replace("`******`", "stars")
ROWS = re.findall(r"^- \*(.+?)\*: (.+)$", LIST, re.MULTILINE)
IDENTITIES = "the table of identities"


def parts() -> list[str]:
    """Paragraphs and points of the text, each on one line."""
    blocks = re.split(r"\n\n|\n(?=- )", STATEMENTS)
    return [" ".join(block.split()) for block in blocks if block.strip() and not block.startswith("##")]


@pytest.mark.parametrize("part", parts(), ids=lambda part: part[:40])
def test_every_paragraph_and_every_point_has_a_row(part: str) -> None:
    assert part.startswith("| who |") or any(words in part for words, _ in ROWS) or part.endswith(":")


@pytest.mark.parametrize("claim", re.findall(r"\*\*([^*]+)\*\*", " ".join(STATEMENTS.split())))
def test_every_statement_in_bold_has_a_row_in_its_paragraph(claim: str) -> None:
    (part,) = [part for part in parts() if f"**{claim}**" in part]
    assert any(words in part for words, _ in ROWS)


@pytest.mark.parametrize("words", [words for words, _ in ROWS if words != IDENTITIES])
def test_a_row_has_words_of_the_text(words: str) -> None:
    assert any(words in part for part in parts())


@pytest.mark.parametrize(("words", "tests"), ROWS, ids=[words for words, _ in ROWS])
def test_a_row_names_tests_that_exist_or_says_why_there_is_none(words: str, tests: str) -> None:
    named = re.findall(r"\[([\w ]+)\]\((tests/[\w/]+\.py)\)", tests)
    assert named or re.match(r"none: \w+ \w+", tests), words
    missing = [name for name, path in named if f"def test_{name.replace(' ', '_')}(" not in (ROOT / path).read_text()]
    assert missing == []
