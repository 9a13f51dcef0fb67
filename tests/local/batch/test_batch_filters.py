"""$filter expressions."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from local.batch.api.filters import parse_filter
from local.batch.errors import BatchError
from local.batch.models.job import JobState

JOB = SimpleNamespace(
    id="it's-1",
    state=JobState.ACTIVE,
    priority=5,
    creation_time=datetime(2026, 1, 1, tzinfo=UTC),
    previous_state=None,
    execution_info=SimpleNamespace(exit_code=3, pool_id="p"),
)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("state eq 'active'", True),
        ("state ne 'completed'", True),
        ("state eq 'completed' or priority ge 5", True),
        ("state eq 'completed' or state eq 'x' and priority eq 5", False),
        ("(state eq 'active' or state eq 'x') and priority gt 5", False),
        ("not (state eq 'active')", False),
        ("not startswith(id, 'x')", True),
        ("startswith(id,'it''s')", True),
        ("priority lt 6 and priority le 5 and priority gt -1", True),
        ("creationTime ge datetime'2026-01-01T00:00:00Z'", True),
        ("creationTime gt DateTime'2026-01-01'", False),
        ("executionInfo/exitCode eq 3", True),
        ("executionInfo/poolId eq 'other'", False),
        ("previousState eq null", True),
        ("previousState gt 'a'", False),
        ("executionInfo/schedulingError/code eq 'x'", False),
    ],
)
def test_a_filter_says_which_resources_pass(text, passes):
    """`not` binds before `and`, `and` before `or`; a missing value is neither before nor after any other."""
    assert parse_filter(text)(JOB) is passes


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
        "commandLine eq 'x'",
        "creationTime gt datetime'yesterday'",
        'state eq "active"',
    ],
)
def test_a_wrong_filter_is_refused(text):
    """The answer names the parameter and why."""
    with pytest.raises(BatchError) as refusal:
        parse_filter(text)
    assert refusal.value.error.code == "InvalidQueryParameterValue"
    assert refusal.value.details["QueryParameterName"] == "$filter"
    assert refusal.value.details["Reason"]
