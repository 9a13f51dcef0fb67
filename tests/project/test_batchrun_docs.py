"""Commands in the documents are commands: the parser of `batchrun` takes each as it stands there."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from batchrun.__main__ import OWN_VERBS, VERBS, _whole_parser
from batchrun.cli.options import READING_VERBS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "batchrun.md").read_text()
FILES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / "samples").rglob("*.*"),
]
VALUES = {
    "MANIFEST": "m.yaml",
    "RUN": "m",
    "TASK[ITEM]": "each[3]",
    "PATTERN": "*.csv",
    "DIR": "out",
    "S": "FAILED",
    "F": "flow",
    "T": "2h",
    "NAMESPACE": "acme",
    "NAME": "prod",
    "NAME=VALUE": "rows=10",
    "TASK": "each",
    "FILE": "etl.yaml",
    "FLOW": "company.team/etl",
    "URL": "https://a.blob.core.windows.net",
    "SHELL": "bash",
}
"""What stands for the words in capitals."""


def typed() -> list[str]:
    """Every command line of `batchrun`, in blocks and in sentences."""
    found: set[str] = set()
    for file in filter(Path.is_file, FILES):
        text = file.read_text(errors="replace")
        found |= set(re.findall(r"^(?:# )?(?:eval \"\$\()?(batchrun [a-z-][^#\n)]*)", text, re.MULTILINE))
        found |= set(re.findall(r"`(batchrun [a-z][^`]*)`", text))
    return sorted(each.strip() for each in found)


def rows() -> list[str]:
    """The verbs of the table."""
    table = DOCUMENT.partition("| verb | does |")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", row)[1] for row in table.splitlines()[2:]]
    return [each.replace("\\|", "|") for cell in cells for each in re.findall(r"`([^`]+)`", cell)]


def forms(row: str) -> list[str]:
    """A row of the table as command lines: with everything in brackets and without, and for each alternative."""
    alternatives = re.search(r"\w+(?:\|\w+)+", row)
    if alternatives:
        return [form for each in alternatives[0].split("|") for form in forms(row.replace(alternatives[0], each))]
    bare = re.sub(r"\s\[.*?\](?=\s|$)|…", "", row.replace("TASK[ITEM]", "TASK"))
    full = re.sub(r"(?<= )\[|\](?= |$)|…", "", row)
    return [bare, full]


def parsed(command: str) -> argparse.Namespace:
    words = [VALUES.get(word, word) for word in shlex.split(command)]
    if words[:2] == ["ns", "put"]:
        words.append("src")  # the table has an ellipsis for what each of its verbs takes
    if words[:2] == ["ns", "rm"]:
        words.append("**")
    return _whole_parser().parse_args([word for word in words if word != "…"])


def test_there_are_commands_to_check() -> None:
    assert len(typed()) > 12
    assert {row.split()[0] for row in rows()} == set(VERBS) | set(OWN_VERBS)


@pytest.mark.parametrize("command", typed())
def test_commands_are_taken_as_they_stand_there(command: str) -> None:
    """What has only a verb is the name of it in a sentence."""
    _, first, *more = command.split()
    assert first in {**VERBS, **OWN_VERBS, "--help": ""}
    if more:
        parsed(command.removeprefix("batchrun "))


@pytest.mark.parametrize("command", [form for row in rows() for form in forms(row)])
def test_rows_of_the_table_are_commands(command: str) -> None:
    parsed(command)


def test_what_reads_a_stopped_stack_is_said() -> None:
    *first, last = (f"`{verb}`" for verb in READING_VERBS)
    assert f"for {', '.join(first)} and {last} its storage alone" in DOCUMENT
