"""`docs/operate.md` and `SECURITY.md` say what the app and its templates do."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from local.functions.storage import POISON_QUEUE
from shared.documents.states import WaitReason
from shared.lifecycle import MAX_ANNOUNCEMENTS, MAX_ATTEMPTS
from tests.project.test_infra import names_read

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
    assert names == {*names_read(), "SECRET_<NAME>", "ENV_<NAME>", "GLOBAL_<NAME>"}


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
        (ROOT / "infra" / f"{name}.bicep").read_text()
        for name in ("roles", "registry_role", "key_vault_role", "subscriptions")
    )
    roles = set(re.findall(r"^(?:  |var )(\w+)(?:: | = )'[0-9a-f]{8}-", text, re.MULTILINE))
    named = SECURITY.partition("## Identities")[2].partition("## ")[0].replace(" ", "").lower()
    assert len(roles) == 11
    assert [role for role in roles if role.lower() not in named] == []


def rows_of(heading: str, text: str) -> list[list[str]]:
    """The cells of the table under a heading; an empty first cell is that of the row above."""
    table = text.partition(f"## {heading}")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines() if row.startswith("|")]
    for above, row in pairwise(cells[2:]):
        row[0] = row[0] or above[0]
    return cells[2:]


def test_nodes_may_pull_images_and_use_staging_by_choice_only() -> None:
    held = {role: who for who, role, _ in rows_of("Identities", SECURITY) if "nodes" in who}
    assert set(held) == {"AcrPull", "Storage Blob Data Contributor"}
    assert "only with `stagingAccess` `identity`" in held["Storage Blob Data Contributor"]
    assert "Nodes have no role there, unless you choose it" in SECURITY


def test_security_says_what_would_keep_what_was_removed() -> None:
    """The deployment turns it off; policies of others may turn it on."""
    assert "turns soft delete of blobs and versions off" in SECURITY
    assert "soft delete" not in OPERATE


def test_security_names_the_role_that_the_cli_assigns() -> None:
    paragraph = next(each for each in SECURITY.split("\n\n") if "az functionapp create" in each)
    assert "Storage Blob Data Contributor" in paragraph
    assert "generateUserDelegationKey" in paragraph


def test_a_timer_that_stopped_has_a_runbook() -> None:
    """In the order in which steps cost least; the alert leads to it, and the key is in no process list."""
    runbook = OPERATE.partition("## When the timer has stopped")[2].partition("\n## ")[0]
    steps = ["```kusto", "az functionapp restart", "/syncfunctiontriggers?", "/admin/functions/poll_runs", "azd deploy"]
    steps += ["az functionapp delete", "azd up", "has been tried"]
    places = [runbook.index(step) for step in steps]
    assert places == sorted(places)
    assert "(#when-the-timer-has-stopped)" in OPERATE.partition("No tick in ten minutes")[2].partition("```")[0]
    assert "--header @master-key" in runbook
    assert "rm master-key" in runbook


def test_costs_name_what_is_not_small() -> None:
    costs = OPERATE.partition("## Costs")[2].partition("\n## ")[0]
    for each in ("spot nodes", "all log categories", "not sampled", "load\nbalancer", "six private endpoints"):
        assert each in costs
    assert "is the least it can be" in costs
    assert "### Spot nodes" in costs


def test_slots_are_not_what_the_formula_counts() -> None:
    formula = (ROOT / "infra" / "batch.bicep").read_text()
    assert "$PendingTasks" in formula
    assert "the pool's formula counts tasks, not the slots that they require" in OPERATE
