"""What a line of the ledger says of a recorded run."""

from __future__ import annotations

import pytest

from shared.documents.ledger import recorded_line
from shared.documents.record import RunProblem
from shared.documents.states import State
from shared.documents.usage import Amount
from tests.support.report_samples import COMMANDS_FAILED, record

SUMMED_UP = {"count": 5, "states": {"SUCCESS": 3, "SKIPPED": 2}}


def test_its_tasks_are_counted_each_item_as_one() -> None:
    """What was skipped has not ended."""
    tasks = [
        {"id": "a", "state": "SUCCESS"},
        {"id": "each", "state": "FAILED", "items": SUMMED_UP},
        {"id": "z", "state": "SKIPPED"},
    ]
    counts = recorded_line(record(State.FAILED, tasks=tasks), "m/x").tasks
    assert counts is not None
    assert (counts.ended, counts.total) == (4, 7)


def test_its_cost_is_told_where_it_is_known() -> None:
    cost = {"amount": 0.42, "currency": "EUR", "priced": 2, "basis": "b", "excludes": "e"}
    assert recorded_line(record(), "m/x").cost is None
    assert recorded_line(record(cost=cost), "m/x").cost == Amount(amount=0.42, currency="EUR")


ALLOWED = {"id": "a", "state": "WARNING", "exit_code": 3, "failure": COMMANDS_FAILED}
WARNED = {"id": "b", "state": "WARNING", "warnings": ["'x' was not made"]}


@pytest.mark.parametrize(
    ("state", "tasks", "words"),
    [
        (State.WARNING, [WARNED, ALLOWED], "a: failed, allowed: exit code 3"),
        (State.WARNING, [WARNED], "b: 'x' was not made"),
        (State.WARNING, [], "of the manifest"),
        (State.SUCCESS, [], None),
        (State.FAILED, [WARNED], None),
    ],
)
def test_a_warning_says_first_what_happened(state, tasks, words) -> None:
    """What is said of the manifest never hides an event."""
    found = recorded_line(record(state, tasks=tasks, warnings=[RunProblem(message="of the manifest")]), "m/x")
    assert found.warning == words


def test_its_words_are_those_of_a_list() -> None:
    """A line has room for a few."""
    tasks = [{"id": "b", "state": "WARNING", "warnings": ["x" * 5000]}]
    assert len(recorded_line(record(State.WARNING, tasks=tasks), "m/x").warning or "") == 300
