"""$filter expressions."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from local.batch.api.filterable import FILTERABLE
from local.batch.api.filters import parse_filter
from local.batch.errors import BatchError
from local.batch.models.pool import NodeState
from local.batch.models.task import TaskState

TASK = SimpleNamespace(
    id="it's-1",
    state=TaskState.ACTIVE,
    creation_time=datetime(2026, 1, 1, tzinfo=UTC),
    execution_info=SimpleNamespace(exit_code=3, start_time=datetime(2026, 1, 2, tzinfo=UTC), end_time=None),
)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("state eq 'active'", True),
        ("state eq 'Active'", True),
        ("state ne 'completed'", True),
        ("state eq 'completed' or executionInfo/exitCode ge 3", True),
        ("state eq 'active' or state eq 'running' and executionInfo/exitCode eq 4", True),
        ("(state eq 'active' or state eq 'running') and executionInfo/exitCode eq 4", False),
        ("not (state eq 'active')", False),
        ("not startswith(id, 'x')", True),
        ("startswith(id,'it''s')", True),
        ("id gt 'is' and id lt 'iu'", True),
        ("executionInfo/exitCode lt 4 and executionInfo/exitCode le 3 and executionInfo/exitCode gt -1", True),
        ("creationTime ge datetime'2026-01-01T00:00:00Z'", True),
        ("creationTime gt DateTime'2026-01-01'", False),
        ("executionInfo/startTime gt DateTime'2026-01-01T23:59:59.5+00:00'", True),
        ("executionInfo/endTime gt DateTime'2026-01-01'", False),
        ("executionInfo/result eq 'success'", False),
    ],
)
def test_a_filter_says_which_resources_pass(text, passes):
    """`not` binds before `and`, `and` before `or`; a missing value is neither before nor after any other."""
    assert parse_filter(text, FILTERABLE["tasks"])(TASK) is passes


@pytest.mark.parametrize(
    "text",
    [
        "state",
        "state eq",
        "state eq active",
        "state = 'active'",
        "state like 'a'",
        "(state eq 'active'",
        "state eq 'active' state",
        "startswith(id 'x')",
        "creationTime gt datetime'yesterday'",
        'state eq "active"',
        "state eq null",
    ],
)
def test_what_is_no_filter_is_refused(text):
    """The answer names the parameter and why."""
    refusal = refusal_of(text)
    assert refusal.error.code == "InvalidQueryParameterValue"
    assert refusal.details["QueryParameterName"] == "$filter"
    assert refusal.details["Reason"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("commandLine eq 'x'", "It cannot be filtered by 'commandLine', only by id, state"),
        ("executionInfo eq 'x'", "It cannot be filtered by 'executionInfo'"),
        ("state gt 'active'", "'state' takes only eq, ne."),
        ("startswith(state, 'act')", "'state' takes only eq, ne."),
        ("state eq 'deleted'", "'deleted' is not one of active"),
        ("id eq 5", "'id' is compared with text between single quotes."),
        ("executionInfo/exitCode eq '3'", "'executionInfo/exitCode' is compared with a number."),
        ("creationTime gt '2026-01-01'", "'creationTime' is compared with DateTime'2026-01-01T00:00:00Z'."),
    ],
)
def test_each_listing_takes_its_properties_and_their_operators_only(text, reason):
    """As documented for the service; what the service would refuse does not pass here."""
    assert reason in refusal_of(text).details["Reason"]


@pytest.mark.parametrize(("before", "after"), [("(", ")"), ("not ", "")])
def test_a_filter_may_be_nested_but_not_without_end(before, after):
    """Beyond a limit it is refused, as any other that cannot be read."""
    assert parse_filter(f"{before * 98}state eq 'active'{after * 98}", FILTERABLE["tasks"])(TASK)
    assert "levels deep" in refusal_of(f"{before * 5000}state eq 'active'{after * 5000}").details["Reason"]


def test_a_filter_may_be_long():
    """A list of ids, as clients make it that want to know of some tasks only."""
    ids = " or ".join(f"id eq '{number}'" for number in range(2000))
    assert parse_filter(f"{ids} or id eq 'it''s-1'", FILTERABLE["tasks"])(TASK)


def test_nodes_are_filtered_by_any_of_their_states():
    """Also by those that they have only when something goes wrong."""
    passes = parse_filter("state eq 'starttaskfailed'", FILTERABLE["nodes"])
    assert passes(SimpleNamespace(state=NodeState.START_TASK_FAILED))
    assert not passes(SimpleNamespace(state=NodeState.UNUSABLE))


def refusal_of(text: str) -> BatchError:
    with pytest.raises(BatchError) as refusal:
        parse_filter(text, FILTERABLE["tasks"])
    return refusal.value
