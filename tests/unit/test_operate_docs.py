"""`docs/operate.md` and `SECURITY.md` say what the app and its templates do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.functions.storage import POISON_QUEUE
from shared.documents.states import WaitReason
from shared.lifecycle import MAX_ANNOUNCEMENTS, MAX_ATTEMPTS
from tests.unit.test_infra import names_read

ROOT = Path(__file__).parents[2]
OPERATE = (ROOT / "docs" / "operate.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
QUERIES = re.findall(r"```kusto\n(.*?)```", OPERATE, re.DOTALL)


def test_the_table_has_every_setting() -> None:
    table = OPERATE.partition("## Settings")[2].partition("\n\nThe Functions host")[0]
    names = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([\w<>]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert names == {*names_read(), "SECRET_<NAME>"}


def test_queries_look_for_what_the_app_logs() -> None:
    """An event that is named otherwise some day would make an alert silent."""
    code = "".join(file.read_text() for file in (ROOT / "shared").rglob("*.py"))
    logged = set(re.findall(r'\blog_(?:event|exception)\(\s*(?:Stage\.\w+|stage),\s*"([\w-]+)"', code))
    conditions = [found for query in QUERIES for found in re.findall(r"tostring\(e\.event\) (?:==|in) ([^\n]+)", query)]
    events = {name for condition in conditions for name in re.findall(r'"([a-z-]+)"', condition)}
    assert {"failed", "put-off", "recorded"} <= events <= logged


def test_queries_name_our_functions() -> None:
    functions = set(re.findall(r"^def (\w+)", (ROOT / "function_app.py").read_text(), re.MULTILINE))
    named = {name for query in QUERIES for name in re.findall(r'OperationName == "(\w+)"', query)}
    assert named
    assert named <= functions


@pytest.mark.parametrize("why", list(WaitReason))
def test_every_reason_to_wait_has_a_row(why: WaitReason) -> None:
    assert f"`waiting` is `{why.value}`" in OPERATE


def test_numbers_are_those_of_the_app() -> None:
    words = {10: "ten", 12: "twelve"}
    assert f"tried {words[MAX_ATTEMPTS]} times" in OPERATE
    assert f"up to\n{words[MAX_ANNOUNCEMENTS]} times" in OPERATE
    assert f"`{POISON_QUEUE}`" in OPERATE


def test_security_names_every_role_of_the_templates() -> None:
    text = "".join(
        (ROOT / "infra" / f"{name}.bicep").read_text() for name in ("roles", "registry_role", "key_vault_role")
    )
    roles = set(re.findall(r"^(?:  |var )(\w+)(?:: | = )'[0-9a-f]{8}-", text, re.MULTILINE))
    named = SECURITY.partition("## Identities")[2].partition("## ")[0].replace(" ", "").lower()
    assert len(roles) == 10
    assert [role for role in roles if role.lower() not in named] == []


@pytest.mark.parametrize(
    "name", ["README.md", "SECURITY.md", "docs/deploy.md", "docs/operate.md", "docs/performance.md"]
)
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in headings_of(target)}
        assert not anchor or anchor in headings, link


def headings_of(target: Path) -> list[str]:
    return [line for line in target.read_text().splitlines() if line.startswith("#")] if target.suffix == ".md" else []
