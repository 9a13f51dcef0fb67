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
FOLLOWS = (
    "Whoever can write to the container `inbox` can run any image",
    "All who may drop are therefore one trust domain",
    "That is",
    "- who breaks out of a container to its node",
    "Nodes are kept between runs",
    "So every image of that registry is readable",
    "So this role is for operators",
    "`{{ inputs.x }}` is the text as it was given",
    "Here all who may drop are one trust domain",
    "Nor put such a value into commands",
    "`echo {{ inputs.x }}` is shell",
    "If that run executes the file",
    "So give this role only to those who may drop",
    "Give both only to those who may drop",
    "Others need `results` alone",
    "Made by hand, the app has",
    "Backups and point-in-time restore",
)
"""Beginnings of sentences that say what follows from others, or what to do. Any other sentence has a row."""


def parts() -> list[str]:
    """Paragraphs and points of the text, each on one line."""
    blocks = re.split(r"\n\n|\n(?=- )", STATEMENTS)
    return [" ".join(block.split()) for block in blocks if block.strip() and not block.startswith("##")]


@pytest.mark.parametrize("part", parts(), ids=lambda part: part[:40])
def test_every_paragraph_and_every_point_has_a_row(part: str) -> None:
    assert part.startswith("| who |") or any(words in part for words, _ in ROWS) or part.endswith(":")


def test_every_sentence_has_a_row_or_only_says_what_follows() -> None:
    prose = [part for part in parts() if not part.startswith("| who |")]
    sentences = [each for part in prose for each in re.split(r"(?<=[.:;])\s+(?=[A-Z*`])", part)]
    unsaid = [each for each in sentences if not any(words in each for words, _ in ROWS)]
    assert [each for each in unsaid if not each.startswith(FOLLOWS)] == []
    assert [each for each in FOLLOWS if not any(sentence.startswith(each) for sentence in unsaid)] == []


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
